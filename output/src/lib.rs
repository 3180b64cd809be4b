//! What programs tell: results on stdout, messages for people on stderr.
//!
//! Whoever closes a pipe has read enough, like `head`: what would be written
//! into it is lost, and the work goes on. `println!` and `eprintln!` panic
//! instead, so that no other crate uses them.
//!
//! Names come from files that anybody may have made. Terminals obey control
//! characters: what has them is written with escapes in their place.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use serde::{Serialize, Serializer};

/// Writes a line to stderr, formatted as by `eprintln!`.
#[macro_export]
macro_rules! message {
    ($($text:tt)*) => {
        $crate::tell(&(format!($($text)*) + "\n"))
    };
}

/// Writes `text` to stderr. Where that fails there is nobody to tell.
pub fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(escaped(text).as_bytes());
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

/// Serializes a path as it is shown to people, for `serialize_with`: what of it is not
/// Unicode, which JSON could not hold, is U+FFFD.
///
/// # Errors
///
/// Those of `serializer`.
pub fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// Writes `text` to stdout.
///
/// # Errors
///
/// When it cannot be written; a reader that has seen enough is none.
pub fn write(text: impl AsRef<str>) -> anyhow::Result<()> {
    let text = escaped(text.as_ref());
    let mut stdout = io::stdout().lock();
    ended(
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush()),
    )
}

/// `text` with control characters as JSON has them, `\u001b`, but for the ends of
/// lines and tabs.
fn escaped(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(obeyed) {
        return text.into();
    }
    let escaped = |c: char| match obeyed(c) {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_and_not_obeyed() {
        assert_eq!(escaped("größer\n\t日本"), "größer\n\t日本");
        assert_eq!(
            escaped("\u{1b}[1A\r\u{7f}\u{9b}x"),
            r"\u001b[1A\u000d\u007f\u009bx"
        );
    }

    #[cfg(unix)]
    #[test]
    fn paths_that_are_not_unicode_have_a_json_form() {
        use std::os::unix::ffi::OsStrExt;
        #[derive(Serialize)]
        struct Named<'a>(#[serde(serialize_with = "path")] &'a Path);
        let name = Path::new(std::ffi::OsStr::from_bytes(b"gr\xf6\xdfer/\xc3\xbc.onnx"));
        let json = serde_json::to_string(&Named(name)).ok();
        let expected = "\"gr\u{fffd}\u{fffd}er/ü.onnx\"";
        assert_eq!(json.as_deref(), Some(expected));
    }

    #[test]
    fn json_stays_what_it_is() {
        let text = "\u{1b}\u{7f}\u{9b}";
        let json = serde_json::to_string(text).unwrap_or_default();
        let read: Option<String> = serde_json::from_str(&escaped(&json)).ok();
        assert_eq!(read.as_deref(), Some(text));
    }
}
