//! What programs tell: results on stdout, messages for people on stderr.
//!
//! Whoever closes a pipe has read enough, like `head`: what would be written
//! into it is lost, and the work goes on. `println!` and `eprintln!` panic
//! instead, so that no other crate uses them.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Context as _;
use serde::Serialize;

/// Writes a line to stderr, formatted as by `eprintln!`.
#[macro_export]
macro_rules! message {
    ($($text:tt)*) => {
        $crate::tell(&(format!($($text)*) + "\n"))
    };
}

/// Writes `text` to stderr. Where that fails there is nobody to tell.
pub fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes `value` to stdout, as text or as JSON on request.
///
/// # Errors
///
/// When it cannot be written; a reader that has seen enough is none.
pub fn print<T: Display + Serialize>(value: &T, json: bool) -> anyhow::Result<()> {
    match json {
        true => print_json(value),
        false => write(value.to_string()),
    }
}

/// Writes `value` to stdout as JSON.
///
/// # Errors
///
/// When it cannot be written; a reader that has seen enough is none.
pub fn print_json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value).context("cannot write the result as JSON")?;
    write(&(text + "\n"))
}

/// Writes `text` to stdout.
///
/// # Errors
///
/// When it cannot be written; a reader that has seen enough is none.
pub fn write(text: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    ended(
        stdout
            .write_all(text.as_ref())
            .and_then(|()| stdout.flush()),
    )
}

/// The result of writing to stdout; whoever reads may have seen enough, like
/// `head`.
///
/// # Errors
///
/// When it cannot be written; a reader that has seen enough is none.
pub fn ended(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to stdout"),
    }
}
