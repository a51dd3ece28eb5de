//! libmodsecurity 3 in this process, loaded while it runs, so that the project builds without it.
//!
//! The only unsafe code of the crate: calls of its C functions as its headers declare them.

#![allow(unsafe_code, reason = "a C library")]

use std::env;
use std::ffi::{CStr, CString, OsString, c_char, c_int, c_uchar, c_void};
use std::fs;
use std::ptr;

use anyhow::{Context as _, Result, bail};
use libloading::Library;
use portcullis_benches::{Recorded, crs};

/// Where to get it.
pub(crate) const HELP: &str = "libmodsecurity 3 is not here: `apt-get install libmodsecurity3` on Debian and Ubuntu, \
    or set LIBMODSECURITY to a libmodsecurity.so (PyPI's `libmodsecurity` wheel holds one)";

/// One of the library's objects.
type Object = *mut c_void;

/// `ModSecurityIntervention` of `modsecurity/intervention.h`.
#[repr(C)]
struct Intervention {
    status: c_int,
    pause: c_int,
    url: *mut c_char,
    log: *mut c_char,
    disruptive: c_int,
}

type AddHeader = unsafe extern "C" fn(Object, *const c_uchar, usize, *const c_uchar, usize) -> c_int;
type Append = unsafe extern "C" fn(Object, *const c_uchar, usize) -> c_int;
type AddRules = unsafe extern "C" fn(Object, *const c_char, *mut *const c_char) -> c_int;
type Step = unsafe extern "C" fn(Object) -> c_int;
type LogCallback = extern "C" fn(*mut c_void, *const c_void);

macro_rules! functions {
    ($( $field:ident = $name:literal: $type:ty; )+) => {
        /// The functions that are used, by their names in the headers.
        struct Functions { $( $field: $type, )+ }

        impl Functions {
            fn load(library: &Library) -> Result<Self> {
                Ok(Self { $(
                    // SAFETY: the type is that of the function's declaration in the library's headers.
                    $field: *unsafe { library.get::<$type>($name) }.with_context(|| {
                        format!("no function {}", String::from_utf8_lossy($name))
                    })?,
                )+ })
            }
        }
    };
}

functions! {
    init = b"msc_init": unsafe extern "C" fn() -> Object;
    who_am_i = b"msc_who_am_i": unsafe extern "C" fn(Object) -> *const c_char;
    set_log = b"msc_set_log_cb": unsafe extern "C" fn(Object, LogCallback);
    cleanup = b"msc_cleanup": unsafe extern "C" fn(Object);
    create_rules = b"msc_create_rules_set": unsafe extern "C" fn() -> Object;
    add_rules = b"msc_rules_add": AddRules;
    add_file = b"msc_rules_add_file": AddRules;
    cleanup_rules = b"msc_rules_cleanup": Step;
    new_transaction = b"msc_new_transaction": unsafe extern "C" fn(Object, Object, *mut c_void) -> Object;
    connection = b"msc_process_connection":
        unsafe extern "C" fn(Object, *const c_char, c_int, *const c_char, c_int) -> c_int;
    uri = b"msc_process_uri":
        unsafe extern "C" fn(Object, *const c_char, *const c_char, *const c_char) -> c_int;
    add_request_header = b"msc_add_n_request_header": AddHeader;
    request_headers = b"msc_process_request_headers": Step;
    append_request = b"msc_append_request_body": Append;
    request_body = b"msc_process_request_body": Step;
    add_response_header = b"msc_add_n_response_header": AddHeader;
    response_headers = b"msc_process_response_headers":
        unsafe extern "C" fn(Object, c_int, *const c_char) -> c_int;
    append_response = b"msc_append_response_body": Append;
    response_body = b"msc_process_response_body": Step;
    intervention = b"msc_intervention": unsafe extern "C" fn(Object, *mut Intervention) -> c_int;
    logging = b"msc_process_logging": Step;
    cleanup_transaction = b"msc_transaction_cleanup": unsafe extern "C" fn(Object);
    free = b"free": unsafe extern "C" fn(*mut c_void);
}

