//! Where the commands write. Whoever reads may go at any time, as in `portcullis schema | head -1`: that is no error,
//! and changes no exit status.

use std::fmt::Arguments;
use std::io::{ErrorKind, StdoutLock, Write};

/// The standard output. Once its reader has gone, what is written is dropped.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: StdoutLock<'static>,
    read: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { stdout: std::io::stdout().lock(), read: true }
    }

    /// Whether somebody still reads. Who works line by line needn't go on otherwise.
    pub(crate) const fn is_read(&self) -> bool {
        self.read
    }

    fn attempt(&mut self, done: std::io::Result<usize>, otherwise: usize) -> std::io::Result<usize> {
        match done {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.read = false;
                Ok(otherwise)
            }
            done => done,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.read {
            return Ok(bytes.len());
        }
        let done = self.stdout.write(bytes);
        self.attempt(done, bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if !self.read {
            return Ok(());
        }
        let done = self.stdout.flush().map(|()| 0);
        self.attempt(done, 0).map(|_| ())
    }
}

/// Says something on the standard error; see [`say!`].
pub(crate) fn tell(text: Arguments<'_>) {
    // Where nobody listens there is nobody to be told that.
    let _ = std::io::stderr().lock().write_fmt(text);
}

/// As `eprintln!`, which panics where nobody reads the standard error any more.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::tell(format_args!("{}\n", format_args!($($text)*)))
    };
}

pub(crate) use say;
