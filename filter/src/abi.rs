//! Calls to the proxy-wasm host: the only unsafe code of the workspace.
//!
//! The SDK's own wrappers are not used. They panic on each status they don't expect and on header
//! values that are not UTF-8, and their imports are declared to return an enum that lacks values which
//! the ABI defines, so a host returning one of those is undefined behaviour. Here a status is a number
//! and header values are bytes. The function names, argument orders and numbers are those of the
//! proxy-wasm ABI 0.2.1.
//!
//! What stays with the SDK is the export side: `proxy_on_memory_allocate`, by which the host gets memory
//! for what it returns, and the dispatcher of the callbacks.

use std::fmt;

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType, StreamType};

use crate::pairs::{self, Pairs};

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const PARSE_FAILURE: u32 = 4;
/// Nothing there.
pub(crate) const EMPTY: u32 = 7;
const CAS_MISMATCH: u32 = 8;
/// What the native stand-ins return.
#[cfg(not(target_arch = "wasm32"))]
const INTERNAL_FAILURE: u32 = 10;

/// A host function that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Reading a header or trailer map.
    GetHeaders,
    /// Reading a body or the configuration.
    GetBuffer,
    /// Reading a property.
    GetProperty,
    /// Reading the clock.
    GetTime,
    /// Answering in the upstream's place.
    SendLocalResponse,
    /// Going on with a held stream.
    ContinueStream,
    /// Resetting a stream.
    CloseStream,
    /// Defining or incrementing a counter.
    Metric,
    /// Reading or setting shared data.
    SharedData,
    /// Acting for another context, or setting the timer.
    Context,
}

impl Call {
    /// The name of the host function.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::GetHeaders => "proxy_get_header_map_pairs",
            Self::GetBuffer => "proxy_get_buffer_bytes",
            Self::GetProperty => "proxy_get_property",
            Self::GetTime => "proxy_get_current_time_nanoseconds",
            Self::SendLocalResponse => "proxy_send_local_response",
            Self::ContinueStream => "proxy_continue_stream",
            Self::CloseStream => "proxy_close_stream",
            Self::Metric => "proxy_define_metric, proxy_increment_metric or proxy_record_metric",
            Self::SharedData => "proxy_get_shared_data or proxy_set_shared_data",
            Self::Context => "proxy_set_effective_context or proxy_set_tick_period_milliseconds",
        }
    }
}

/// A host call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostError {
    /// Which.
    pub(crate) call: Call,
    /// The status it returned; 4 (parse failure) also when what it returned can't be read.
    pub(crate) status: u32,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.status {
            NOT_FOUND => "not found",
            2 => "bad argument",
            3 => "serialization failure",
            PARSE_FAILURE => "parse failure",
            5 => "bad expression",
            6 => "invalid memory access",
            EMPTY => "empty",
            8 => "CAS mismatch",
            9 => "result mismatch",
            10 => "internal failure",
            11 => "broken connection",
            12 => "unimplemented",
            _ => "unknown status",
        };
        write!(f, "{} failed with status {} ({meaning})", self.call.name(), self.status)
    }
}

/// Declares host functions. Each returns a status. On native targets there is no host and each fails,
/// so that the crate can be checked and its pure parts tested there.
macro_rules! imports {
    ($( fn $name:ident($( $arg:ident: $type:ty ),* $(,)?); )+) => {
        #[cfg(target_arch = "wasm32")]
        #[link(wasm_import_module = "env")]
        unsafe extern "C" {
            $( fn $name($( $arg: $type ),*) -> u32; )+
        }

        $(
            #[cfg(not(target_arch = "wasm32"))]
            #[allow(clippy::too_many_arguments)]
            unsafe fn $name($( $arg: $type ),*) -> u32 {
                let _ = ($( $arg, )*);
                INTERNAL_FAILURE
            }
        )+
    };
}

