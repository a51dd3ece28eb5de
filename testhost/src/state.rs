//! What the host knows while the module runs.

use std::collections::BTreeMap;

use wasmtime::{Memory, StoreLimits, TypedFunc};

use crate::Fields;
use crate::observed::LogLine;

/// A status as the ABI numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    NotFound = 1,
    BadArgument = 2,
    InvalidMemoryAccess = 6,
    CasMismatch = 8,
    InternalFailure = 10,
}

/// Which way data flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

/// What a callback asked for; it is done once the callback has returned.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Reply {
        status: u16,
        headers: Fields,
        body: Vec<u8>,
        grpc_status: Option<u8>,
        details: String,
    },
    Close,
    /// Of the connection, in the network role: downstream or upstream.
    CloseConnection,
    Continue(Side),
}

/// A metric.
#[derive(Clone, Debug)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) value: i64,
}

/// The data of the store: one per VM.
#[derive(Default)]
pub(crate) struct State {
    /// The module's memory, once it is instantiated.
    pub(crate) memory: Option<Memory>,
    /// The module's allocator.
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
    /// How far the memory can grow.
    pub(crate) limits: StoreLimits,
    pub(crate) configuration: Vec<u8>,
    /// Environment variables, each as `NAME=value` with a NUL behind it.
    pub(crate) environment: Vec<Vec<u8>>,
    pub(crate) log: Vec<LogLine>,
    pub(crate) metrics: Vec<Metric>,
    /// Key to value and its compare-and-swap number.
    pub(crate) shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    /// Nanoseconds since the epoch.
    pub(crate) now: u64,
    /// Milliseconds; 0 when the module doesn't tick.
    pub(crate) tick_period: u32,
    pub(crate) random: u64,
    pub(crate) host_calls: u64,
    // The stream that runs:
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Request headers, request trailers, response headers, response trailers; `None` when not there.
    pub(crate) maps: [Option<Fields>; 4],
    /// Request body, response body: what their callbacks show, and what is held; `None` when there is none.
    pub(crate) buffers: [Option<Vec<u8>>; 2],
    pub(crate) actions: Vec<Action>,
}

impl State {
    /// A header map by its number.
    pub(crate) fn map(&mut self, number: u32) -> Option<&mut Fields> {
        self.maps.get_mut(usize::try_from(number).ok()?)?.as_mut()
    }

    /// A buffer by its number: the bodies and the plugin configuration.
    pub(crate) fn buffer(&mut self, number: u32) -> Option<&mut Vec<u8>> {
        match number {
            0 | 1 => self.buffers.get_mut(usize::try_from(number).ok()?)?.as_mut(),
            7 => Some(&mut self.configuration),
            _ => None,
        }
    }

    /// The next number of a generator with a fixed seed (xorshift64).
    pub(crate) fn next_random(&mut self) -> u64 {
        let mut x = if self.random == 0 { 0x9e37_79b9_7f4a_7c15 } else { self.random };
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random = x;
        x
    }

    /// Forgets the stream.
    pub(crate) fn end_stream(&mut self) {
        self.properties.clear();
        self.maps = Default::default();
        self.buffers = Default::default();
        self.actions.clear();
    }
}
