//! Files that appear whole or not at all, and their SHA-256.
//!
//! Every output of Burnish goes through [`write()`]: a reader finds the old
//! file or the new one, never a part, even after a crash.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod digest;
mod fault;
mod read;
mod scratch;
mod write;

pub use digest::{InvalidDigest, Sha256};
pub use read::{open_regular, read_at_most};
pub use scratch::Scratch;
pub use write::{publish, sweep_abandoned, temporary_beside, write, write_bytes, write_json};

use std::path::{Path, PathBuf};

/// A file operation that failed: what was tried, on which path, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct Error {
    /// What was tried, as a verb ("write", "read", "rename").
    pub action: &'static str,
    /// The path it was tried on.
    pub path: PathBuf,
    /// The reason the operating system gave.
    pub source: std::io::Error,
}

impl Error {
    /// Wraps an I/O error for `map_err`.
    pub fn new(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self {
            action,
            path,
            source,
        }
    }
}
