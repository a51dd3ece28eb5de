//! Which host functions a module may ask for.

use anyhow::{Context, Result};
use wasmparser::{Parser, Payload};

/// Functions of the proxy-wasm ABI 0.2.1, offered by Envoy as imports from `env`.
const PROXY_WASM: &[&str] = &[
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_get_header_map_value",
    "proxy_get_log_level",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

/// Functions of WASI preview 1 that Rust's standard library may pull in and Envoy offers. No files, no
/// sockets: a module that asks for those has taken something in that has no business in a filter.
const WASI: &[&str] = &[
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "random_get",
    "sched_yield",
];

/// The imports of a module that are not allowed, as `module.name`, and the number of all imports.
pub(crate) fn refused(module: &[u8]) -> Result<(Vec<String>, usize)> {
    let mut refused = Vec::new();
    let mut count = 0;
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload.context("not a Wasm module")? {
            for import in section.into_imports() {
                let import = import.context("a malformed import section")?;
                count += 1;
                let allowed = match import.module {
                    "env" => PROXY_WASM.contains(&import.name),
                    "wasi_snapshot_preview1" => WASI.contains(&import.name),
                    _ => false,
                };
                if !allowed {
                    refused.push(format!("{}.{}", import.module, import.name));
                }
            }
        }
    }
    Ok((refused, count))
}

#[cfg(test)]
mod tests {
    use super::refused;

    /// A module with one function type and these imports.
    fn module(imports: &[(&str, &str)]) -> Vec<u8> {
        let mut section = vec![u8::try_from(imports.len()).unwrap()];
        for (module, name) in imports {
            for text in [module, name] {
                section.push(u8::try_from(text.len()).unwrap());
                section.extend_from_slice(text.as_bytes());
            }
            section.extend_from_slice(&[0, 0]);
        }
        let mut bytes = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02".to_vec();
        let length = section.len();
        bytes.extend([u8::try_from(length & 0x7f).unwrap() | 0x80, u8::try_from(length >> 7).unwrap()]);
        bytes.extend_from_slice(&section);
        bytes
    }

    #[test]
    fn only_known_imports_are_allowed() {
        let bytes = module(&[
            ("env", "proxy_log"),
            ("env", "proxy_logg"),
            ("wasi_snapshot_preview1", "fd_write"),
            ("wasi_snapshot_preview1", "path_open"),
            ("wasi_snapshot_preview1", "proxy_log"),
            ("other", "fd_write"),
        ]);
        let expected = [
            "env.proxy_logg",
            "wasi_snapshot_preview1.path_open",
            "wasi_snapshot_preview1.proxy_log",
            "other.fd_write",
        ];
        assert_eq!(refused(&bytes).unwrap(), (expected.map(str::to_owned).to_vec(), 6));
        assert_eq!(refused(&module(&[])).unwrap(), (vec![], 0));
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(refused(b"not wasm").is_err());
        let whole = module(&[("env", "proxy_log")]);
        assert!(refused(&whole[..whole.len() - 4]).is_err());
    }
}
