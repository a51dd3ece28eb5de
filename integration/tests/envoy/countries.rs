//! Countries of clients: from a database that comes with the policy, from Envoy's own geoip filter, from a trusted hop.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_integration::{Gateway, Request, Scenario};
use serde_json::{Value, json};

use crate::mmdb::{database, places};
use crate::support::with;

/// A policy that refuses clients from France and Sweden.
fn policy(country: Value) -> Value {
    json!({
        "client_address": { "header": "x-real-ip", "trusted_hops": ["127.0.0.1"] },
        "risk": {
            "country": country,
            "switches": { "rule_blocks": true, "risk_blocks": true, "lists": true },
            "rules": [{
                "id": 1, "description": "from %{GEO.COUNTRY_CODE}", "risk": 20, "action": "block",
                "condition": { "attribute": "countries", "value": ["FR", "SE"] },
            }],
        },
    })
}

fn file() -> Value {
    json!({ "countries.mmdb": { "base64": STANDARD.encode(database(24, &places())) } })
}

fn from(client: &str) -> Request {
    Request::get("/echo").header("x-real-ip", client)
}

async fn assert_statuses(gateway: &Gateway, expected: &[(&str, u16)]) {
    for (client, status) in expected {
        let exchange = gateway.send1(from(client)).await.unwrap();
        assert_eq!(exchange.reply.status, Some(*status), "{client}");
        assert_eq!(exchange.reached.len(), usize::from(*status == 200), "{client}");
    }
}

const BY_COUNTRY: &[(&str, u16)] = &[
    ("192.0.2.1", 200),
    ("192.0.2.200", 403),
    ("203.0.114.1", 200),
    ("2001:db8::1", 403),
    ("2001:db8:ffff::1", 200),
    ("192.0.2.255", 403),
];

