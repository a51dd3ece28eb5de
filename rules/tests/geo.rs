//! Databases of countries: good ones of each form, and anything else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

#[path = "support/mmdb.rs"]
mod mmdb;

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mmdb::{Value, country, database, map, places};
use portcullis_rules::eval::{Connection, RequestHead, Transaction, UnixNanos};
use portcullis_rules::geo::Database;
use portcullis_rules::limits;
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;
use proptest::prelude::*;
use serde_json::json;

const NOW: UnixNanos = UnixNanos(1_772_366_400_000_000_000);

/// Rules 1 and 2 tell which country there is, 3 that a look-up found something, 4 what.
const SECLANG: &str = r#"
SecGeoLookupDb geo.mmdb
SecRule GEO:COUNTRY_CODE "@rx ." "id:1,phase:1,pass,log,msg:'client %{GEO.COUNTRY_CODE}'"
SecRule REMOTE_ADDR "@geoLookup" "id:3,phase:1,pass,log,msg:'found'"
SecRule &GEO "@gt 1" "id:4,phase:1,pass,log,msg:'%{GEO.COUNTRY_CODE} %{GEO.COUNTRY_NAME} %{GEO.COUNTRY_CONTINENT} \
%{GEO.REGION} %{GEO.CITY} %{GEO.POSTAL_CODE} %{GEO.LATITUDE} %{GEO.LONGITUDE} %{GEO.DMA_CODE}'"
"#;

/// A plan with the bytes as the database of clients and of look-ups; what is wrong with them.
fn plan(bytes: &[u8]) -> Result<Arc<Plan>, String> {
    let text = json!({
        "files": { "geo.mmdb": { "base64": STANDARD.encode(bytes) } },
        "risk": { "country": { "database": "geo.mmdb" } },
        "rule_sets": [{ "name": "geo", "seclang": SECLANG }],
    });
    let loaded = policy::load(text.to_string().as_bytes(), "policy");
    let said: Vec<String> = loaded.diagnostics.iter().map(|one| one.one_line(&loaded.sources)).collect();
    let policy = loaded.policy.ok_or_else(|| said.join("\n"))?;
    Ok(Arc::new(Plan::new(&policy).expect("a plan")))
}

/// The messages of the rules that match for a client.
fn messages(plan: &Arc<Plan>, client: &str) -> Vec<String> {
    let connection = Connection {
        client_address: client.as_bytes(),
        client_port: 1,
        server_address: b"192.0.2.250",
        server_port: 80,
    };
    let mut transaction = Transaction::new(Arc::clone(plan), &connection, b"id", NOW);
    transaction.record_all();
    let headers = [(&b"host"[..], &b"example.com"[..])];
    let head = RequestHead { method: b"GET", target: b"/", protocol: b"HTTP/1.1", headers: &headers };
    let _ = transaction.request_headers(&head, NOW);
    let matches = transaction.take_matches();
    matches.iter().map(|one| String::from_utf8_lossy(&one.message).into_owned()).collect()
}

#[test]
fn addresses_have_their_country_in_trees_of_each_kind() {
    for bits in [24, 28, 32] {
        let plan = plan(&database(bits, &places())).unwrap();
        for (client, expected) in [
            ("192.0.2.1", Some("DE")),
            ("192.0.2.127", Some("DE")),
            ("192.0.2.128", Some("FR")),
            ("198.51.100.7", Some("NL")),
            ("203.0.113.1", Some("JP")),
            ("203.0.113.65", Some("BR")),
            ("203.0.113.129", None),
            ("203.0.114.1", None),
            ("::ffff:192.0.2.1", Some("DE")),
            ("2001:db8::1", Some("SE")),
            ("2001:db8:ffff::1", Some("NO")),
            ("2001:db9::1", None),
            ("::1", None),
        ] {
            let first = messages(&plan, client).into_iter().next().filter(|text| text.starts_with("client"));
            assert_eq!(first, expected.map(|code| format!("client {code}")), "{client}, {bits} bits");
        }
    }
}

#[test]
fn a_look_up_fills_geo_with_what_there_is() {
    let plan = plan(&database(24, &places())).unwrap();
    assert_eq!(
        messages(&plan, "198.51.100.7"),
        ["client NL", "found", "NL Netherlands EU NH Amsterdam 1012 52.374 4.8897 501"]
    );
    assert_eq!(messages(&plan, "192.0.2.1"), ["client DE", "found", "DE Germany EU      "]);
    assert_eq!(messages(&plan, "203.0.113.129"), ["found"], "a record without a place");
    assert!(messages(&plan, "203.0.114.1").is_empty(), "no record");
}

/// The scenarios on databases have one that this writes: `UPDATE_GOLDEN=1` puts it there.
#[test]
fn the_database_of_the_scenarios_is_this_one() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/geo.json");
    let text = std::fs::read_to_string(file).unwrap();
    let encoded = STANDARD.encode(database(24, &places()));
    let mut parts = text.split("\"base64\": \"");
    let mut expected = parts.next().unwrap().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('"').unwrap();
        expected.push_str(&format!("\"base64\": \"{encoded}\"{rest}"));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, expected).unwrap();
    } else {
        assert!(text == expected, "run this with UPDATE_GOLDEN=1");
    }
}

