//! Finds SQL injection and cross-site scripting in request data, by the method of
//! [libinjection](https://github.com/libinjection/libinjection): it reads the data as a database or a browser
//! would, and looks at what kinds of tokens come out instead of at their text.
//!
//! ```
//! use portcullis_libinjection::{sqli, xss};
//!
//! let fingerprint = sqli(b"-1' and 1=1 union/* foo */select load_file('/etc/passwd')--").unwrap();
//! assert_eq!(fingerprint.to_string(), "s&1UE");
//! assert!(sqli(b"the union of two sets").is_none());
//!
//! assert!(xss(b"<img src=x onerror=alert(1)>"));
//! assert!(!xss(b"2 < 3, and 5 > 4"));
//! ```
//!
//! [`sqli()`] and [`xss()`] are the whole of it for most uses. The stages are public too: [`sqli::tokens`] and
//! [`sqli::fold`](sqli::fold()) for SQL, [`html5::tokens`] for HTML.
//!
//! # Untrusted input
//!
//! Input is bytes of any value and any length.
//!
//! * **No panic**: the crate has no `unsafe` code, no indexing that could fail, and no recursion.
//! * **No allocation**: memory is a fixed number of bytes of stack.
//! * **Linear time**: each of at most five readings (quotes and dialects for SQL, places in a document for HTML) looks
//!   at each byte a bounded number of times. Tests count these looks on hostile input.
//! * **No state**: a result depends on the bytes of the input alone.
//!
//! # Differences from libinjection
//!
//! Fingerprints and verdicts are those of libinjection at revision 011cac9, with these exceptions:
//!
//! * `[` starts a name in brackets in every dialect, as in older revisions and in Coraza's port;
//! * an event handler is known by its whole name, as in Coraza's port; libinjection takes any attribute for one that
//!   starts like one. In exchange, more of them are known;
//! * NUL bytes inside the name of a tag or an attribute do not hide it, the byte 0xff inside a tag does not end the
//!   input, and nothing behind the input is read.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod html5;
mod scan;
pub mod sqli;
mod tables;
#[cfg(test)]
mod tests;
mod xss;

pub use sqli::{Fingerprint, detect as sqli};
pub use xss::detect as xss;
