//! Folders for what is on its way, such as downloads.

use std::fs::{self, File};
use std::path::Path;

use tempfile::TempDir;

use crate::Error;
use crate::write::{SUFFIX, abandoned, claim};

/// How the names of scratch folders begin.
const PREFIX: &str = ".burnish-";

/// A folder that is deleted when this is dropped; what is left of one whose
/// process was killed, when the next is made beside it.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    /// Shows that this process lives; none where folders cannot be opened.
    _lock: Option<File>,
}

impl Scratch {
    /// A new folder in `parent`, which is created where it is missing.
    ///
    /// # Errors
    ///
    /// When `parent` cannot be created or written.
    pub fn new_in(parent: &Path) -> Result<Self, Error> {
        fs::create_dir_all(parent).map_err(Error::new("create the folder", parent))?;
        sweep(parent);
        loop {
            let folder = tempfile::Builder::new()
                .prefix(PREFIX)
                .suffix(SUFFIX)
                .tempdir_in(parent)
                .map_err(Error::new("write in the folder", parent))?;
            let lock = File::open(folder.path()).ok();
            if lock.as_ref().is_none_or(|lock| claim(lock, folder.path())) {
                return Ok(Self {
                    folder,
                    _lock: lock,
                });
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Deletes the scratch folders of killed processes. One that is another user's
/// stays; it does no harm.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = name.starts_with(PREFIX) && name.ends_with(SUFFIX);
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if ours
            && folder
            && let Some(_held) = abandoned(&entry.path())
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folder_of_a_killed_process_goes_and_that_of_a_living_one_stays() {
        let parent = tempfile::tempdir().unwrap();
        let killed = {
            let Scratch { folder, _lock } = Scratch::new_in(parent.path()).unwrap();
            folder.keep()
        };
        fs::write(killed.join("half a download"), b"x").unwrap();
        let living = Scratch::new_in(parent.path()).unwrap();
        let other = Scratch::new_in(parent.path()).unwrap();
        assert!(!killed.exists());
        assert!(living.path().exists() && other.path().exists());
        drop((living, other));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
