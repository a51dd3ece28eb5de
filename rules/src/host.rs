//! What the embedder supplies. The engine reads no clock, file or environment.

/// Files that a policy refers to: includes, phrase lists, scripts.
pub trait Source {
    /// The contents of `name`, looked up relative to the file that refers to it.
    ///
    /// # Errors
    /// When there is no such file, or it can't be read.
    fn read(&self, name: &str, relative_to: &str) -> Result<Vec<u8>, SourceError>;
}

/// A file could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("can't read `{name}`: {reason}")]
pub struct SourceError {
    /// The name as written.
    pub name: String,
    /// Why not.
    pub reason: String,
}

/// No files at all: each look-up fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Source for NoFiles {
    fn read(&self, name: &str, _relative_to: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError {
            name: name.to_owned(),
            reason: "a filter has no files; put the contents into the policy with `portcullis bundle`"
                .to_owned(),
        })
    }
}
