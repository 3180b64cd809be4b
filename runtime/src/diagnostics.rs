//! Which errors of `runtime` are the user's to fix.

use std::error::Error;
use std::panic::{UnwindSafe, catch_unwind};
use std::process::ExitCode;

use output::message;
use runtime::cli::{FIXABLE, UNEXPECTED, render};
use runtime::{EvaluateError, MetadataError, SessionError, check, hint, library};

use crate::commands::{Absent, eval, predict};

/// Runs `command`; its exit code, with what went wrong on stderr.
pub(crate) fn outcome(command: impl FnOnce() -> anyhow::Result<()> + UnwindSafe) -> ExitCode {
    match catch_unwind(command) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => report(&error),
        Err(_) => {
            message!("error: this is a bug in Burnish; please report it");
            ExitCode::from(UNEXPECTED)
        }
    }
}

/// Prints `error` to stderr and returns the exit code.
fn report(error: &anyhow::Error) -> ExitCode {
    output::tell(&render(error, advice));
    let fixable = error.chain().any(is_known);
    ExitCode::from(if fixable { FIXABLE } else { UNEXPECTED })
}

/// Whether an error is one of those that say what the user did or lacks.
fn is_known(error: &(dyn Error + 'static)) -> bool {
    error.is::<eval::Refusal>()
        || error.is::<Absent>()
        || predict::is_refusal(error)
        || error.is::<check::Error>()
        || error.is::<check::Mismatch>()
        || error.is::<EvaluateError>()
        || error.is::<MetadataError>()
        || error.is::<SessionError>()
        || error.is::<library::Error>()
        || error.is::<library::FetchError>()
        || error.is::<onnx::Error>()
        || error.is::<signing::Error>()
        || error.is::<dataset::Error>()
        || error.is::<artifact::Error>()
}

fn advice(error: &(dyn Error + 'static)) -> Option<String> {
    if error.is::<Absent>() {
        return Some(Absent::HINT.to_owned());
    }
    match error.downcast_ref::<eval::Refusal>() {
        Some(refusal) => refusal.hint(),
        None => hint(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_is_unexpected() {
        let code = outcome(|| std::panic::resume_unwind(Box::new("a bug")));
        assert_eq!(code, ExitCode::from(UNEXPECTED));
        assert_eq!(outcome(|| Ok(())), ExitCode::SUCCESS);
    }

    #[test]
    fn unknown_errors_are_unexpected() {
        assert!(!is_known(&std::io::Error::other("?")));
        assert!(is_known(&MetadataError::Absent));
    }
}
