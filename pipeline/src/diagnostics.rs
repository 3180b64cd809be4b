//! Errors for people: what went wrong, its causes, and what to do.

use std::error::Error;
use std::process::ExitCode;

use output::message;
use pipeline::config::ConfigError;
use pipeline::interrupt::INTERRUPTED;
use pipeline::run_lock;
use runtime::cli::{FIXABLE, UNEXPECTED, render};

use crate::commands::model::UnknownNetwork;

/// Prints `error` to stderr and returns the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    output::tell(&render(error, hint));
    let interrupted = |error: &(dyn Error + 'static)| {
        let error = error.downcast_ref::<trainer::Error>();
        matches!(error, Some(trainer::Error::Interrupted { .. }))
    };
    ExitCode::from(match error.chain().any(interrupted) {
        true => INTERRUPTED,
        false => FIXABLE,
    })
}

/// Says that a panic, printed by Rust above, is a bug.
pub(crate) fn panicked() -> ExitCode {
    message!(
        "error: this is a bug in Burnish; finished stages are kept, and the same command goes on after them"
    );
    ExitCode::from(UNEXPECTED)
}

fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::Invalid { hint, .. }) => return hint.clone(),
        Some(ConfigError::NotFound(_)) => {
            return Some("`pipeline init FILE` writes one to start from".to_owned());
        }
        Some(ConfigError::File(_) | ConfigError::Override(_)) | None => {}
    }
    if let Some(UnknownNetwork { hint, .. }) = error.downcast_ref() {
        return Some(hint.clone());
    }
    if let Some(trainer::Error::OtherTraining { .. }) = error.downcast_ref() {
        return Some("`--fresh` gives it up and begins anew".to_owned());
    }
    if let Some(dataset::Error::Checksum { .. }) = error.downcast_ref() {
        let own = "IDX files of your own are a dataset with `classes` and a name of its own";
        return Some(own.to_owned());
    }
    if let Some(run_lock::Error::Held { .. }) = error.downcast_ref() {
        return Some("`--wait` waits for it to end".to_owned());
    }
    runtime::hint(error)
}
