//! How much memory transactions take: while they wait, and while they are judged, on the Core Rule Set.
#![allow(unsafe_code, reason = "an allocator that counts")]
#![allow(clippy::expect_used, clippy::print_stderr, reason = "what can't be set up is a failed test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/core_rule_set.rs"]
mod core_rule_set;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;
use std::sync::Arc;

use portcullis_rules::eval::{Connection, RequestHead, ResponseHead, Transaction, UnixNanos, Verdict};
use portcullis_rules::plan::Plan;

/// Counts the bytes that a thread has, and the most that it had.
struct Counting;

thread_local! {
    static USED: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn note(bytes: isize) {
    USED.set(USED.get() + bytes);
    PEAK.set(PEAK.get().max(USED.get()));
}

// SAFETY: each call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there while one is copied to the other.
        note(size as isize);
        note(-(layout.size() as isize));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

const RECOMMENDED: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 786432
SecResponseBodyAccess On
SecResponseBodyLimit 4194304
SecRule REQUEST_HEADERS:Content-Type "@rx (?i)^application/(?:[a-z0-9.-]+\+)?json" "id:200001,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_ERROR "!@eq 0" "id:200002,phase:2,log,deny,status:400"
"#;

fn plan() -> Option<Arc<Plan>> {
    let Some(shared) = core_rule_set::shared() else {
        eprintln!("SKIPPED: there is no shared data folder; set PORTCULLIS_SHARED to it");
        return None;
    };
    Some(Arc::new(Plan::new(&core_rule_set::core_rule_set(&shared, RECOMMENDED)).expect("a plan")))
}

/// Harmless JSON of about 680 KB: 900 texts.
fn json() -> String {
    const WORDS: [&str; 8] =
        ["Hello ", "World  ", "Garden\u{e9} ", "Table", "Window ", "River ", "Market ", "Coffee"];
    let mut text = String::from("{");
    let mut seed = 7usize;
    for key in 0..900 {
        write!(text, "\"k{key}\":\"").expect("a text");
        let end = text.len() + 740;
        while text.len() < end {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(WORDS.get(seed >> 40 & 7).copied().unwrap_or_default());
            write!(text, "{}", seed >> 44).expect("a text");
        }
        text.push_str(if key < 899 { "\"," } else { "\"}" });
    }
    text
}

/// What a body takes at most while it is judged, and what is left of it while it waits.
struct Taken {
    judged: isize,
    waits: isize,
}

fn post(plan: &Arc<Plan>, content_type: &str, body: &[u8]) -> (Transaction, Taken) {
    let mut transaction = Transaction::new(Arc::clone(plan), &Connection::default(), b"id", NOW);
    let length = body.len().to_string();
    let headers: Vec<(&[u8], &[u8])> = vec![
        (b"host", b"www.example.com"),
        (b"user-agent", b"Mozilla/5.0"),
        (b"accept", b"*/*"),
        (b"content-type", content_type.as_bytes()),
        (b"content-length", length.as_bytes()),
    ];
    let head = RequestHead { method: b"POST", target: b"/api", protocol: b"HTTP/1.1", headers: &headers };
    assert_eq!(transaction.request_headers(&head, NOW), Verdict::Continue);
    transaction.rest();
    let before = USED.get();
    PEAK.set(before);
    transaction.expect_request_body(body.len());
    let _ = transaction.request_body(body);
    let verdict = transaction.request_complete(NOW);
    passes(&verdict, &mut transaction);
    let judged = PEAK.get() - before;
    // Nothing is kept for the next one, so that it does not stand in for what this one has.
    transaction.rest();
    (transaction, Taken { judged, waits: USED.get() - before })
}

fn passes(verdict: &Verdict, transaction: &mut Transaction) {
    let lines = transaction.take_matches().into_iter().filter_map(|found| found.log_line);
    let lines: Vec<String> = lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect();
    assert_eq!(verdict, &Verdict::Continue, "{lines:#?}");
}

/// Rests what is retained, so that later growth is of the transactions themselves.
fn warmed(plan: &Arc<Plan>, content_type: &str, body: &[u8]) {
    for _ in 0..3 {
        let (mut transaction, _) = post(plan, content_type, body);
        transaction.finish(NOW);
        transaction.recycle();
    }
}

#[test]
fn a_passed_body_is_let_go_of() {
    let Some(plan) = plan() else { return };
    let body = json();
    warmed(&plan, "application/json", body.as_bytes());
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let (transaction, Taken { judged, waits }) = post(&plan, "application/json", body.as_bytes());
        eprintln!(
            "{} bytes of JSON: {judged} bytes at most while judged, {waits} while it waits",
            body.len()
        );
        assert!(waits < 100_000, "{waits} bytes wait");
        assert!(judged < 7 * body.len() as isize, "{judged} bytes for a body of {}", body.len());
        waiting.push(transaction);
    }
}

#[test]
fn an_answer_that_was_judged_is_let_go_of() {
    let Some(plan) = plan() else { return };
    let page = format!("<html>{}</html>", "<p>Nothing to see here, move along.</p>\n".repeat(75_000));
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let (mut transaction, _) = post(&plan, "application/x-www-form-urlencoded", b"");
        let before = USED.get();
        let head =
            ResponseHead { status: 200, protocol: b"HTTP/1.1", headers: &[(b"content-type", b"text/html")] };
        assert_eq!(transaction.response_headers(&head, NOW), Verdict::Continue);
        assert!(transaction.inspects_response_body());
        transaction.expect_response_body(page.len());
        let _ = transaction.response_body(page.as_bytes());
        PEAK.set(before);
        assert_eq!(transaction.response_complete(NOW), Verdict::Continue);
        let judged = PEAK.get() - before;
        transaction.rest();
        let waits = USED.get() - before;
        eprintln!(
            "{} bytes of HTML: {judged} bytes at most while judged, {waits} while it waits",
            page.len()
        );
        assert!(waits < 100_000, "{waits} bytes wait");
        waiting.push(transaction);
    }
}

#[test]
fn many_that_wait_hold_little_each() {
    let Some(plan) = plan() else { return };
    let before = USED.get();
    let waiting: Vec<Transaction> =
        (0..1_000).map(|_| post(&plan, "application/x-www-form-urlencoded", b"").0).collect();
    let each = (USED.get() - before) / waiting.len() as isize;
    eprintln!("1,000 transactions that wait hold {each} bytes each");
    assert!(each < 120_000, "{each} bytes each");
}
