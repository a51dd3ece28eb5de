//! The manifests that need Envoy to be judged.

use portcullis_integration::{
    Bootstrap, Enforcement, Envoy, EnvoyOptions, Module, Prerequisites, Request, Scenario, parse_yaml,
};
use serde_json::{Value, json};

use crate::support::{assert_passed, assert_refused};

pub(crate) async fn the_wasm_plugins_policy_is_accepted() {
    let plugin = parse_yaml(include_str!("../../../envoy/istio/wasmplugin.yaml")).unwrap();
    // Istio hands `pluginConfig` over as JSON, and can't set Envoy's flag.
    let policy = plugin.pointer("/spec/pluginConfig").unwrap();
    assert_eq!(policy["enforcement"], "streaming");
    let gateway = Scenario::new(policy.clone()).streaming().start().await.unwrap();
    let exchange = gateway.send1(Request::get("/").header("user-agent", "Evil-Scanner")).await.unwrap();
    assert_refused(&exchange, 403, 1001, 0);
    assert_passed(&gateway.send1(Request::form("/", "user=anna&age=30")).await.unwrap(), &[]);
}

pub(crate) async fn the_envoy_filter_is_valid() {
    let found = Prerequisites::find().unwrap();
    let manifest = parse_yaml(include_str!("../../../envoy/istio/envoyfilter-strict.yaml")).unwrap();
    let patched = |kind: &str| {
        let patches = manifest.pointer("/spec/configPatches").and_then(Value::as_array).unwrap();
        let patch = patches.iter().find(|patch| patch["applyTo"] == kind).unwrap();
        patch.pointer("/patch/value").unwrap().clone()
    };
    let mut filter = patched("HTTP_FILTER");
    *filter.pointer_mut("/typed_config/config/vm_config/code/local/filename").unwrap() = json!(found.module);
    let directory = std::env::temp_dir().join(format!("portcullis-manifest-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let options = EnvoyOptions { binary: found.envoy, concurrency: 1, directory: directory.clone() };
    let bootstrap = Bootstrap::without_upstream(
        Some(Module { file: found.module.clone(), policy: String::new(), enforcement: Enforcement::Strict }),
        directory.join("access.log"),
    );
    let mut configuration = bootstrap.render().unwrap();
    let place = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0";
    *configuration.pointer_mut(place).unwrap() = filter;
    // What is merged into the connection manager, in place of what the shipped configuration says there.
    let manager = configuration.pointer_mut(place.trim_end_matches("/http_filters/0")).unwrap();
    let merged = patched("NETWORK_FILTER");
    for (name, value) in merged["typed_config"].as_object().unwrap() {
        assert_eq!(manager[name], *value, "the manifests and envoy/bootstrap.yaml say the same of paths");
    }
    let paths = parse_yaml(include_str!("../../../envoy/istio/envoyfilter-paths.yaml")).unwrap();
    assert_eq!(*paths.pointer("/spec/configPatches/0/patch/value").unwrap(), merged);
    Envoy::validate(&options, &configuration).unwrap();
    std::fs::remove_dir_all(directory).unwrap();
}
