//! Reading back what stages have written: JSON of a few kilobytes, unless it is
//! somebody else's.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Deserializer;
use serde_json::value::RawValue;

/// The most bytes that such a file may have: some eighty thousand epochs.
pub const MAX_BYTES: u64 = 16 << 20;

/// A file of results that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read, or is larger than [`MAX_BYTES`].
    #[error(transparent)]
    File(#[from] artifact::Error),
    /// It holds something else.
    #[error("{} cannot be used", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        source: serde_json::Error,
    },
}

/// The value in the file at `path`.
///
/// # Errors
///
/// When the file cannot be read, is too large, or holds something else.
pub fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = artifact::read_at_most(path, MAX_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|source| invalid(path, source))
}

/// What is in the file at `path`, to the digit, indented to stand among other
/// JSON at that depth.
///
/// # Errors
///
/// When the file cannot be read, is too large, or holds no JSON.
pub fn verbatim(path: &Path, depth: usize) -> Result<Box<RawValue>, Error> {
    let value: Box<RawValue> = json(path)?;
    let line = format!("\n{}", "  ".repeat(depth));
    RawValue::from_string(value.get().replace('\n', &line)).map_err(|source| invalid(path, source))
}

/// The values in the file at `path`, one a line.
///
/// # Errors
///
/// When the file cannot be read, is too large, or holds something else.
pub fn json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    let bytes = artifact::read_at_most(path, MAX_BYTES)?;
    let values = Deserializer::from_slice(&bytes).into_iter();
    values
        .collect::<Result<_, _>>()
        .map_err(|source| invalid(path, source))
}

fn invalid(path: &Path, source: serde_json::Error) -> Error {
    Error::Invalid {
        path: path.to_owned(),
        source,
    }
}
