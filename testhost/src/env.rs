//! The functions of the proxy-wasm ABI 0.2.1 that the host offers.

use wasmtime::{Caller, Linker, Result};

use crate::codec;
use crate::observed::LogLine;
use crate::state::{Action, Metric, Side, State, Status};

type Outcome = std::result::Result<(), Status>;

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Reads the module's memory.
pub(crate) fn read(caller: &Caller<'_, State>, at: u32, size: u32) -> std::result::Result<Vec<u8>, Status> {
    let memory = caller.data().memory.ok_or(Status::InternalFailure)?;
    let (at, size) = (index(at), index(size));
    let bytes = at.checked_add(size).and_then(|end| memory.data(caller).get(at..end));
    Ok(bytes.ok_or(Status::InvalidMemoryAccess)?.to_vec())
}

/// Writes the module's memory.
pub(crate) fn put(caller: &mut Caller<'_, State>, at: u32, bytes: &[u8]) -> Outcome {
    let memory = caller.data().memory.ok_or(Status::InternalFailure)?;
    memory.write(caller, index(at), bytes).map_err(|_| Status::InvalidMemoryAccess)
}

/// Hands bytes over: allocates them in the module and writes where they are.
fn give(caller: &mut Caller<'_, State>, bytes: &[u8], data: u32, size: u32) -> Outcome {
    let length = u32::try_from(bytes.len()).map_err(|_| Status::InternalFailure)?;
    let mut at = 0;
    if length > 0 {
        let allocate = caller.data().allocate.clone().ok_or(Status::InternalFailure)?;
        at = allocate.call(&mut *caller, length).map_err(|_| Status::InternalFailure)?;
        put(caller, at, bytes)?;
    }
    put(caller, data, &at.to_le_bytes())?;
    put(caller, size, &length.to_le_bytes())
}

fn side(stream: u32) -> std::result::Result<Side, Status> {
    match stream {
        0 => Ok(Side::Request),
        1 => Ok(Side::Response),
        _ => Err(Status::BadArgument),
    }
}

/// Defines functions of module `env`: each counts as a host call and returns a status.
macro_rules! functions {
    ($linker:ident, $( $name:ident($caller:ident $(, $arg:ident: $type:ty )*) $body:block )+) => {
        $(
            $linker.func_wrap(
                "env",
                stringify!($name),
                |mut caller: Caller<'_, State> $(, $arg: $type )*| -> u32 {
                    caller.data_mut().host_calls += 1;
                    let run = |$caller: &mut Caller<'_, State>| -> Outcome { $body };
                    run(&mut caller).map_or_else(|status| status as u32, |()| 0)
                },
            )?;
        )+
    };
}

/// Defines all of them.
pub(crate) fn define(linker: &mut Linker<State>) -> Result<()> {
    define_basics(linker)?;
    define_maps_and_buffers(linker)?;
    define_streams(linker)?;
    define_metrics(linker)?;
    define_shared_data(linker)
}

fn define_basics(linker: &mut Linker<State>) -> Result<()> {
    functions! { linker,
        proxy_log(caller, level: u32, message: u32, size: u32) {
            let text = String::from_utf8_lossy(&read(caller, message, size)?).into_owned();
            caller.data_mut().log.push(LogLine { level, text });
            Ok(())
        }
        proxy_get_log_level(caller, level: u32) { put(caller, level, &0_u32.to_le_bytes()) }
        proxy_get_current_time_nanoseconds(caller, time: u32) {
            let now = caller.data().now.to_le_bytes();
            put(caller, time, &now)
        }
        proxy_set_tick_period_milliseconds(caller, period: u32) {
            caller.data_mut().tick_period = period;
            Ok(())
        }
        // One stream at a time: the effective context is always the right one.
        proxy_set_effective_context(_caller, _context: u32) { Ok(()) }
        proxy_done(_caller) { Ok(()) }
        proxy_get_property(caller, path: u32, path_size: u32, data: u32, size: u32) {
            let path = read(caller, path, path_size)?;
            let value = caller.data().properties.get(&path).cloned().ok_or(Status::NotFound)?;
            give(caller, &value, data, size)
        }
        proxy_set_property(caller, path: u32, path_size: u32, data: u32, size: u32) {
            let (path, value) = (read(caller, path, path_size)?, read(caller, data, size)?);
            caller.data_mut().properties.insert(path, value);
            Ok(())
        }
    }
    Ok(())
}

