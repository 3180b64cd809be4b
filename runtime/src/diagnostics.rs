//! Errors for people: what went wrong, its causes, and what to do.

use std::error::Error;
use std::process::ExitCode;

use runtime::{EvaluateError, MetadataError, SessionError, library};

use crate::commands::eval;

/// An error the user can fix.
const FIXABLE: u8 = 1;
/// An error nobody thought of.
const UNEXPECTED: u8 = 2;

/// Prints what clap says about the command line; help and version are no errors.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // If even this cannot be written, the exit code must do.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(FIXABLE)
    } else {
        ExitCode::SUCCESS
    }
}

/// Prints `error` to stderr and returns the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    eprint!("{}", render(error));
    let fixable = error.chain().any(is_known);
    ExitCode::from(if fixable { FIXABLE } else { UNEXPECTED })
}

/// The error, its causes and its hint, a line each. A cause whose text the line
/// above has already is left out.
fn render(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text += &format!("  caused by: {cause}\n");
        }
    }
    if let Some(hint) = error.chain().find_map(hint) {
        text += &format!("hint: {hint}\n");
    }
    text
}

/// Whether an error is one of those that say what the user did or lacks.
fn is_known(error: &(dyn Error + 'static)) -> bool {
    error.is::<eval::Refusal>()
        || error.is::<EvaluateError>()
        || error.is::<MetadataError>()
        || error.is::<SessionError>()
        || error.is::<library::Error>()
        || error.is::<library::FetchError>()
        || error.is::<onnx::Error>()
        || error.is::<dataset::Error>()
        || error.is::<artifact::Error>()
}

fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<eval::Refusal>() {
        return error.hint();
    }
    runtime::hint(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let cause = std::io::Error::other("disk full");
        let error = anyhow::Error::new(cause)
            .context("cannot write: disk full")
            .context("saving failed");
        assert_eq!(
            render(&error),
            "error: saving failed\n  caused by: cannot write: disk full\n"
        );
    }

    #[test]
    fn unknown_errors_are_unexpected() {
        assert!(!is_known(&std::io::Error::other("?")));
        assert!(is_known(&MetadataError::Absent));
    }
}
