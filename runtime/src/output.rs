//! Writing results to stdout.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Context as _;
use serde::Serialize;

/// Writes `value` to stdout, as text or as JSON on request.
pub(crate) fn print<T: Display + Serialize>(value: &T, json: bool) -> anyhow::Result<()> {
    let text = if json {
        let text =
            serde_json::to_string_pretty(value).context("cannot write the result as JSON")?;
        text + "\n"
    } else {
        value.to_string()
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough, like `head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to stdout"),
    }
}