fn define_maps_and_buffers(linker: &mut Linker<State>) -> Result<()> {
    functions! { linker,
        proxy_get_buffer_bytes(caller, buffer: u32, start: u32, max: u32, data: u32, size: u32) {
            let bytes = caller.data_mut().buffer(buffer).ok_or(Status::NotFound)?;
            let start = index(start).min(bytes.len());
            let end = start.saturating_add(index(max)).min(bytes.len());
            let part = bytes.get(start..end).unwrap_or_default().to_vec();
            give(caller, &part, data, size)
        }
        proxy_set_buffer_bytes(caller, buffer: u32, start: u32, length: u32, data: u32, size: u32) {
            let new = read(caller, data, size)?;
            let bytes = caller.data_mut().buffer(buffer).ok_or(Status::NotFound)?;
            let start = index(start).min(bytes.len());
            let end = start.saturating_add(index(length)).min(bytes.len());
            bytes.splice(start..end, new);
            Ok(())
        }
        proxy_get_header_map_pairs(caller, map: u32, data: u32, size: u32) {
            let fields = caller.data_mut().map(map).cloned().unwrap_or_default();
            give(caller, &codec::serialize(&fields), data, size)
        }
        proxy_set_header_map_pairs(caller, map: u32, data: u32, size: u32) {
            let new = codec::deserialize(&read(caller, data, size)?).ok_or(Status::BadArgument)?;
            *caller.data_mut().map(map).ok_or(Status::BadArgument)? = new;
            Ok(())
        }
        proxy_get_header_map_value(caller, map: u32, key: u32, key_size: u32, data: u32, size: u32) {
            let key = read(caller, key, key_size)?;
            let fields = caller.data_mut().map(map).ok_or(Status::BadArgument)?;
            // Envoy joins the values of fields with the same name.
            let values: Vec<&[u8]> = fields
                .iter()
                .filter(|(name, _)| name.as_bytes().eq_ignore_ascii_case(&key))
                .map(|(_, value)| value.as_slice())
                .collect();
            if values.is_empty() {
                return Err(Status::NotFound);
            }
            let joined = values.join(&b',');
            give(caller, &joined, data, size)
        }
        proxy_add_header_map_value(caller, map: u32, key: u32, key_size: u32, value: u32, size: u32) {
            let key = String::from_utf8_lossy(&read(caller, key, key_size)?).to_ascii_lowercase();
            let value = read(caller, value, size)?;
            caller.data_mut().map(map).ok_or(Status::BadArgument)?.push((key, value));
            Ok(())
        }
        proxy_replace_header_map_value(caller, map: u32, key: u32, key_size: u32, value: u32, size: u32) {
            let key = String::from_utf8_lossy(&read(caller, key, key_size)?).to_ascii_lowercase();
            let value = read(caller, value, size)?;
            let fields = caller.data_mut().map(map).ok_or(Status::BadArgument)?;
            fields.retain(|(name, _)| *name != key);
            fields.push((key, value));
            Ok(())
        }
        proxy_remove_header_map_value(caller, map: u32, key: u32, key_size: u32) {
            let key = String::from_utf8_lossy(&read(caller, key, key_size)?).to_ascii_lowercase();
            caller.data_mut().map(map).ok_or(Status::BadArgument)?.retain(|(name, _)| *name != key);
            Ok(())
        }
    }
    Ok(())
}