/// Lines are made, as in a server, and go nowhere.
extern "C" fn ignore(_data: *mut c_void, _line: *const c_void) {}

/// The library with the Core Rule Set.
pub(crate) struct Modsecurity {
    call: Functions,
    engine: Object,
    rules: Object,
    /// What it says it is.
    pub(crate) version: String,
    /// Its file.
    pub(crate) file: String,
    // Dropped last: the functions are in it.
    _library: Library,
}

impl Drop for Modsecurity {
    fn drop(&mut self) {
        // SAFETY: both are live, nothing else refers to them, and no transaction outlives `judge`.
        unsafe {
            (self.call.cleanup_rules)(self.rules);
            (self.call.cleanup)(self.engine);
        }
    }
}

/// A recorded exchange as the library wants it: texts end with NUL.
pub(crate) struct Prepared {
    client: (CString, c_int),
    server: (CString, c_int),
    method: CString,
    uri: CString,
    version: CString,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    status: c_int,
    protocol: CString,
    response_headers: Vec<(Vec<u8>, Vec<u8>)>,
    response_body: Vec<u8>,
}

impl Prepared {
    /// # Errors
    /// When a text holds NUL, or there is no response.
    pub(crate) fn new(recorded: &Recorded) -> Result<Self> {
        let exchange = &recorded.exchange;
        let request = &exchange.request;
        let response = exchange.response.as_ref().context("a recorded exchange has a response")?;
        let version = request.protocol.0.strip_prefix(b"HTTP/").unwrap_or(&request.protocol.0);
        Ok(Self {
            client: (CString::new(&*exchange.client.address)?, exchange.client.port.into()),
            server: (CString::new(&*exchange.server.address)?, exchange.server.port.into()),
            method: CString::new(&*request.method.0)?,
            uri: CString::new(&*request.uri.0)?,
            version: CString::new(version)?,
            headers: request.headers.iter().map(|(name, value)| (name.0.clone(), value.0.clone())).collect(),
            body: request.body_base64.0.clone(),
            status: response.status.into(),
            protocol: CString::new(&*response.protocol.0)?,
            response_headers: response
                .headers
                .iter()
                .map(|(name, value)| (name.0.clone(), value.0.clone()))
                .collect(),
            response_body: response.body_base64.0.clone(),
        })
    }
}

impl Modsecurity {
    /// Loads the library and the rules; `None` when there is no library.
    ///
    /// # Errors
    /// When it is there but is no libmodsecurity 3, or refuses the rules.
    pub(crate) fn load() -> Result<Option<Self>> {
        let named = env::var_os("LIBMODSECURITY");
        let names = match &named {
            Some(file) => vec![file.clone()],
            None => ["libmodsecurity.so.3", "libmodsecurity.so", "libmodsecurity.dylib"]
                .map(OsString::from)
                .to_vec(),
        };
        // SAFETY: what a shared library runs when it is loaded is its own; this one only sets up C++ globals.
        let found =
            names.iter().find_map(|name| unsafe { Library::new(name) }.ok().map(|library| (name, library)));
        let Some((name, library)) = found else {
            if let Some(file) = named {
                bail!("$LIBMODSECURITY names {}, which can't be loaded", file.display());
            }
            return Ok(None);
        };
        let call = Functions::load(&library).with_context(|| name.display().to_string())?;
        // SAFETY: `engine` and `rules` come from the library and are freed in `drop` alone; the callback lives as
        // long as the process; `who_am_i` returns a text with NUL that belongs to the engine and is copied.
        let (engine, rules, version) = unsafe {
            let engine = (call.init)();
            (call.set_log)(engine, ignore);
            let version = CStr::from_ptr((call.who_am_i)(engine)).to_string_lossy().into_owned();
            (engine, (call.create_rules)(), version)
        };
        let file = mapped_file().unwrap_or_else(|| name.display().to_string());
        let loaded = Self { call, engine, rules, version, file, _library: library };
        loaded.add(loaded.call.add_rules, crs::SETUP)?;
        for file in crs::files()? {
            loaded.add(loaded.call.add_file, &file.display().to_string())?;
        }
        Ok(Some(loaded))
    }

