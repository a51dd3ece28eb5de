//! The few functions of WASI preview 1 that a Rust module needs: no arguments, no files.

use wasmtime::{Caller, Linker, Result};

use crate::env::{put, read};
use crate::observed::LogLine;
use crate::state::{State, Status};

const SUCCESS: u32 = 0;
const EBADF: u32 = 8;
const EFAULT: u32 = 21;

fn errno(result: std::result::Result<(), Status>) -> u32 {
    if result.is_ok() { SUCCESS } else { EFAULT }
}

/// What a module writes to its standard output or error goes to the log, as in Envoy.
fn fd_write(caller: &mut Caller<'_, State>, fd: u32, list: u32, count: u32, written: u32) -> u32 {
    let level = match fd {
        1 => 2,
        2 => 4,
        _ => return EBADF,
    };
    let mut text = Vec::new();
    for index in 0..count {
        let entry = index.checked_mul(8).and_then(|offset| list.checked_add(offset)).unwrap_or(u32::MAX);
        let Ok(entry) = read(caller, entry, 8) else { return EFAULT };
        let number = |at: usize| {
            entry.get(at..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |n| u32::from_le_bytes(*n))
        };
        let Ok(bytes) = read(caller, number(0), number(4)) else { return EFAULT };
        text.extend(bytes);
    }
    let size = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let text = String::from_utf8_lossy(&text).trim_end().to_owned();
    caller.data_mut().log.push(LogLine { level, text });
    errno(put(caller, written, &size.to_le_bytes()))
}

/// Writes the environment's texts one behind the other, and where each of them begins.
fn environ_get(
    caller: &mut Caller<'_, State>,
    mut place: u32,
    mut at: u32,
) -> std::result::Result<(), Status> {
    for text in caller.data().environment.clone() {
        put(caller, place, &at.to_le_bytes())?;
        put(caller, at, &text)?;
        place = place.saturating_add(4);
        at = at.saturating_add(u32::try_from(text.len()).unwrap_or(u32::MAX));
    }
    Ok(())
}

/// Defines them.
pub(crate) fn define(linker: &mut Linker<State>) -> Result<()> {
    const MODULE: &str = "wasi_snapshot_preview1";
    linker.func_wrap(
        MODULE,
        "environ_sizes_get",
        |mut caller: Caller<'_, State>, count: u32, size: u32| -> u32 {
            let texts = caller.data().environment.clone();
            let bytes = texts.iter().map(Vec::len).sum();
            let mut number = |place, number: usize| {
                put(&mut caller, place, &u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes())
            };
            errno(number(count, texts.len()).and_then(|()| number(size, bytes)))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "environ_get",
        |mut caller: Caller<'_, State>, places: u32, texts: u32| -> u32 {
            errno(environ_get(&mut caller, places, texts))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "args_sizes_get",
        |mut caller: Caller<'_, State>, count: u32, size: u32| -> u32 {
            errno(put(&mut caller, count, &[0; 4]).and_then(|()| put(&mut caller, size, &[0; 4])))
        },
    )?;
    linker.func_wrap(MODULE, "args_get", |_: Caller<'_, State>, _: u32, _: u32| -> u32 { SUCCESS })?;
    linker.func_wrap(
        MODULE,
        "clock_time_get",
        |mut caller: Caller<'_, State>, _: u32, _: u64, time: u32| -> u32 {
            let now = caller.data().now.to_le_bytes();
            errno(put(&mut caller, time, &now))
        },
    )?;
    linker.func_wrap(MODULE, "random_get", |mut caller: Caller<'_, State>, data: u32, size: u32| -> u32 {
        let bytes: Vec<u8> =
            (0..size).map(|_| caller.data_mut().next_random().to_le_bytes()).map(|[b, ..]| b).collect();
        errno(put(&mut caller, data, &bytes))
    })?;
    linker.func_wrap(
        MODULE,
        "fd_write",
        |mut caller: Caller<'_, State>, fd: u32, list: u32, count: u32, written: u32| -> u32 {
            fd_write(&mut caller, fd, list, count, written)
        },
    )?;
    linker.func_wrap(MODULE, "proc_exit", |_: Caller<'_, State>, code: u32| -> Result<()> {
        Err(wasmtime::Error::msg(format!("the module exits with code {code}")))
    })?;
    Ok(())
}