fn define_streams(linker: &mut Linker<State>) -> Result<()> {
    functions! { linker,
        proxy_send_local_response(
            caller, status: u32, details: u32, details_size: u32, body: u32, body_size: u32,
            headers: u32, headers_size: u32, grpc_status: i32
        ) {
            let action = Action::Reply {
                status: u16::try_from(status).map_err(|_| Status::BadArgument)?,
                headers: codec::deserialize(&read(caller, headers, headers_size)?)
                    .ok_or(Status::BadArgument)?,
                body: read(caller, body, body_size)?,
                grpc_status: u8::try_from(grpc_status).ok(),
                details: String::from_utf8_lossy(&read(caller, details, details_size)?).into_owned(),
            };
            caller.data_mut().actions.push(action);
            Ok(())
        }
        proxy_continue_stream(caller, stream: u32) {
            let side = side(stream)?;
            caller.data_mut().actions.push(Action::Continue(side));
            Ok(())
        }
        proxy_close_stream(caller, stream: u32) {
            // 2 and 3 are the ends of a connection.
            let action = match stream {
                2 | 3 => Action::CloseConnection,
                _ => side(stream).map(|_| Action::Close)?,
            };
            caller.data_mut().actions.push(action);
            Ok(())
        }
    }
    Ok(())
}

fn define_metrics(linker: &mut Linker<State>) -> Result<()> {
    fn metric<'a>(caller: &'a mut Caller<'_, State>, id: u32) -> std::result::Result<&'a mut Metric, Status> {
        caller.data_mut().metrics.get_mut(index(id)).ok_or(Status::NotFound)
    }
    functions! { linker,
        proxy_define_metric(caller, kind: u32, name: u32, size: u32, id: u32) {
            if kind > 2 {
                return Err(Status::BadArgument);
            }
            let name = String::from_utf8_lossy(&read(caller, name, size)?).into_owned();
            let metrics = &mut caller.data_mut().metrics;
            let known = metrics.iter().position(|metric| metric.name == name);
            let position = known.unwrap_or(metrics.len());
            if known.is_none() {
                metrics.push(Metric { name, value: 0 });
            }
            put(caller, id, &u32::try_from(position).unwrap_or(u32::MAX).to_le_bytes())
        }
        proxy_increment_metric(caller, id: u32, offset: i64) {
            metric(caller, id)?.value += offset;
            Ok(())
        }
        proxy_record_metric(caller, id: u32, value: u64) {
            metric(caller, id)?.value = i64::try_from(value).map_err(|_| Status::BadArgument)?;
            Ok(())
        }
        proxy_get_metric(caller, id: u32, value: u32) {
            let current = metric(caller, id)?.value.to_le_bytes();
            put(caller, value, &current)
        }
    }
    Ok(())
}

fn define_shared_data(linker: &mut Linker<State>) -> Result<()> {
    functions! { linker,
        proxy_get_shared_data(caller, key: u32, key_size: u32, data: u32, size: u32, cas: u32) {
            let key = read(caller, key, key_size)?;
            let (value, number) = caller.data().shared.get(&key).cloned().ok_or(Status::NotFound)?;
            give(caller, &value, data, size)?;
            put(caller, cas, &number.to_le_bytes())
        }
        proxy_set_shared_data(caller, key: u32, key_size: u32, data: u32, size: u32, cas: u32) {
            let (key, value) = (read(caller, key, key_size)?, read(caller, data, size)?);
            let shared = &mut caller.data_mut().shared;
            let current = shared.get(&key).map(|(_, number)| *number);
            // 0 sets without comparing, and so does everything where there is nothing to compare with.
            if cas != 0 && current.is_some_and(|current| current != cas) {
                return Err(Status::CasMismatch);
            }
            shared.insert(key, (value, current.unwrap_or(0) + 1));
            Ok(())
        }
    }
    Ok(())
}
