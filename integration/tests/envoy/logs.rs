//! What is written about requests: audit records, and lines between go-ftw's markers.

use portcullis_integration::{Enforcement, Gateway, Request};
use serde_json::{Value, json};

use crate::support::start;

/// The marker rule that go-ftw needs, in front of what the tests add.
const MARKER: &str = "\
SecRequestBodyAccess On
SecRule REQUEST_HEADERS:X-CRS-Test \"@rx ^.+$\" \"id:999999,phase:1,pass,log,msg:'X-CRS-Test %{MATCHED_VAR}',\
ctl:ruleRemoveById=1-999998,ctl:auditEngine=Off\"
SecAuditEngine On
SecAuditLogParts ABCFHZ
SecRule ARGS:q \"@contains attack\" \"id:100,phase:2,deny,log,msg:'m',logdata:'%{MATCHED_VAR}',severity:CRITICAL\"
SecRule ARGS:q \"@contains report\" \"id:101,phase:2,pass,log,msg:'%{MATCHED_VAR}'\"
SecAction \"id:102,phase:5,pass,log,noauditlog,msg:'the end'\"
";

fn policy() -> Value {
    json!({ "rule_sets": [{ "name": "logs", "seclang": MARKER }] })
}

/// The audit records in Envoy's log.
pub(crate) fn records(gateway: &Gateway) -> Vec<Value> {
    let log = gateway.envoy().log();
    let records = log.lines().filter_map(|line| line.find("{\"transaction\":").and_then(|at| line.get(at..)));
    records.map(|record| serde_json::from_str(record).unwrap()).collect()
}

pub(crate) async fn an_audit_record_is_one_line_of_json() {
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy(), enforcement).await;
        let form = Request::post("/form?x=1", "application/x-www-form-urlencoded", "q=attack%0a%22%5d%ff");
        let refused = gateway.send1(form).await.unwrap();
        let passed = gateway.send1(Request::get("/")).await.unwrap();
        let [first, second] = <[Value; 2]>::try_from(records(&gateway)).unwrap();

        let transaction = &first["transaction"];
        assert_eq!(transaction["unique_id"], json!(refused.request_id));
        assert_eq!(transaction["client_ip"], json!("127.0.0.1"));
        assert_eq!(transaction["request"]["method"], json!("POST"));
        assert_eq!(transaction["request"]["uri"], json!("/form?x=1"));
        assert_eq!(transaction["request"]["body"], json!("q=attack%0a%22%5d%ff"));
        assert_eq!(transaction["response"]["http_code"], json!(403));
        assert_eq!(transaction["is_interrupted"], json!(true));
        assert_eq!(transaction["messages"].as_array().map(Vec::len), Some(1), "{transaction:#}");
        assert_eq!(transaction["messages"][0]["details"]["ruleId"], json!("100"));
        assert_eq!(transaction["messages"][0]["details"]["data"], json!("attack\n\"]\\xff"));

        let transaction = &second["transaction"];
        assert_eq!(transaction["unique_id"], json!(passed.request_id));
        assert_eq!(transaction["response"]["http_code"], json!(200));
        assert_eq!(transaction["messages"], json!([]));
        let counted = gateway.envoy().admin().stat("wasmcustom.portcullis.audit_records").await.unwrap();
        assert_eq!(counted, 2);
    }
}

/// A response that had begun when it was refused had the upstream's status; what was dropped had none.
pub(crate) async fn a_record_has_the_status_that_the_client_got() {
    let seclang = "SecResponseBodyAccess On\nSecAuditEngine On\nSecAuditLogParts ABHZ\n\
        SecRule RESPONSE_BODY \"@contains NullPointer\" \"id:1,phase:4,deny,status:503,nolog\"\n\
        SecRule REQUEST_URI \"@streq /drop\" \"id:2,phase:1,drop,nolog\"\n";
    let policy = json!({ "rule_sets": [{ "name": "logs", "seclang": seclang }] });
    for (enforcement, reported) in [(Enforcement::Strict, 503), (Enforcement::Streaming, 200)] {
        let gateway = start(&policy, enforcement).await;
        for target in ["/report", "/drop", "/status/404"] {
            gateway.send1(Request::get(target)).await.unwrap();
        }
        let got: Vec<Value> = records(&gateway)
            .iter()
            .map(|record| {
                let transaction = &record["transaction"];
                json!([transaction["response"]["http_code"], transaction["is_interrupted"]])
            })
            .collect();
        assert_eq!(got, [json!([reported, true]), json!([0, true]), json!([404, false])], "{enforcement:?}");
    }
}

/// As go-ftw reads a log: backwards from its end, over at most 500 lines, each line that holds the header's name in
/// any case and the marker is a marker; what lies between is the evidence.
fn evidence<'l>(lines: &'l [&'l str], start: &str, end: &str) -> Vec<&'l str> {
    let lines = lines.get(lines.len().saturating_sub(500)..).unwrap();
    let last = |marker: &str| {
        let is_marker = |line: &&str| line.to_lowercase().contains("x-crs-test") && line.contains(marker);
        lines.iter().rposition(is_marker).unwrap_or_else(|| panic!("no {marker} in {lines:#?}"))
    };
    lines.get(last(start) + 1..last(end)).unwrap().to_vec()
}

pub(crate) async fn go_ftw_finds_what_lies_between_its_markers() {
    let gateway = start(&policy(), Enforcement::Strict).await;
    let marker = |text: &str| {
        Request::get("/status/200")
            .header("user-agent", "go-ftw test agent")
            .header("accept", "*/*")
            .header("x-crs-test", text)
    };
    for (number, (value, expected)) in [
        ("attack", &[100u64, 102][..]),
        ("report%0a%0dX-CRS-Test%20a%20%5bid%20%2299%22%5d", &[101, 102]),
        ("x", &[102]),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("942100-{number}-8b9c3d1e-6f0a-4c1d-9a57-0c8d1b2e3f4a");
        let (start, end) = (format!("{name}-s"), format!("{name}-e"));
        // go-ftw repeats a marker that it doesn't find at once.
        gateway.send1(marker(&start)).await.unwrap();
        gateway.send1(marker(&start)).await.unwrap();
        let sent = gateway.send1(Request::get(&format!("/?q={value}"))).await.unwrap();
        gateway.send1(marker(&end)).await.unwrap();

        let log = gateway.envoy().log();
        let lines: Vec<&str> = log.lines().collect();
        let between = evidence(&lines, &start, &end);
        let ids: Vec<u64> = between
            .iter()
            .filter_map(|line| line.split_once("[id \"")?.1.split_once('"')?.0.parse().ok())
            .collect();
        assert_eq!(ids, expected, "{between:#?}");
        // Each match is one line, the record is one, and nothing else is there.
        assert_eq!(between.len(), expected.len() + 1, "{between:#?}");
        assert!(between.iter().all(|line| line.contains(&sent.request_id)), "{between:#?}");
    }
}
