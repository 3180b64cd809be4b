//! What command lines of Burnish have in common: how errors are told.

use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;

/// Exit code of an error that the user can fix.
pub const FIXABLE: u8 = 1;
/// Exit code of an error that nobody thought of.
pub const UNEXPECTED: u8 = 2;

/// Reads a number of things of an argument.
///
/// # Errors
///
/// When it is none, or zero.
pub fn count(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse()
        .map_err(|_| "a whole number of one or more is expected")
}

/// Prints what clap says about the command line; help and version are no errors.
pub fn usage(error: &clap::Error) -> ExitCode {
    // If even this cannot be written, the exit code must do.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(FIXABLE)
    } else {
        ExitCode::SUCCESS
    }
}

/// The error, its causes and its hint, a line each. A cause whose text the line
/// above has already is left out, and so is the rest of a very long one. `hint` says what to do about an error it knows.
pub fn render(
    error: &anyhow::Error,
    hint: impl Fn(&(dyn Error + 'static)) -> Option<String>,
) -> String {
    let mut causes = error.chain().map(|cause| clipped(cause.to_string()));
    let mut text = format!("error: {}\n", causes.next().unwrap_or_default());
    for cause in causes {
        if !text.contains(&cause) {
            text += &format!("  caused by: {cause}\n");
        }
    }
    if let Some(hint) = error.chain().find_map(&hint) {
        text += &format!("hint: {hint}\n");
    }
    text
}

/// The most characters of one cause: names in a file may have megabytes.
const LONGEST: usize = 10_000;

fn clipped(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_long_causes_are_clipped() {
        let error = anyhow::Error::msg("ü".repeat(20_000)).context("é".repeat(20_000));
        let text = render(&error, |_| Some("a hint".to_owned()));
        assert!(text.chars().count() < 20_100);
        assert!(text.ends_with("…\nhint: a hint\n"), "{text}");
    }

    #[test]
    fn causes_are_told_once_and_the_hint_last() {
        let cause = std::io::Error::other("disk full");
        let error = anyhow::Error::new(cause)
            .context("cannot write: disk full")
            .context("saving failed");
        let hint = |error: &(dyn Error + 'static)| {
            let is_cause = error.is::<std::io::Error>();
            is_cause.then(|| "delete something".to_owned())
        };
        assert_eq!(
            render(&error, hint),
            "error: saving failed\n  caused by: cannot write: disk full\nhint: delete something\n"
        );
    }
}
