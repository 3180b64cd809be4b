//! Errors for people: what went wrong, its causes, and what to do.

use std::error::Error;
use std::process::ExitCode;

use pipeline::config::ConfigError;
use pipeline::interrupt::INTERRUPTED;
use pipeline::run_lock;

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
    eprintln!(
        "error: this is a bug in Burnish; finished stages are kept, and the same command goes on after them"
    );
    ExitCode::from(UNEXPECTED)
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

fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::Invalid { hint, .. }) => return hint.clone(),
        Some(ConfigError::NotFound(_)) => {
            return Some("`pipeline init FILE` writes one to start from".to_owned());
        }
        Some(ConfigError::File(_) | ConfigError::Override(_)) | None => {}
    }
    if let Some(trainer::Error::OtherTraining { .. }) = error.downcast_ref() {
        return Some("`--fresh` gives it up and begins anew".to_owned());
    }
    if let Some(run_lock::Error::Held { .. }) = error.downcast_ref() {
        return Some("`--wait` waits for it to end".to_owned());
    }
    runtime::hint(error)
}
