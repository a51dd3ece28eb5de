//! Envoy's configuration: `envoy/bootstrap.yaml` with a harness's own ports, upstream, module and policy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The shipped configuration, `envoy/bootstrap.yaml`.
pub const TEMPLATE: &str = include_str!("../../envoy/bootstrap.yaml");

const LISTENER: &str = "/static_resources/listeners/0";
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
const CLUSTER: &str = "/static_resources/clusters/0";
const PROTOCOL: &str = "/static_resources/clusters/0/typed_extension_protocol_options/\
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions/explicit_http_config";
const ENDPOINT: &str = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints/0/endpoint";

/// When headers are held; sets the policy and Envoy's flag together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// Until the body is judged.
    Strict,
    /// Not at all.
    Streaming,
}

impl Enforcement {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Strict, Self::Streaming];

    /// The word in the policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Streaming => "streaming",
        }
    }
}

/// The module with its policy.
#[derive(Clone, Debug)]
pub struct Module {
    /// The `.wasm` file.
    pub file: PathBuf,
    /// The plugin configuration, usually JSON.
    pub policy: String,
    /// Sets `allow_on_headers_stop_iteration`.
    pub enforcement: Enforcement,
}

/// What differs from the shipped configuration.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// Port of the listener on the loopback address; 0 takes a free one.
    pub port: u16,
    /// Where the upstream listens.
    pub upstream: SocketAddr,
    /// Speak HTTP/2 to the upstream instead of HTTP/1.1.
    pub upstream_http2: bool,
    /// `per_connection_buffer_limit_bytes`, where it shall differ.
    pub buffer_limit: Option<u32>,
    /// Let requests pass that Envoy refuses or changes unless told otherwise: HTTP/1.0, methods it doesn't know,
    /// chunks that come with a length, paths in all their spellings.
    pub lenient: bool,
    /// Where the access log goes, read by [`crate::access_records`].
    pub access_log: PathBuf,
    /// The module; without one Envoy runs without the filter.
    pub module: Option<Module>,
}

impl Bootstrap {
    /// On a free port, with nothing out of the ordinary, in front of an upstream that does not answer.
    #[must_use]
    pub fn without_upstream(module: Option<Module>, access_log: PathBuf) -> Self {
        Self {
            port: 0,
            upstream: ([127, 0, 0, 1], 9).into(),
            upstream_http2: false,
            buffer_limit: None,
            lenient: false,
            access_log,
            module,
        }
    }

    /// The configuration as JSON, which Envoy reads as well as YAML.
    ///
    /// # Errors
    /// When the shipped configuration has no place for a setting.
    pub fn render(&self) -> Result<Value> {
        let mut root = parse_yaml(TEMPLATE)?;
        let root = &mut root;
        set(root, "/admin/address", "socket_address", socket_address("127.0.0.1", 0))?;
        set(root, &format!("{LISTENER}/address"), "socket_address", socket_address("127.0.0.1", self.port))?;
        if let Some(limit) = self.buffer_limit {
            set(root, LISTENER, "per_connection_buffer_limit_bytes", json!(limit))?;
        }
        if self.lenient {
            let options = format!("{MANAGER}/http_protocol_options");
            set(root, &options, "accept_http_10", json!(true))?;
            set(root, &options, "allow_chunked_length", json!(true))?;
            set(root, &options, "allow_custom_methods", json!(true))?;
            set(root, MANAGER, "skip_xff_append", json!(true))?;
            set(root, MANAGER, "normalize_path", json!(false))?;
            set(root, MANAGER, "merge_slashes", json!(false))?;
            set(root, MANAGER, "path_with_escaped_slashes_action", json!("KEEP_UNCHANGED"))?;
            // Says what Envoy made of the protocol; filters don't see it.
            let protocol = json!([{ "header": { "key": "x-downstream-protocol", "value": "%PROTOCOL%" } }]);
            set(root, &format!("{MANAGER}/route_config"), "request_headers_to_add", protocol)?;
            set(root, MANAGER, "generate_request_id", json!(false))?;
        }
        // A test knows its requests by the ids it gives them.
        set(root, MANAGER, "preserve_external_request_id", json!(true))?;
        set(root, &format!("{MANAGER}/access_log/0/typed_config"), "path", path_value(&self.access_log)?)?;

        set(root, CLUSTER, "type", json!("STATIC"))?;
        let upstream = socket_address(&self.upstream.ip().to_string(), self.upstream.port());
        set(root, &format!("{ENDPOINT}/address"), "socket_address", upstream)?;
        if self.upstream_http2 {
            at(root, PROTOCOL)?;
            let parent = PROTOCOL.trim_end_matches("/explicit_http_config");
            set(root, parent, "explicit_http_config", json!({ "http2_protocol_options": {} }))?;
        }
        self.render_filter(root)?;
        Ok(root.take())
    }

