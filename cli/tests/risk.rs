//! `risk simulate` as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

mod support;

use std::path::Path;

use serde_json::{Value, json};

/// Two matches of 35 close in on 70 and a third one of high risk blocks; a minute later the score has faded a little.
const EVENTS: &str = r#"{"time":0,"risk":50}
{"time":60,"risk":50,"state":"Brute Force Attack"}

{"time":61,"risk":95,"action":"tarpit"}
{"time":62,"subtract":20}
"#;

/// Exit status, standard output, standard error of a simulation.
fn run(arguments: &[&str], input: &str) -> (i32, String, String) {
    support::run(&[&["risk", "simulate"], arguments].concat(), input)
}

#[test]
fn the_curve_is_that_of_the_documented_formula() {
    let (code, out, err) = run(&["--format", "json", "--hours", "1", "--step", "900"], EVENTS);
    assert_eq!((code, err.as_str()), (0, ""));
    let points: Vec<Value> = serde_json::from_str(&out).unwrap();
    let of = |event: u64| points.iter().find(|point| point["event"] == event).unwrap();
    let faded = |score: f64, seconds: f64| score * (-seconds / 900.0).exp2();
    let closer = |score: f64, by: f64| score + (100.0 - score) * by / 100.0;
    let first = closer(0.0, 50.0 * 0.7);
    let second = closer(faded(first, 60.0), 50.0 * 0.7 * 0.95);
    let third = closer(faded(second, 1.0), 95.0);
    let last = faded(third, 1.0) - 20.0;
    for (event, score) in [(1, first), (2, second), (3, third), (4, last)] {
        let found = of(event)["score"].as_f64().unwrap();
        assert!((found - score).abs() <= 0.06, "event {event}: {score}, not {found}");
    }
    assert_eq!((&of(2)["status"], &of(2)["block"]), (&json!("watched"), &Value::Null));
    assert_eq!(
        (&of(3)["status"], &of(3)["block"], &of(3)["tarpit"]),
        (&json!("blocked"), &json!(1), &json!(true))
    );
    // Half an hour after it began the block has ended.
    let at = |second: f64| points.iter().rfind(|point| point["time"].as_f64().unwrap() <= second).unwrap();
    assert_eq!(at(1_800.0)["status"], "blocked");
    assert_eq!(points.last().unwrap()["status"], "watched");
    let end = points.last().unwrap();
    let expected = faded(last, end["time"].as_f64().unwrap() - 62.0);
    assert!((end["score"].as_f64().unwrap() - expected).abs() <= 0.06, "{expected}: {end}");
}

#[test]
fn a_table_says_what_happens() {
    let (code, out, _) = run(&["--hours", "0"], EVENTS);
    assert_eq!(code, 0);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    assert!(lines[1].ends_with("0.0   35.0  watched           event 1"), "{out}");
    assert!(lines[3].contains("blocked           event 3, block 1 begins, slowed down"), "{out}");
}

#[test]
fn a_picture_is_well_formed_and_shows_the_block() {
    let (code, out, _) = run(&["--format", "svg"], EVENTS);
    assert_eq!(code, 0);
    assert!(
        out.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && out.ends_with("</svg>\n"),
        "{out}"
    );
    assert_eq!(out.matches("<circle").count(), 4);
    assert!(out.contains("opacity=\"0.15\"") && out.contains("threshold 70"), "{out}");
    // Every element is closed: each `<name` has its `/>` or `</name>`.
    let (opened, closed) =
        (out.matches('<').count(), out.matches("/>").count() + 2 * out.matches("</").count());
    assert_eq!(opened, closed, "{out}");
    // All of it within the picture.
    let points = out.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
    for point in points.split(' ') {
        let (x, y) = point.split_once(',').unwrap();
        let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
        assert!((0.0..=900.0).contains(&x) && (0.0..=320.0).contains(&y), "{point}");
    }
}

#[test]
fn a_policy_gives_the_settings() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulated.json");
    let policy = json!({ "risk": {
        "switches": { "risk_blocks": true },
        "score": { "medium_gain": 1, "half_life": 60 },
        "block": { "threshold": 50, "permanent_after": 1 },
    } });
    std::fs::write(&file, policy.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let (code, out, err) = run(&["--policy", file, "--hours", "0"], r#"{"time":0,"risk":50}"#);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("50.0  blocked_for_good  event 1, block 1 begins, for good"), "{out}");
}

#[test]
fn what_makes_no_sense_is_refused_with_its_line() {
    for (input, expected) in [
        ("", "events are needed"),
        ("{\"time\":5,\"risk\":1}\n{\"time\":4,\"risk\":1}", "in the order of their times"),
        ("{\"time\":1,\"risk\":1}\n{\"time\":2,\"risk\":101}", "line 2: a risk is 0 to 100"),
        ("{\"time\":1,\"risk\":1,\"state\":\"Bored\"}", "line 1: no state is named `Bored`"),
        (
            "{\"time\":1,\"risk\":1,\"action\":\"blok\"}",
            "line 1: no action is named `blok`; did you mean `block`?",
        ),
        (
            "{\"time\":1,\"risk\":1,\"stat\":\"x\"}",
            "line 1: an event has no field `stat`; did you mean `state`?",
        ),
        ("{\"risk\":1}", "line 1: the field `time` is missing"),
        ("{\"time\":1,\"risk\":1,\"add\":1}", "one of `risk`, `add` and `subtract`"),
        ("nonsense", "line 1: not JSON at column"),
    ] {
        let (code, out, err) = run(&[], input);
        assert_eq!((code, out.as_str()), (1, ""), "{input}");
        assert!(err.contains(expected), "{input}: {err}");
    }
    assert_eq!(run(&["--step", "0"], "").0, 2);
    assert_eq!(run(&["--policy", "/nowhere"], EVENTS).0, 2);
}