imports! {
    fn proxy_log(level: u32, message: *const u8, message_size: usize);
    fn proxy_get_current_time_nanoseconds(time: *mut u64);
    fn proxy_get_buffer_bytes(
        buffer: u32, start: usize, max_size: usize, data: *mut *mut u8, size: *mut usize,
    );
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize);
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize);
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    );
    fn proxy_continue_stream(stream: u32);
    fn proxy_close_stream(stream: u32);
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32);
    fn proxy_increment_metric(id: u32, offset: i64);
    fn proxy_record_metric(id: u32, value: u64);
    fn proxy_get_shared_data(
        key: *const u8, key_size: usize, data: *mut *mut u8, size: *mut usize, number: *mut u32,
    );
    fn proxy_set_shared_data(
        key: *const u8, key_size: usize, value: *const u8, value_size: usize, number: u32,
    );
    fn proxy_set_effective_context(context: u32);
    fn proxy_set_tick_period_milliseconds(period: u32);
}

fn check(call: Call, status: u32) -> Result<(), HostError> {
    if status == OK { Ok(()) } else { Err(HostError { call, status }) }
}

/// Runs a call that returns memory and takes ownership of what came back.
fn read(call: Call, ask: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, HostError> {
    let mut data: *mut u8 = std::ptr::null_mut();
    let mut size: usize = 0;
    check(call, ask(&raw mut data, &raw mut size))?;
    if data.is_null() || size == 0 {
        // The host allocates nothing for an empty value, or zero bytes, which own no memory.
        return Ok(Vec::new());
    }
    // SAFETY: on success the host has set `data` to what it got from `proxy_on_memory_allocate(size)`.
    // The SDK's implementation of that function leaks a boxed slice of exactly `size` bytes from the
    // global allocator, so length and capacity are `size`, the alignment is 1, and nobody else owns it.
    // The host has written all `size` bytes. On native targets the call never succeeds.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// Writes a line to the host's log. Bytes; should be one line of UTF-8. There is nobody to tell when
/// it fails, so failure is ignored.
pub(crate) fn log(level: LogLevel, line: &[u8]) {
    // SAFETY: pointer and length describe `line`, which outlives the call; the host only reads it.
    let _ = unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
}

/// The host's wall clock: nanoseconds since 1970-01-01T00:00:00Z.
pub(crate) fn time() -> Result<u64, HostError> {
    let mut time = 0;
    // SAFETY: the host writes one u64 to a valid, aligned place that outlives the call.
    check(Call::GetTime, unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
    Ok(time)
}

/// At most `max` bytes of a buffer, from `start` on. Empty when there are none.
pub(crate) fn buffer(kind: BufferType, start: usize, max: usize) -> Result<Vec<u8>, HostError> {
    let result = read(Call::GetBuffer, |data, size| {
        // SAFETY: `data` and `size` are valid for writes during the call.
        unsafe { proxy_get_buffer_bytes(kind as u32, start, max, data, size) }
    });
    match result {
        Err(HostError { status: NOT_FOUND | EMPTY, .. }) => Ok(Vec::new()),
        other => other,
    }
}

/// All fields of a header or trailer map, pseudo-headers among them.
pub(crate) fn header_pairs(map: MapType) -> Result<Pairs, HostError> {
    let bytes = read(Call::GetHeaders, |data, size| {
        // SAFETY: `data` and `size` are valid for writes during the call.
        unsafe { proxy_get_header_map_pairs(map as u32, data, size) }
    })?;
    Pairs::parse(bytes).ok_or(HostError { call: Call::GetHeaders, status: PARSE_FAILURE })
}

/// A property by its path, whose segments are separated by NUL. `None` when the host has none.
pub(crate) fn property(path: &str) -> Result<Option<Vec<u8>>, HostError> {
    let result = read(Call::GetProperty, |data, size| {
        // SAFETY: the path outlives the call and is only read; `data` and `size` are valid for writes.
        unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) }
    });
    match result {
        Ok(value) => Ok(Some(value)),
        Err(HostError { status: NOT_FOUND | EMPTY, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Answers the request in the upstream's place. `details` goes to the access log as
/// `%RESPONSE_CODE_DETAILS%` and must hold no blanks. `grpc_status` is used for gRPC requests, where
/// the host puts `body` into `grpc-message`.
pub(crate) fn send_local_response(
    status: u16,
    details: &str,
    headers: &[(&[u8], &[u8])],
    body: &[u8],
    grpc_status: Option<u8>,
) -> Result<(), HostError> {
    let headers = pairs::serialize(headers);
    // SAFETY: each pointer and length describes a slice that outlives the call and is only read.
    let status = unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status.map_or(-1, i32::from),
        )
    };
    check(Call::SendLocalResponse, status)
}

/// Lets a stream go on that a callback held.
pub(crate) fn continue_stream(stream: StreamType) -> Result<(), HostError> {
    // SAFETY: no memory is passed.
    check(Call::ContinueStream, unsafe { proxy_continue_stream(stream as u32) })
}

/// Resets a stream: the client gets nothing more.
pub(crate) fn close_stream(stream: StreamType) -> Result<(), HostError> {
    // SAFETY: no memory is passed.
    check(Call::CloseStream, unsafe { proxy_close_stream(stream as u32) })
}

/// The id of the metric with this name, which is made if need be.
pub(crate) fn define_metric(kind: MetricType, name: &str) -> Result<u32, HostError> {
    let mut id = 0;
    // SAFETY: the name outlives the call and is only read; `id` is valid for writes.
    let status = unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    check(Call::Metric, status)?;
    Ok(id)
}

/// The id of the counter with this name, which is made if need be.
pub(crate) fn define_counter(name: &str) -> Result<u32, HostError> {
    define_metric(MetricType::Counter, name)
}

/// Adds to a gauge, or takes away from it.
pub(crate) fn change_gauge(id: u32, by: i64) -> Result<(), HostError> {
    // SAFETY: no memory is passed.
    check(Call::Metric, unsafe { proxy_increment_metric(id, by) })
}

/// Puts a value into a histogram.
pub(crate) fn record_value(id: u32, value: u64) -> Result<(), HostError> {
    // SAFETY: no memory is passed.
    check(Call::Metric, unsafe { proxy_record_metric(id, value) })
}

/// The value under a key of the shared data, with its number; `None` when the key was never set.
pub(crate) fn shared_data(key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, HostError> {
    let mut number = 0;
    let result = read(Call::SharedData, |data, size| {
        // SAFETY: the key outlives the call and is only read; the others are valid for writes.
        unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut number) }
    });
    match result {
        Ok(value) => Ok(Some((value, number))),
        Err(HostError { status: NOT_FOUND, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sets a key of the shared data if its number is still this one; whether it was.
pub(crate) fn set_shared_data(key: &[u8], value: &[u8], number: u32) -> Result<bool, HostError> {
    // SAFETY: key and value outlive the call and are only read.
    let status =
        unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), number) };
    if status == CAS_MISMATCH {
        return Ok(false);
    }
    check(Call::SharedData, status).map(|()| true)
}

/// Makes the calls that follow, in this callback, be about another context.
pub(crate) fn set_effective_context(context: u32) -> Result<(), HostError> {
    // SAFETY: no memory is passed.
    check(Call::Context, unsafe { proxy_set_effective_context(context) })
}

/// Lets the root context's timer fire each so many milliseconds.
pub(crate) fn set_tick_period(milliseconds: u32) -> Result<(), HostError> {
    // SAFETY: no memory is passed.
    check(Call::Context, unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Adds to a counter.
pub(crate) fn increment_counter(id: u32, by: u32) -> Result<(), HostError> {
    // SAFETY: no memory is passed.
    check(Call::Metric, unsafe { proxy_increment_metric(id, i64::from(by)) })
}