/// The database is a file that the command line puts into the policy.
pub(crate) async fn a_database_comes_with_the_policy() {
    let directory = std::env::temp_dir().join(format!("portcullis-countries-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (base, data) = (directory.join("base.json"), directory.join("geo.mmdb"));
    std::fs::write(&base, policy(json!({ "database": "countries.mmdb" })).to_string()).unwrap();
    std::fs::write(&data, database(28, &places())).unwrap();
    // The tests of the whole workspace build the command line before they run.
    let portcullis = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("portcullis");
    let mut bundled = None;
    if portcullis.is_file() {
        let given = format!("countries.mmdb={}", data.display());
        let output = Command::new(&portcullis)
            .args([Path::new("bundle"), Path::new("--policy"), &base])
            .args(["--file", &given, "--output", "-"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        bundled = Some(serde_json::from_slice(&output.stdout).unwrap());
    } else {
        eprintln!("no {}: the policy is put together by hand", portcullis.display());
    }
    std::fs::remove_dir_all(directory).unwrap();
    let by_hand = || with(policy(json!({ "database": "countries.mmdb" })), json!({ "files": file() }));
    let gateway = Scenario::new(bundled.unwrap_or_else(by_hand)).concurrency(2).start().await.unwrap();
    assert_statuses(&gateway, BY_COUNTRY).await;
    assert!(gateway.envoy().log().contains("\"description\":\"from FR\""), "{}", gateway.envoy().log());
}

/// `@geoLookup` in SecLang, and `GEO` after it.
pub(crate) async fn rules_look_places_up() {
    let seclang = "SecRuleEngine On\nSecGeoLookupDb countries.mmdb\n\
        SecRule REMOTE_ADDR \"@geoLookup\" \"id:5,phase:1,deny,status:451,log,msg:'%{GEO.CITY}',chain\"\n\
        SecRule GEO:COUNTRY_CODE \"@streq NL\" \"t:none\"\n";
    let policy = json!({
        "client_address": { "header": "x-real-ip", "trusted_hops": ["127.0.0.1"] },
        "files": file(),
        "rule_sets": [{ "name": "places", "seclang": seclang }],
    });
    let gateway = Scenario::new(policy).start().await.unwrap();
    let refused = gateway.send1(from("198.51.100.7")).await.unwrap();
    assert_eq!((refused.reply.status, refused.rules()), (Some(451), vec![5]));
    assert!(refused.matches[0].line.contains("[msg \"Amsterdam\"]"), "{refused:#?}");
    assert_eq!(gateway.send1(from("192.0.2.1")).await.unwrap().reply.status, Some(200));
}

pub(crate) async fn what_is_no_database_is_refused_at_start() {
    let good = database(24, &places());
    for bytes in [&b"country,code"[..], &good[..good.len() - 30]] {
        let files = json!({ "countries.mmdb": { "base64": STANDARD.encode(bytes) } });
        let policy = with(policy(json!({ "database": "countries.mmdb" })), json!({ "files": files }));
        let log = Scenario::new(policy).refused().await.unwrap();
        assert!(log.contains("error[E0709]") && log.contains("not a MaxMind database"), "{log}");
    }
}

/// A database in a file, for Envoy.
fn on_disk() -> PathBuf {
    let file = std::env::temp_dir().join(format!("portcullis-geoip-{}.mmdb", std::process::id()));
    std::fs::write(&file, database(24, &places())).unwrap();
    file
}

/// Envoy's geoip filter. It takes the client from `x-real-ip`, so that a test can be any.
fn geoip(file: &Path) -> Value {
    json!({
        "name": "envoy.filters.http.geoip",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.geoip.v3.Geoip",
            "custom_header_config": { "header_name": "x-real-ip" },
            "provider": {
                "name": "envoy.geoip_providers.maxmind",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.geoip_providers.maxmind.v3.MaxMindConfig",
                    "common_provider_config": { "geo_field_keys": { "country": "x-country" } },
                    "city_db_path": file,
                },
            },
        },
    })
}

/// Takes a header away before any filter sees it.
fn taken_away(header: &str) -> Value {
    json!([{
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [{ "remove": header }],
        },
    }])
}

/// The country that Envoy's filter has found; what a client says of itself is taken away first.
pub(crate) async fn envoys_geoip_filter_says_the_country() {
    let file = on_disk();
    let gateway = Scenario::new(policy(json!({ "header": "x-country", "set_by": "envoy" })))
        .manager("early_header_mutation_extensions", taken_away("x-country"))
        .filter(geoip(&file))
        .start()
        .await
        .unwrap();
    assert_statuses(&gateway, BY_COUNTRY).await;
    for (client, said, expected) in
        [("192.0.2.200", "DE", 403), ("192.0.2.1", "FR", 200), ("203.0.114.1", "FR", 200)]
    {
        let exchange = gateway.send1(from(client).header("x-country", said)).await.unwrap();
        assert_eq!(exchange.reply.status, Some(expected), "{client} says {said}");
    }

    // Why it has to be taken away: where Envoy finds no country, it leaves what the client has sent.
    let gateway = Scenario::new(policy(json!({ "header": "x-country", "set_by": "envoy" })))
        .filter(geoip(&file))
        .start()
        .await
        .unwrap();
    let said = gateway.send1(from("203.0.114.1").header("x-country", "FR")).await.unwrap();
    assert_eq!(
        said.reply.status,
        Some(403),
        "Envoy has come to take it away by itself: say so in docs/risk.md"
    );
    std::fs::remove_file(file).unwrap();
}

/// A hop that is trusted says the country of its client; nobody else is believed.
pub(crate) async fn only_trusted_hops_say_the_country() {
    let hops = |hops: Value| {
        let address = json!({ "header": "x-real-ip", "trusted_hops": hops });
        with(policy(json!({ "header": "x-country" })), json!({ "client_address": address }))
    };
    for (trusted, expected) in [("127.0.0.1", 403), ("192.0.2.0/24", 200)] {
        let gateway = Scenario::new(hops(json!([trusted]))).start().await.unwrap();
        for country in ["FR", "fr"] {
            let said = gateway.send1(from("203.0.114.1").header("x-country", country)).await.unwrap();
            assert_eq!(said.reply.status, Some(expected), "127.0.0.1 says {country}, {trusted} is trusted");
        }
        let said = gateway.send1(from("203.0.114.1").header("x-country", "DE")).await.unwrap();
        assert_eq!(said.reply.status, Some(200));
    }
    let log =
        Scenario::new(json!({ "risk": { "country": { "header": "x-country" } } })).refused().await.unwrap();
    assert!(log.contains("error[E0709]") && log.contains("no hop is trusted"), "{log}");
}
