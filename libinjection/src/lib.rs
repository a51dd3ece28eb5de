//! SQL injection and cross-site scripting detection by the libinjection method.
#![no_std]
