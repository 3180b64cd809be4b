//! Writing results to stdout.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Context as _;
use serde::Serialize;

/// Writes `value` to stdout, as text or as JSON on request.
///
/// # Errors
///
/// When it cannot be written; a reader that has seen enough is none.
pub fn print<T: Display + Serialize>(value: &T, json: bool) -> anyhow::Result<()> {
    match json {
        true => print_json(value),
        false => write(&value.to_string()),
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
pub fn write(text: &str) -> anyhow::Result<()> {
    ended(io::stdout().lock().write_all(text.as_bytes()))
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