    fn render_filter(&self, root: &mut Value) -> Result<()> {
        let filters = at(root, &format!("{MANAGER}/http_filters"))?.as_array_mut();
        let filters = filters.context("http_filters is not a list")?;
        let place = filters.iter().position(|filter| filter.get("name") == Some(&json!("portcullis")));
        let place = place.context("no filter `portcullis`")?;
        let Some(module) = &self.module else {
            filters.remove(place);
            return Ok(());
        };
        let config = filters.get_mut(place).and_then(|filter| filter.pointer_mut("/typed_config/config"));
        let config = config.context("the filter has no configuration")?;
        let strict = module.enforcement == Enforcement::Strict;
        set(config, "", "allow_on_headers_stop_iteration", json!(strict))?;
        set(config, "/vm_config/code/local", "filename", path_value(&module.file)?)?;
        set(config, "/configuration", "value", json!(module.policy))
    }
}

/// Puts filters in front of all others into a rendered configuration.
pub(crate) fn put_first(root: &mut Value, mut first: Vec<Value>) -> Result<()> {
    let filters = at(root, &format!("{MANAGER}/http_filters"))?.as_array_mut();
    let filters = filters.context("http_filters is not a list")?;
    first.append(filters);
    *filters = first;
    Ok(())
}

/// Sets a field of the HTTP connection manager in a rendered configuration.
pub(crate) fn set_in_manager(root: &mut Value, key: &str, value: Value) -> Result<()> {
    set(root, MANAGER, key, value)
}

/// Takes the listeners out of a rendered configuration; Envoy reads them from `file` instead, and again each time
/// another file takes its place.
pub(crate) fn watch_listeners(root: &mut Value, file: &Path) -> Result<Value> {
    let folder = file.parent().context("no folder")?;
    let statics = at(root, "/static_resources")?.as_object_mut().context("static_resources is not a map")?;
    let mut resources = statics.remove("listeners").context("no listeners")?;
    for listener in resources.as_array_mut().into_iter().flatten() {
        set(listener, "", "@type", json!("type.googleapis.com/envoy.config.listener.v3.Listener"))?;
    }
    let source = json!({
        "path_config_source": {
            "path": path_value(file)?, "watched_directory": { "path": path_value(folder)? },
        },
        "resource_api_version": "V3",
    });
    set(root, "", "node", json!({ "id": "test", "cluster": "test" }))?;
    set(root, "", "dynamic_resources", json!({ "lds_config": source }))?;
    Ok(json!({ "resources": resources }))
}

/// Reads YAML (JSON, too) into a JSON value.
///
/// # Errors
/// When it isn't YAML.
pub fn parse_yaml(text: &str) -> Result<Value> {
    serde_saphyr::from_str(text).context("not YAML")
}

fn socket_address(address: &str, port: u16) -> Value {
    json!({ "address": address, "port_value": port })
}

fn path_value(path: &Path) -> Result<Value> {
    Ok(json!(path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?))
}

fn at<'v>(root: &'v mut Value, pointer: &str) -> Result<&'v mut Value> {
    root.pointer_mut(pointer).with_context(|| format!("the configuration has no {pointer}"))
}

fn set(root: &mut Value, parent: &str, key: &str, value: Value) -> Result<()> {
    let parent = at(root, parent)?.as_object_mut().with_context(|| format!("{parent} is not a map"))?;
    parent.insert(key.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bootstrap(module: Option<Module>) -> Bootstrap {
        Bootstrap {
            port: 1234,
            upstream: "127.0.0.1:99".parse().unwrap(),
            upstream_http2: true,
            buffer_limit: Some(77),
            lenient: true,
            access_log: "/tmp/access.log".into(),
            module,
        }
    }

    #[test]
    fn everything_is_put_in() {
        let module = Module {
            file: "/tmp/x.wasm".into(),
            policy: "{\"a\": \"\u{e4}\\n\"}".to_owned(),
            enforcement: Enforcement::Streaming,
        };
        let rendered = bootstrap(Some(module)).render().unwrap();
        let get = |pointer: &str| rendered.pointer(pointer).cloned().unwrap_or(Value::Null);
        let filter = format!("{MANAGER}/http_filters/0/typed_config/config");
        assert_eq!(get("/admin/address/socket_address/port_value"), json!(0));
        assert_eq!(get(&format!("{LISTENER}/address/socket_address/port_value")), json!(1234));
        assert_eq!(get(&format!("{LISTENER}/per_connection_buffer_limit_bytes")), json!(77));
        assert_eq!(get(&format!("{MANAGER}/access_log/0/typed_config/path")), json!("/tmp/access.log"));
        assert_eq!(get(&format!("{MANAGER}/http_protocol_options/accept_http_10")), json!(true));
        assert_eq!(get(&format!("{ENDPOINT}/address/socket_address/port_value")), json!(99));
        assert_eq!(get(PROTOCOL), json!({ "http2_protocol_options": {} }));
        assert_eq!(get(&format!("{filter}/allow_on_headers_stop_iteration")), json!(false));
        assert_eq!(get(&format!("{filter}/vm_config/code/local/filename")), json!("/tmp/x.wasm"));
        assert_eq!(get(&format!("{filter}/configuration/value")), json!("{\"a\": \"\u{e4}\\n\"}"));
    }

    #[test]
    fn without_a_module_there_is_no_filter() {
        let rendered = bootstrap(None).render().unwrap();
        let filters = rendered.pointer(&format!("{MANAGER}/http_filters")).and_then(Value::as_array).unwrap();
        let names: Vec<_> = filters.iter().filter_map(|filter| filter.get("name")?.as_str()).collect();
        assert_eq!(names, ["envoy.filters.http.router"]);
    }
}
