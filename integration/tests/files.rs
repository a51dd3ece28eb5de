//! The files that ship: YAML is YAML, policies are JSON, and what stands twice is the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_integration::{TEMPLATE, parse_yaml};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// All values in a tree that are policies: `configuration.value` as JSON text, `pluginConfig` as YAML.
fn policies(value: &Value, found: &mut Vec<Value>) {
    if let Some(text) = value.pointer("/configuration/value").and_then(Value::as_str) {
        found.push(serde_json::from_str(text).unwrap());
    }
    if let Some(policy) = value.get("pluginConfig") {
        found.push(policy.clone());
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|field| policies(field, found)),
        Value::Array(items) => items.iter().for_each(|item| policies(item, found)),
        _ => {}
    }
}

fn policy_of(yaml: &str) -> Value {
    let mut found = Vec::new();
    policies(&parse_yaml(yaml).unwrap(), &mut found);
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
}

#[test]
fn all_manifests_are_yaml_with_valid_policies() {
    let mut files = vec![root().join("docker-compose.yml")];
    yaml_files(&root().join("envoy"), &mut files);
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let value = parse_yaml(&text).unwrap_or_else(|error| panic!("{}: {error:#}", file.display()));
        let mut found = Vec::new();
        policies(&value, &mut found);
        for policy in found {
            assert!(policy["rule_sets"].is_array(), "{}", file.display());
        }
    }
}

#[test]
fn the_bootstraps_policy_is_the_sample() {
    let sample: Value = serde_json::from_str(&read("envoy/policy.sample.json")).unwrap();
    assert_eq!(policy_of(TEMPLATE), sample);
}

#[test]
fn enforcement_and_envoys_flag_go_together() {
    for file in ["envoy/bootstrap.yaml", "envoy/istio/envoyfilter-strict.yaml"] {
        let text = read(file);
        assert!(text.contains("allow_on_headers_stop_iteration: true"), "{file}");
        assert_eq!(policy_of(&text)["enforcement"], "strict", "{file}");
    }
    let plugin = read("envoy/istio/wasmplugin.yaml");
    assert_eq!(policy_of(&plugin)["enforcement"], "streaming");
}

#[test]
fn compose_mounts_what_the_bootstrap_reads() {
    let compose = parse_yaml(&read("docker-compose.yml")).unwrap();
    let volumes = compose.pointer("/services/envoy/volumes").and_then(Value::as_array).unwrap();
    for (local, mounted) in [
        ("./envoy/bootstrap.yaml", "/etc/envoy/bootstrap.yaml"),
        ("./target/portcullis.wasm", "/etc/envoy/portcullis.wasm"),
    ] {
        assert!(volumes.contains(&Value::String(format!("{local}:{mounted}:ro"))), "{volumes:?}");
    }
    assert!(TEMPLATE.contains("filename: /etc/envoy/portcullis.wasm"));
    assert!(compose.pointer("/services/upstream").is_some());
    assert!(TEMPLATE.contains("address: upstream,"));
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains("COPY target/portcullis.wasm /plugin.wasm"));
    assert!(read(".dockerignore").contains("!target/portcullis.wasm"));
}
