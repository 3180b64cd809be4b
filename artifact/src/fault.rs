//! Where writing can be made to go wrong, so that tests can show that nothing
//! is lost: each step of each write is a point, counted over the process.
//! `BURNISH_FAULT=kill:7` kills the process at the seventh point as `kill -9`
//! does; `BURNISH_FAULT=28:7` fails it with the operating system's error 28 (on
//! Linux: no space left).

use std::io::{self, Write};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What goes wrong, and at which point.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fault {
    /// The operating system's error, or none to be killed.
    error: Option<i32>,
    /// Counted from 1.
    point: u64,
}

impl Fault {
    fn parse(text: &str) -> Option<Self> {
        let (what, point) = text.split_once(':')?;
        let error = match what {
            "kill" => None,
            code => Some(code.parse().ok()?),
        };
        let point = point.parse().ok()?;
        Some(Self { error, point })
    }
}

/// A step of a write, before it is taken.
pub(crate) fn point() -> io::Result<()> {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    static POINTS: AtomicU64 = AtomicU64::new(0);
    let fault = FAULT.get_or_init(|| Fault::parse(&std::env::var("BURNISH_FAULT").ok()?));
    let Some(fault) = fault else {
        return Ok(());
    };
    if POINTS.fetch_add(1, Ordering::Relaxed) + 1 != fault.point {
        return Ok(());
    }
    match fault.error {
        Some(code) => Err(io::Error::from_raw_os_error(code)),
        None => kill(),
    }
}

/// Ends this process as `kill -9` does: no destructor runs, nothing is flushed.
fn kill() -> ! {
    let id = std::process::id().to_string();
    let _ = Command::new("kill").args(["-KILL", &id]).status();
    // Where there is no `kill`.
    std::process::abort()
}

/// A writer with a point in the middle of each write.
pub(crate) struct Points<W>(pub(crate) W);

impl<W: Write> Write for Points<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        self.0.write_all(first)?;
        point()?;
        self.0.write_all(second)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_as_what_and_where() {
        let fault = |error, point| Some(Fault { error, point });
        assert_eq!(Fault::parse("kill:7"), fault(None, 7));
        assert_eq!(Fault::parse("28:1"), fault(Some(28), 1));
        for text in ["", "kill", "kill:", "full:1", "28:x"] {
            assert_eq!(Fault::parse(text), None);
        }
    }
}
