//! One run at a time in a folder of results. The operating system holds the
//! lock and lets go of it when the process ends, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use output::message;
use same_file::Handle;

/// Name of the file that is locked while a run is at work.
const FILE: &str = ".running";

/// The right to write into a folder of results. Given back, the file that was
/// locked is deleted, and the folders that were made for it if they are empty.
#[derive(Debug)]
pub(crate) struct RunLock {
    /// Holds the lock while it is open.
    _file: File,
    path: PathBuf,
    /// Folders that were not there before, the innermost first.
    made: Vec<PathBuf>,
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
        let path = folder.join(FILE);
        let missing = folder.ancestors().take_while(|folder| !folder.exists());
        let made = missing.map(Path::to_owned).collect();
        let mut file = loop {
            // Whoever held the lock before deletes the file and the folder.
            match open_locked(folder, &path, wait)? {
                Some(file) if is_at(&file, &path) => break file,
                Some(_) | None => {}
            }
        };
        // Only a message for others: the lock holds without it.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
        Ok(Self {
            _file: file,
            path,
            made,
        })
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // What cannot be deleted does no harm.
        let _ = fs::remove_file(&self.path);
        let _ = self.made.iter().try_for_each(fs::remove_dir);
    }
}

/// The locked file, or `None` where its folder has just been deleted.
fn open_locked(folder: &Path, path: &Path, wait: bool) -> Result<Option<File>, Error> {
    fs::create_dir_all(folder).map_err(artifact::Error::new("create the folder", folder))?;
    // A link would have this run write into whatever it points to.
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        let problem = std::io::Error::other("it is not a plain file; delete it");
        return Err(artifact::Error::new("take for a lock", path)(problem).into());
    }
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    let mut file = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(artifact::Error::new("open", path))?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) if wait => {
            message!("waiting: {}", held(folder, &mut file));
            file.lock().map_err(artifact::Error::new("lock", path))?;
        }
        Err(TryLockError::WouldBlock) => return Err(held(folder, &mut file)),
        Err(TryLockError::Error(error)) => {
            return Err(artifact::Error::new("lock", path)(error).into());
        }
    }
    Ok(Some(file))
}

/// Whether `path` still names `file`.
fn is_at(file: &File, path: &Path) -> bool {
    let file = file.try_clone().and_then(Handle::from_file);
    matches!((file, Handle::from_path(path)), (Ok(file), Ok(named)) if file == named)
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
    use std::sync::atomic::{AtomicUsize, Ordering};

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
    fn nothing_stays_of_a_lock_but_what_was_written_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let results = folder.path().join("runs/mnist");
        drop(RunLock::take(&results, false).unwrap());
        assert!(!folder.path().join("runs").exists());
        let lock = RunLock::take(&results, false).unwrap();
        fs::write(results.join("model.onnx"), "x").unwrap();
        drop(lock);
        assert_eq!(fs::read_dir(&results).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn link_in_the_place_of_the_lock_is_refused_and_its_target_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("notes.txt");
        fs::write(&target, "mine").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(FILE)).unwrap();
        assert!(RunLock::take(folder.path(), false).is_err());
        assert_eq!(fs::read_to_string(target).unwrap(), "mine");
    }

    #[test]
    fn those_that_wait_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let _lock = RunLock::take(&folder.path().join("runs"), true).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    std::thread::sleep(Duration::from_millis(2));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
    }

    #[test]
    fn time_is_told_in_words() {
        let words = [41, 127, 11_100].map(|seconds| in_words(Duration::from_secs(seconds)));
        assert_eq!(words, ["41 s", "2 min 7 s", "3 h 5 min"]);
    }
}