    fn add(&self, add: AddRules, text: &str) -> Result<()> {
        let text = CString::new(text)?;
        let mut error: *const c_char = ptr::null();
        // SAFETY: `rules` is live, `text` ends with NUL, and `error` may be written.
        if unsafe { add(self.rules, text.as_ptr(), &raw mut error) } >= 0 {
            return Ok(());
        }
        if error.is_null() {
            bail!("libmodsecurity refuses the rules");
        }
        // SAFETY: a text with NUL; it is ours, and not worth freeing at the end of the run.
        bail!("libmodsecurity refuses the rules: {}", unsafe { CStr::from_ptr(error) }.to_string_lossy());
    }

    /// Judges an exchange as a server's connector does, asking after each phase. Whether it is refused.
    pub(crate) fn judge(&self, exchange: &Prepared) -> bool {
        let call = &self.call;
        // SAFETY: engine and rules are live; the transaction is freed below and used nowhere else.
        let transaction = unsafe { (call.new_transaction)(self.engine, self.rules, ptr::null_mut()) };
        let refused = self.request(transaction, exchange) || self.response(transaction, exchange);
        // SAFETY: the transaction is live, and no one uses it afterwards.
        unsafe {
            (call.logging)(transaction);
            (call.cleanup_transaction)(transaction);
        }
        refused
    }

    fn request(&self, transaction: Object, exchange: &Prepared) -> bool {
        let call = &self.call;
        // SAFETY: the transaction is live; texts end with NUL; the library copies bytes within the lengths given.
        unsafe {
            let ((client, client_port), (server, server_port)) = (&exchange.client, &exchange.server);
            (call.connection)(transaction, client.as_ptr(), *client_port, server.as_ptr(), *server_port);
            let (uri, method) = (exchange.uri.as_ptr(), exchange.method.as_ptr());
            (call.uri)(transaction, uri, method, exchange.version.as_ptr());
            for (name, value) in &exchange.headers {
                (call.add_request_header)(
                    transaction,
                    name.as_ptr(),
                    name.len(),
                    value.as_ptr(),
                    value.len(),
                );
            }
            (call.request_headers)(transaction);
        }
        if self.intervenes(transaction) {
            return true;
        }
        // SAFETY: as above.
        unsafe {
            if !exchange.body.is_empty() {
                (call.append_request)(transaction, exchange.body.as_ptr(), exchange.body.len());
            }
            (call.request_body)(transaction);
        }
        self.intervenes(transaction)
    }

    fn response(&self, transaction: Object, exchange: &Prepared) -> bool {
        let call = &self.call;
        // SAFETY: as in `request`.
        unsafe {
            for (name, value) in &exchange.response_headers {
                (call.add_response_header)(
                    transaction,
                    name.as_ptr(),
                    name.len(),
                    value.as_ptr(),
                    value.len(),
                );
            }
            (call.response_headers)(transaction, exchange.status, exchange.protocol.as_ptr());
        }
        if self.intervenes(transaction) {
            return true;
        }
        // SAFETY: as in `request`.
        unsafe {
            (call.append_response)(
                transaction,
                exchange.response_body.as_ptr(),
                exchange.response_body.len(),
            );
            (call.response_body)(transaction);
        }
        self.intervenes(transaction)
    }

    fn intervenes(&self, transaction: Object) -> bool {
        let (url, log) = (ptr::null_mut(), ptr::null_mut());
        let mut found = Intervention { status: 200, pause: 0, url, log, disruptive: 0 };
        // SAFETY: the transaction is live and the struct is that of the header; texts in it are malloc'ed and ours.
        unsafe {
            (self.call.intervention)(transaction, &raw mut found);
            (self.call.free)(found.url.cast());
            (self.call.free)(found.log.cast());
        }
        found.disruptive != 0
    }
}

/// The file that the system's loader took.
fn mapped_file() -> Option<String> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.contains("libmodsecurity"))?;
    line.split_once('/').map(|(_, path)| format!("/{path}"))
}