#[test]
fn what_is_no_database_is_refused() {
    let good = database(24, &places());
    let marker = good.windows(14).position(|window| window == b"\xab\xcd\xefMaxMind.com").unwrap();
    let with = |key: &str, value: &[u8]| {
        let mut bytes = good.clone();
        let at = marker + good[marker..].windows(key.len()).position(|w| w == key.as_bytes()).unwrap();
        bytes[at + key.len()..at + key.len() + value.len()].copy_from_slice(value);
        bytes
    };
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("text", b"country,code\nGermany,DE\n".to_vec()),
        ("the marker alone", b"\xab\xcd\xefMaxMind.com".to_vec()),
        ("no metadata", good[..marker].to_vec()),
        ("metadata cut off", good[..good.len() - 20].to_vec()),
        ("nodes cut off", good[marker - 40..].to_vec()),
        ("too many nodes", with("node_count", &[0xc4, 0xff, 0xff, 0xff, 0xff])),
        ("records of 20 bits", with("record_size", &[0xa2, 0, 20])),
        ("another version", with("binary_format_major_version", &[0xa2, 0, 3])),
    ] {
        let problem = plan(&bytes).unwrap_err();
        assert!(problem.contains("error[E0709]") && problem.contains("error[E0221]"), "{what}: {problem}");
    }
    assert!(Database::new(Arc::new(good)).is_ok());
    let problem = Database::new(Arc::new(vec![0; limits::GEO_DATABASE_BYTES + 1])).unwrap_err();
    assert!(problem.contains("64"), "{problem}");
}

/// Values that the reader must not believe: loops, lengths beyond the end, nesting, records that are no maps.
#[test]
fn records_that_make_no_sense_give_no_country() {
    let record = |bytes: &[u8]| {
        // The record of one network, replaced where it stands; the text in it has room for the others.
        let placeholder = "x".repeat(200);
        let mut database = database(24, &[("192.0.2.0/24", Value::Text(placeholder.clone()))]);
        let at = database.windows(200).position(|window| window == placeholder.as_bytes()).unwrap() - 2;
        database[at..at + bytes.len()].copy_from_slice(bytes);
        database
    };
    let nested: Vec<u8> = [0xe1, 0x41, b'a'].repeat(60);
    for (what, bytes) in [
        ("a pointer to itself", &[0x20, 0x00][..]),
        ("a pointer beyond the end", &[0x3f, 0xff, 0xff, 0xff, 0xff]),
        ("a map that holds itself", &[0xe1, 0x47, b'c', b'o', b'u', b'n', b't', b'r', b'y', 0x20, 0x00]),
        ("a text beyond the end", &[0x5f, 0xff, 0xff, 0xff]),
        ("a map with too many entries", &[0xff, 0xff, 0xff, 0xff]),
        ("an array with too many", &[0x1f, 0x04, 0xff, 0xff, 0xff]),
        ("deep nesting", &nested),
        ("a number", &[0xa1, 7]),
        ("a country that is a number", &[0xe1, 0x47, b'c', b'o', b'u', b'n', b't', b'r', b'y', 0xa1, 7]),
        (
            "a text that is not UTF-8",
            &[
                0xe1, 0x4c, b'c', b'o', b'u', b'n', b't', b'r', b'y', b'_', b'c', b'o', b'd', b'e', 0x42,
                0xff, 0xfe,
            ],
        ),
    ] {
        let plan = plan(&record(bytes)).unwrap();
        let started = Instant::now();
        let found = messages(&plan, "192.0.2.1");
        assert!(found.iter().all(|text| text == "found"), "{what}: {found:?}");
        assert!(started.elapsed() < Duration::from_millis(200), "{what}: {:?}", started.elapsed());
    }
}

#[test]
fn a_look_up_without_a_database_is_refused() {
    let text = json!({ "rule_sets": [{
        "name": "geo", "seclang": "SecRule REMOTE_ADDR \"@geoLookup\" \"id:7,phase:1,pass\"",
    }] });
    let policy = policy::load(text.to_string().as_bytes(), "policy").policy.unwrap();
    let problems = Plan::new(&policy).unwrap_err();
    assert_eq!(problems[0].code.to_string(), "E0221");
    assert!(problems[0].message.starts_with("rule 7 ("), "{}", problems[0].message);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// A database in which some bytes are others, or that is cut off: refused, or it answers something, soon.
    #[test]
    fn a_broken_database_does_no_harm(
        bits in prop_oneof![Just(24u16), Just(28), Just(32)],
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12),
        cut in proptest::option::weighted(0.2, any::<proptest::sample::Index>()),
    ) {
        let mut bytes = database(bits, &places());
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let started = Instant::now();
        if let Ok(plan) = plan(&bytes) {
            for client in ["192.0.2.1", "192.0.2.200", "198.51.100.7", "203.0.113.1", "2001:db8::1", "::1"] {
                for text in messages(&plan, client) {
                    let code = text.strip_prefix("client ").unwrap_or("XX");
                    prop_assert!(code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()), "{}", text);
                }
            }
        }
        prop_assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }

    /// Two bytes with which any field of a record can be reached: none of them makes a look-up panic.
    #[test]
    fn any_record_does_no_harm(noise in proptest::collection::vec(any::<u8>(), 0..120)) {
        let placeholder = "x".repeat(200);
        let mut bytes = database(24, &[
            ("192.0.2.0/24", map([("country", placeholder.as_str().into())])),
            ("198.51.100.0/24", country("DE", "Germany", "EU")),
        ]);
        let at = bytes.windows(200).position(|window| window == placeholder.as_bytes()).unwrap() - 2;
        bytes[at..at + noise.len()].copy_from_slice(&noise);
        let plan = plan(&bytes).unwrap();
        let _ = messages(&plan, "192.0.2.1");
        let others = messages(&plan, "198.51.100.7");
        prop_assert_eq!(others[0].as_str(), "client DE");
    }
}
