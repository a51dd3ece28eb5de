//! Tokens, answers and cookies: good, forged, foreign, late, early, and from nowhere.

use proptest::prelude::*;

use super::*;
use crate::limits;

const NOW: u64 = 1_709_212_455;
const CLIENT: &[u8] = b"192.0.2.1|agent";
const ENTROPY: [u8; ENTROPY_BYTES] = [7; ENTROPY_BYTES];

fn key(byte: u8) -> Key {
    Key::new(&[byte; 32]).unwrap()
}

fn settings(keys: &[u8]) -> Settings {
    Settings { keys: keys.iter().map(|byte| key(*byte)).collect(), difficulty: 8, ..Settings::default() }
}

/// An answer to a token, with its proof of work.
fn solve(token: &str, difficulty: u8) -> String {
    let number = (0u64..).find(|n| works(token.as_bytes(), n.to_string().as_bytes(), difficulty)).unwrap();
    format!("{token}:{number}:1920x1080|en")
}

fn value(set_cookie: &str) -> &str {
    set_cookie.split_once('=').unwrap().1.split_once(';').unwrap().0
}

#[test]
fn the_whole_way() {
    let settings = settings(&[1]);
    let token = issue(&settings, CLIENT, ENTROPY, NOW);
    assert_eq!(token.len(), 78);
    let passed = check_answer(&settings, CLIENT, solve(&token, 8).as_bytes(), NOW + 3).unwrap();
    assert_eq!((passed.identity, passed.expires), (ENTROPY, NOW + 3_600));
    let cookie = set_cookie(&settings, CLIENT, &passed, NOW + 3, true);
    assert!(cookie.starts_with("portcullis="));
    assert!(cookie.ends_with("; Path=/; Max-Age=3597; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    assert!(!set_cookie(&settings, CLIENT, &passed, NOW, false).contains("Secure"));
    let identity = check_cookie(&settings, CLIENT, value(&cookie).as_bytes(), NOW + 3_599).unwrap();
    assert_eq!(identity, Identity { id: ENTROPY, fingerprint: passed.fingerprint });

    let header = format!("a=b; portcullisx=c;portcullis={};d", value(&cookie));
    assert_eq!(find_cookie(&settings, header.as_bytes()), Some(value(&cookie).as_bytes()));
    assert_eq!(find_cookie(&settings, b"a=portcullis=b; xportcullis=c"), None);
}

#[test]
fn what_does_not_count() {
    let own = settings(&[1]);
    let token = issue(&own, CLIENT, ENTROPY, NOW);
    let answer = solve(&token, 8);
    let passed = check_answer(&own, CLIENT, answer.as_bytes(), NOW).unwrap();
    let cookie = set_cookie(&own, CLIENT, &passed, NOW, true);
    let cookie = value(&cookie);
    let (window, life) = (u64::from(own.window_seconds), u64::from(own.cookie_seconds));

    let of_answer = |settings: &Settings, client: &[u8], answer: &str, now| {
        check_answer(settings, client, answer.as_bytes(), now).map(|_| ())
    };
    let (number, words) = answer.strip_prefix(&format!("{token}:")).unwrap().split_once(':').unwrap();
    let wrong = (0u64..).find(|n| !works(token.as_bytes(), n.to_string().as_bytes(), 8)).unwrap();
    for (settings, client, answer, now, expected) in [
        (&own, CLIENT, answer.clone(), NOW + window, Ok(())),
        (&own, CLIENT, answer.clone(), NOW + window + 1, Err(Refused::Expired)),
        (&own, CLIENT, answer.clone(), NOW - 5, Ok(())),
        (&own, CLIENT, answer.clone(), NOW - 6, Err(Refused::Early)),
        (&own, b"192.0.2.2|agent", answer.clone(), NOW, Err(Refused::NotSigned)),
        (&own, b"", answer.clone(), NOW, Err(Refused::NotSigned)),
        (&settings(&[2]), CLIENT, answer.clone(), NOW, Err(Refused::NotSigned)),
        (&settings(&[2, 1]), CLIENT, answer.clone(), NOW, Ok(())),
        (&settings(&[]), CLIENT, answer.clone(), NOW, Err(Refused::NotSigned)),
        (&own, CLIENT, format!("{token}:{wrong}:"), NOW, Err(Refused::NoWork)),
        (&own, CLIENT, format!("{token}:{number}"), NOW, Err(Refused::Malformed)),
        (&own, CLIENT, format!("{token}:{number}x:"), NOW, Err(Refused::Malformed)),
        (&own, CLIENT, format!("{token}::{words}"), NOW, Err(Refused::Malformed)),
        (&own, CLIENT, format!("{token}:{}:", "1".repeat(17)), NOW, Err(Refused::Malformed)),
        (&own, CLIENT, format!("{token}:{number}:{}", "x".repeat(513)), NOW, Err(Refused::Malformed)),
        (&own, CLIENT, format!("{token}=:{number}:"), NOW, Err(Refused::Malformed)),
        (&own, CLIENT, format!("{}:{number}:", "A".repeat(10_000)), NOW, Err(Refused::Malformed)),
        (&own, CLIENT, format!("{}:{number}:", &token[..40]), NOW, Err(Refused::Malformed)),
        // A cookie is no token.
        (&own, CLIENT, format!("{cookie}:1:"), NOW, Err(Refused::Malformed)),
        (&own, CLIENT, String::new(), NOW, Err(Refused::Malformed)),
    ] {
        assert_eq!(of_answer(settings, client, &answer, now), expected, "{answer} at {now}");
    }

    let of_cookie = |settings: &Settings, client: &[u8], cookie: &str, now| {
        check_cookie(settings, client, cookie.as_bytes(), now).map(|_| ())
    };
    for (settings, client, cookie, now, expected) in [
        (&own, CLIENT, cookie.to_owned(), NOW + life - 1, Ok(())),
        (&own, CLIENT, cookie.to_owned(), NOW + life, Err(Refused::Expired)),
        (&own, b"192.0.2.2|agent", cookie.to_owned(), NOW, Err(Refused::NotSigned)),
        (&settings(&[2]), CLIENT, cookie.to_owned(), NOW, Err(Refused::NotSigned)),
        (&settings(&[2, 1]), CLIENT, cookie.to_owned(), NOW, Ok(())),
        (&settings(&[]), CLIENT, cookie.to_owned(), NOW, Err(Refused::NotSigned)),
        (&own, CLIENT, token.clone(), NOW, Err(Refused::Malformed)),
        (&own, CLIENT, format!("{cookie}A"), NOW, Err(Refused::Malformed)),
        (&own, CLIENT, String::new(), NOW, Err(Refused::Malformed)),
    ] {
        assert_eq!(of_cookie(settings, client, &cookie, now), expected, "{cookie} at {now}");
    }
}

#[test]
fn handing_an_answer_in_again_gains_nothing() {
    let settings = settings(&[1]);
    let answer = solve(&issue(&settings, CLIENT, ENTROPY, NOW), 8);
    let first = check_answer(&settings, CLIENT, answer.as_bytes(), NOW + 1).unwrap();
    let again = check_answer(&settings, CLIENT, answer.as_bytes(), NOW + 119).unwrap();
    assert_eq!(first, again);
}

#[test]
fn without_a_key_nothing_is_signed_and_nothing_counts() {
    let none = settings(&[]);
    assert_eq!(issue(&none, CLIENT, ENTROPY, NOW), "");
    assert_eq!(check_answer(&none, CLIENT, b":0:", NOW), Err(Refused::Malformed));
}

#[test]
fn keys_are_long_and_not_shown() {
    assert!(Key::new(&[0; limits::CHALLENGE_KEY_BYTES - 1]).is_none());
    assert_eq!(format!("{:?}", key(1)), "Key(…)");
}

#[test]
fn work_is_counted_in_bits() {
    // The SHA-256 of "a:b" begins with 67, of "t:4" with 1b.
    assert!(works(b"a", b"b", 1) && !works(b"a", b"b", 2));
    assert!(works(b"t", b"4", 3) && !works(b"t", b"4", 4));
    let found = (0u32..).map(|n| n.to_string()).find(|n| works(b"t", n.as_bytes(), 12)).unwrap();
    assert!(works(b"t", found.as_bytes(), 11));
}

#[test]
fn settings_have_bounds() {
    assert!(Settings::default().problems().is_empty());
    let bad = Settings {
        keys: Vec::new(),
        difficulty: 25,
        window_seconds: 9,
        cookie_name: "a b".to_owned(),
        cookie_seconds: 59,
    };
    assert_eq!(
        bad.problems(),
        [
            SettingsError::Difficulty,
            SettingsError::Window,
            SettingsError::CookieName,
            SettingsError::CookieSeconds
        ]
    );
}

proptest! {
    /// No byte of a cookie or token can be changed.
    #[test]
    fn any_change_is_noticed(at in 0usize..119, to in 0u8..=255, token in any::<bool>()) {
        let settings = settings(&[1]);
        let passed = Passed { identity: ENTROPY, expires: NOW + 60, fingerprint: [1; 8] };
        let cookie = set_cookie(&settings, CLIENT, &passed, NOW, true);
        let text = if token { issue(&settings, CLIENT, ENTROPY, NOW) } else { value(&cookie).to_owned() };
        let mut bytes = text.into_bytes();
        let Some(byte) = bytes.get_mut(at) else { return Ok(()) };
        prop_assume!(*byte != to);
        *byte = to;
        let refused = if token {
            let answer = [bytes.as_slice(), b":0:"].concat();
            check_answer(&settings, CLIENT, &answer, NOW).err()
        } else {
            check_cookie(&settings, CLIENT, &bytes, NOW).err()
        };
        prop_assert!(matches!(refused, Some(Refused::NotSigned | Refused::Malformed)), "{refused:?}");
    }

    /// Nothing a client sends is more than refused.
    #[test]
    fn nonsense_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), now in any::<u64>()) {
        let settings = settings(&[1]);
        prop_assert!(check_answer(&settings, CLIENT, &bytes, now).is_err());
        prop_assert!(check_cookie(&settings, CLIENT, &bytes, now).is_err());
        let _ = find_cookie(&settings, &bytes);
    }

    /// Bindings can't be shifted into each other.
    #[test]
    fn another_client_is_refused(a in proptest::collection::vec(any::<u8>(), 0..40), b in proptest::collection::vec(any::<u8>(), 0..40)) {
        prop_assume!(a != b);
        let settings = settings(&[1]);
        let passed = Passed { identity: ENTROPY, expires: NOW + 60, fingerprint: [1; 8] };
        let cookie = set_cookie(&settings, &a, &passed, NOW, true);
        prop_assert_eq!(check_cookie(&settings, &b, value(&cookie).as_bytes(), NOW), Err(Refused::NotSigned));
    }
}
