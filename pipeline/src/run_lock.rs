//! One run at a time in a folder of results. The operating system holds the
//! lock and lets go of it when the process ends, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Name of the file that is locked; it stays, empty of meaning, when the lock
/// is let go.
const FILE: &str = ".running";

/// The right to write into a folder of results.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

/// The folder is another run's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is at work there.
    #[error(
        "another run writes into {folder}: process {process}, for {elapsed}",
        folder = folder.display()
    )]
    Held {
        /// The folder of results.
        folder: PathBuf,
        /// Its process id, as it wrote it.
        process: String,
        /// For how long.
        elapsed: String,
    },
    /// The lock could not be tried.
    #[error(transparent)]
    File(#[from] artifact::Error),
}

impl RunLock {
    /// Takes the lock of `folder`; waits for it where `wait` says so.
    pub(crate) fn take(folder: &Path, wait: bool) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(artifact::Error::new("create the folder", folder))?;
        let path = folder.join(FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(artifact::Error::new("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if wait => {
                eprintln!("waiting: {}", held(folder, &mut file));
                file.lock().map_err(artifact::Error::new("lock", &path))?;
            }
            Err(TryLockError::WouldBlock) => return Err(held(folder, &mut file)),
            Err(TryLockError::Error(error)) => {
                return Err(artifact::Error::new("lock", &path)(error).into());
            }
        }
        // Only a message for others: the lock holds without it.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
        Ok(Self { _file: file })
    }
}

fn held(folder: &Path, file: &mut File) -> Error {
    let mut process = String::new();
    let known = file.read_to_string(&mut process).is_ok() && !process.is_empty();
    let since = file.metadata().and_then(|metadata| metadata.modified());
    let elapsed = since.map(|since| SystemTime::now().duration_since(since).unwrap_or_default());
    Error::Held {
        folder: folder.to_owned(),
        process: if known { process } else { "unknown".to_owned() },
        elapsed: elapsed.map_or_else(|_| "unknown time".to_owned(), in_words),
    }
}

/// `3 h 5 min`, `2 min 7 s`, `41 s`.
fn in_words(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_held_by_one_and_free_when_it_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let first = RunLock::take(folder.path(), false).unwrap();
        let message = RunLock::take(folder.path(), false).unwrap_err().to_string();
        let process = format!("process {}, for ", std::process::id());
        assert!(message.contains(&process), "{message}");
        drop(first);
        RunLock::take(folder.path(), false).unwrap();
    }

    #[test]
    fn time_is_told_in_words() {
        let words = [41, 127, 11_100].map(|seconds| in_words(Duration::from_secs(seconds)));
        assert_eq!(words, ["41 s", "2 min 7 s", "3 h 5 min"]);
    }
}
