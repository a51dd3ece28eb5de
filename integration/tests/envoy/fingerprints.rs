//! Clients known by the fingerprint of their TLS: Envoy puts it into a header before filters run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use portcullis_integration::{Bootstrap, Enforcement, Envoy, EnvoyOptions, Module, Prerequisites};
use serde_json::{Value, json};
use tokio::process::Command;

/// The programs that make a certificate, and clients that differ in their TLS.
pub(crate) fn has_programs() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    ["openssl", "curl"]
        .iter()
        .all(|name| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}

async fn certificate(directory: &Path) -> (PathBuf, PathBuf) {
    let (chain, key) = (directory.join("chain.pem"), directory.join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&chain)
        .output()
        .await
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (chain, key)
}

/// What `docs/risk.md` says: TLS whose fingerprints stand in two headers, whatever the client says there.
fn with_fingerprints(configuration: &mut Value, chain: &Path, key: &Path) {
    let listener = configuration.pointer_mut("/static_resources/listeners/0").unwrap();
    listener["listener_filters"] = json!([{
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
            "enable_ja3_fingerprinting": true,
            "enable_ja4_fingerprinting": true,
        },
    }]);
    let filter_chain = listener.pointer_mut("/filter_chains/0").unwrap();
    filter_chain["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": { "tls_certificates": [{
                "certificate_chain": { "filename": chain }, "private_key": { "filename": key },
            }] },
        },
    });
    let manager = filter_chain.pointer_mut("/filters/0/typed_config").unwrap();
    let set = |header: &str, value: &str| {
        json!({ "append": {
            "header": { "key": header, "value": value }, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        } })
    };
    manager["early_header_mutation_extensions"] = json!([{
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [set("x-ja3", "%TLS_JA3_FINGERPRINT%"), set("x-ja4", "%TLS_JA4_FINGERPRINT%")],
        },
    }]);
    let route = manager.pointer_mut("/route_config/virtual_hosts/0/routes/0").unwrap();
    *route = json!({ "match": { "prefix": "/" }, "direct_response": { "status": 200 } });
}

/// The status that curl gets.
async fn curl(listener: SocketAddr, arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["--silent", "--insecure", "--noproxy", "*", "--max-time", "20", "--output", "/dev/null"])
        .args(["--write-out", "%{http_code}"])
        .args(arguments)
        .arg(format!("https://{listener}/"))
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) async fn a_client_is_known_by_its_tls() {
    let directory = std::env::temp_dir().join(format!("portcullis-fingerprints-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (chain, key) = certificate(&directory).await;
    let found = Prerequisites::find().unwrap();
    let policy = json!({
        "enforcement": "strict",
        "risk": {
            "switches": { "risk_blocks": true },
            "entity": { "address": false, "ja3_header": "x-ja3", "ja4_header": "x-ja4" },
            "rules": [{
                "id": 1, "risk": 95, "condition": { "attribute": "header", "field": "x-attack", "value": "high" },
            }],
        },
    });
    let module = Module { file: found.module, policy: policy.to_string(), enforcement: Enforcement::Strict };
    let bootstrap = Bootstrap::without_upstream(Some(module), directory.join("access.log"));
    let mut configuration = bootstrap.render().unwrap();
    with_fingerprints(&mut configuration, &chain, &key);
    let options = EnvoyOptions { binary: found.envoy, concurrency: 2, directory: directory.clone() };
    let envoy = Envoy::start(&options, &configuration).await.unwrap();
    let listener = envoy.listener();

    let old_tls = ["--tls-max", "1.2"];
    assert_eq!(curl(listener, &[]).await, "200");
    assert_eq!(curl(listener, &["--header", "x-attack: high"]).await, "403");
    assert_eq!(curl(listener, &[]).await, "403");
    assert_eq!(curl(listener, &old_tls).await, "200", "another kind of TLS from the same address");
    // What the client itself says of its fingerprint does not count.
    assert_eq!(curl(listener, &["--header", "x-ja4: mine", "--header", "x-ja3: mine"]).await, "403");
    let log = envoy.log();
    assert!(log.contains(r#""tls_fingerprint":"t13"#), "{log}");
    std::fs::remove_dir_all(directory).unwrap();
}
