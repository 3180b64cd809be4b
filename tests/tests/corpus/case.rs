//! A malformed file and what must be said of it.

use std::error::Error;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use crate::memory;

/// A malformed file and what must be said of it.
pub struct Case {
    /// What is wrong with it.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
    /// The error's variant.
    pub kind: &'static str,
    /// Words of its message.
    pub phrase: &'static str,
}

/// A row of a table.
pub fn case(
    name: impl Into<String>,
    content: impl Into<Vec<u8>>,
    kind: &'static str,
    phrase: &'static str,
) -> Case {
    Case {
        name: name.into(),
        content: content.into(),
        kind,
        phrase,
    }
}

/// The valid file `seed` with `change`.
pub fn changed(seed: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut content = seed.to_vec();
    change(&mut content);
    content
}

/// The files of one format.
pub struct Format<'a> {
    /// Where they are written, beside what they refer to.
    pub folder: &'a Path,
    /// Their name there.
    pub file: &'static str,
    /// The most memory that reading one may take, in bytes, by its length.
    pub memory: fn(usize) -> usize,
}

/// The right to allocate: memory is that of the process, so that a test that
/// goes on beside a measurement would be counted in it.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Format<'_> {
    /// `read` takes the valid file `seed` and refuses each of the cases, with
    /// its error and within the memory.
    #[track_caller]
    pub fn refuses<T, E: Error>(
        &self,
        seed: &[u8],
        cases: impl FnOnce() -> Vec<Case>,
        read: impl Fn(&Path) -> Result<T, E>,
    ) {
        let _turn = turn();
        let path = self.folder.join(self.file);
        fs::write(&path, seed).unwrap();
        if let Err(error) = read(&path) {
            panic!("the valid file is refused: {}", message(&error));
        }
        let cases = cases();
        for (index, case) in cases.iter().enumerate() {
            let same = cases[..index]
                .iter()
                .find(|other| other.content == case.content && !case.content.is_empty());
            assert!(same.is_none(), "`{}` is there twice", case.name);
        }
        let complaints: Vec<String> = cases
            .iter()
            .filter_map(|case| {
                Some(format!(
                    "{}: {}",
                    case.name,
                    self.complaint(case, &path, &read)?
                ))
            })
            .collect();
        assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    }

    /// What is not as it should be in how `read` takes the file.
    fn complaint<T, E: Error>(
        &self,
        case: &Case,
        path: &Path,
        read: impl Fn(&Path) -> Result<T, E>,
    ) -> Option<String> {
        fs::write(path, &case.content).unwrap();
        let (result, peak) = memory::peak(|| catch_unwind(AssertUnwindSafe(|| read(path).err())));
        let error = match result {
            Err(_) => return Some("it panics".to_owned()),
            Ok(None) => return Some("it is accepted".to_owned()),
            Ok(Some(error)) => error,
        };
        let (kind, message) = (format!("{error:?}"), message(&error));
        let limit = (self.memory)(case.content.len());
        if !kind.contains(case.kind) {
            Some(format!("no `{}` in {kind}", case.kind))
        } else if !message.contains(case.phrase) {
            Some(format!("no `{}` in: {message}", case.phrase))
        } else if peak > limit {
            Some(format!("{peak} bytes of memory, more than {limit}"))
        } else {
            None
        }
    }
}

/// The message with its causes.
fn message(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}
