//! Atomic replacement of a file: temporary in the same folder, flush, rename,
//! flush of the folder.

use std::fs::{self, File, TryLockError};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use crate::Error;
use crate::fault::{self, Points};

/// What the names of temporary files end with.
pub(crate) const SUFFIX: &str = ".partial";

/// How many random letters and digits tell them apart.
const RANDOM: usize = 6;

/// Writes `path` through `fill`, so that it appears whole or not at all.
///
/// Missing parent folders are created. An existing file stays as it was until
/// the new one is complete and on disk.
///
/// # Errors
///
/// When the folder cannot be written, the disk is full, or `fill` fails; no
/// temporary file is left behind.
pub fn write(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), Error> {
    let mut temporary = temporary_beside(path)?;
    let mut buffered = BufWriter::new(Points(temporary.as_file_mut()));
    fill(&mut buffered)
        .and_then(|()| buffered.flush())
        .map_err(Error::new("write", path))?;
    drop(buffered);
    publish(temporary, path)
}

/// Writes `bytes` to `path`, whole or not at all.
///
/// # Errors
///
/// As [`write()`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write(path, |file| file.write_all(bytes))
}

/// Writes `value` to `path` as indented JSON, whole or not at all.
///
/// # Errors
///
/// As [`write()`], and when `value` has no JSON form.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), Error> {
    write(path, |file| {
        serde_json::to_writer_pretty(&mut *file, value)?;
        file.write_all(b"\n")
    })
}

/// Deletes the temporary files in a folder whose writers were killed. The operating
/// system tells them from those of living ones, by the lock that a writer holds;
/// where it has no such locks, nothing is deleted. What this user may not delete stays.
///
/// # Errors
///
/// When one cannot be deleted for another reason.
pub fn sweep_abandoned(folder: &Path) -> Result<(), Error> {
    sweep(folder, |_| true)
}

/// As [`sweep_abandoned`], for the temporary files of some targets.
fn sweep(folder: &Path, is_swept: impl Fn(&str) -> bool) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if target(&name).is_some_and(&is_swept)
            && path.symlink_metadata().is_ok_and(|found| found.is_file())
            && let Some(_held) = abandoned(&path)
        {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Another process may have been faster; and in a folder of many users, only its owner may
/// delete a file, which keeps nobody from writing another.
fn remove(path: &Path) -> Result<(), Error> {
    let is_left = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::PermissionDenied);
    match fs::remove_file(path) {
        Err(error) if is_left(error.kind()) => Ok(()),
        result => result.map_err(Error::new("delete", path)),
    }
}

/// The temporary file or folder at `path`, if the process that made it has ended. While
/// it is held, no writer can take it for its own.
pub(crate) fn abandoned(path: &Path) -> Option<File> {
    let file = File::open(path).ok().filter(|_| cfg!(unix))?;
    file.try_lock().is_ok().then_some(file)
}

/// Locks a new temporary file or folder at `path`, which shows others that its
/// writer lives; false where a sweep came between and takes it away.
pub(crate) fn claim(opened: &File, path: &Path) -> bool {
    // A lock of Windows would keep this process from reading the file by name.
    if !cfg!(unix) {
        return true;
    }
    match opened.try_lock() {
        Ok(()) => path.exists(),
        Err(TryLockError::WouldBlock) => false,
        // A file system without locks, where nothing is swept either.
        Err(TryLockError::Error(_)) => true,
    }
}

/// The name of the file that a temporary file of ours was to become:
/// `.model.onnx.Ab3dE6.partial` was to become `model.onnx`.
fn target(name: &str) -> Option<&str> {
    let name = name.strip_prefix('.')?.strip_suffix(SUFFIX)?;
    let (target, random) = name.rsplit_once('.')?;
    let is_ours = random.len() == RANDOM && random.bytes().all(|c| c.is_ascii_alphanumeric());
    is_ours.then_some(target)
}

/// A temporary file in the folder of `path`, for a writer that needs a path of
/// its own; give it to [`publish`] when it is complete. Dropped, it is deleted;
/// what killed writers of `path` left is deleted now.
///
/// # Errors
///
/// When the folder cannot be created or written.
pub fn temporary_beside(path: &Path) -> Result<NamedTempFile, Error> {
    let folder = folder_of(path);
    create_folder(folder)?;
    let mut builder = Builder::new();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    sweep(folder, |target| target == name)?;
    let prefix = format!(".{name}.");
    builder.prefix(&prefix).rand_bytes(RANDOM).suffix(SUFFIX);
    // tempfile makes private files; an output has the permissions of any other.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    loop {
        let temporary = fault::point()
            .and_then(|()| builder.tempfile_in(folder))
            .map_err(Error::new("write in the folder", folder))?;
        if claim(temporary.as_file(), temporary.path()) {
            return Ok(temporary);
        }
    }
}

/// Flushes `temporary` to disk and renames it to `path`.
///
/// # Errors
///
/// When the flush or the rename fails; the temporary file is then deleted.
pub fn publish(temporary: NamedTempFile, path: &Path) -> Result<(), Error> {
    fault::point()
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(Error::new("flush", path))?;
    fault::point()
        .and_then(|()| temporary.persist(path).map_err(|error| error.error))
        .map_err(Error::new("rename a complete file to", path))?;
    sync_folder(folder_of(path))
}

/// Creates a folder and its missing parents, for good.
fn create_folder(folder: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|path| !path.exists())
        .collect();
    fs::create_dir_all(folder).map_err(Error::new("create the folder", folder))?;
    missing
        .into_iter()
        .try_for_each(|made| sync_folder(folder_of(made)))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes what was renamed or made in a folder durable; only Unix can open one.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        fault::point()
            .and_then(|()| flush_folder(folder))
            .map_err(Error::new("flush the folder", folder))?;
    }
    Ok(())
}

/// Flushes a folder, where the file system can do that and it may be read: what was
/// written is there, and as durable as it gets.
fn flush_folder(folder: &Path) -> std::io::Result<()> {
    let opened = match File::open(folder) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
        opened => opened.and_then(|folder| folder.sync_all()),
    };
    match opened {
        Err(error) if cannot_be_flushed(&error) => Ok(()),
        result => result,
    }
}

/// Whether a file system has no way to flush a folder: it says so (`ENOSYS`,
/// `EOPNOTSUPP`), or that the call makes no sense (`EINVAL`).
fn cannot_be_flushed(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::Unsupported
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn failed_write_keeps_the_old_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.bin");
        write_bytes(&path, b"old").unwrap();

        let result = write(&path, |file| {
            file.write_all(b"half of the new")?;
            Err(std::io::Error::other("disk full"))
        });

        assert!(result.unwrap_err().to_string().contains("disk full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn next_write_deletes_what_killed_writers_of_the_path_left_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["a.bin", "b.bin"].map(|name| folder.path().join(name));
        for path in [&one, &one, &other] {
            temporary_beside(path).unwrap().keep().unwrap();
        }
        let files = || fs::read_dir(folder.path()).unwrap().count();
        write_bytes(&one, b"x").unwrap();
        assert_eq!(files(), 2);
        sweep_abandoned(folder.path()).unwrap();
        assert_eq!(files(), 1);
        assert!(one.exists());
    }

    #[cfg(unix)]
    #[test]
    fn unfinished_files_of_other_programs_stay() {
        let folder = tempfile::tempdir().unwrap();
        let others = [
            ".a.bin.partial",
            ".a.bin.download.partial",
            ".a.bin.12.partial",
            ".a.bin.Ab-dE6.partial",
            "a.bin.Ab3dE6.partial",
        ];
        for name in others {
            fs::write(folder.path().join(name), b"half").unwrap();
        }
        fs::write(folder.path().join(".a.bin.Ab3dE6.partial"), b"half").unwrap();
        write_bytes(&folder.path().join("a.bin"), b"x").unwrap();
        sweep_abandoned(folder.path()).unwrap();
        let left = fs::read_dir(folder.path()).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.filter(|name| name != "a.bin").collect();
        left.sort();
        let mut others = others;
        others.sort_unstable();
        assert_eq!(left, others);
    }

    /// Nobody may delete what stands in `/proc`, whoever runs the tests.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_may_not_be_deleted_stays_and_stops_no_write() {
        let path = Path::new("/proc/self/status");
        let refused = fs::remove_file(path).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        remove(path).unwrap();
        let folder = tempfile::tempdir().unwrap();
        assert!(remove(folder.path()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn no_writer_loses_its_file_to_those_that_sweep() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for name in ["a.bin", "b.bin"] {
                let path = folder.path().join(name);
                scope.spawn(move || (0..300).for_each(|_| write_bytes(&path, b"x").unwrap()));
                scope.spawn(|| (0..300).for_each(|_| sweep_abandoned(folder.path()).unwrap()));
            }
        });
    }

    #[cfg(unix)]
    #[test]
    fn what_a_living_writer_holds_is_not_taken_for_abandoned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        temporary_beside(&path).unwrap().keep().unwrap();
        let writing = temporary_beside(&path).unwrap();
        write_bytes(&path, b"x").unwrap();
        sweep_abandoned(folder.path()).unwrap();
        assert!(writing.path().exists() && path.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn temporary_file_that_a_sweep_holds_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let temporary = NamedTempFile::new_in(folder.path()).unwrap();
        let sweep = File::open(temporary.path()).unwrap();
        sweep.lock().unwrap();
        assert!(!claim(temporary.as_file(), temporary.path()));
        fs::remove_file(temporary.path()).unwrap();
        drop(sweep);
        assert!(!claim(temporary.as_file(), temporary.path()));
    }

    /// No folder of `/proc` can be flushed.
    #[cfg(target_os = "linux")]
    #[test]
    fn folder_that_cannot_be_flushed_stops_no_write() {
        let proc = Path::new("/proc");
        let error = File::open(proc).unwrap().sync_all().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        sync_folder(proc).unwrap();
        assert!(sync_folder(Path::new("/proc/none")).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_what_a_file_system_cannot_do_is_passed_over() {
        // EINVAL, ENOSYS, EOPNOTSUPP; EIO, EACCES, ENOSPC, EROFS, EDQUOT.
        let (passed, told) = ([22, 38, 95], [5, 13, 28, 30, 122]);
        let is_passed = |code| cannot_be_flushed(&std::io::Error::from_raw_os_error(code));
        assert!(passed.into_iter().all(is_passed));
        assert!(!told.into_iter().any(is_passed));
    }

    /// Such a folder takes files and does not tell which it has; a superuser may read it.
    #[cfg(unix)]
    #[test]
    fn folder_that_may_not_be_read_is_written_into() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode));
        mode(0o300).unwrap();
        let result = write_bytes(&folder.path().join("out.bin"), b"x");
        mode(0o700).unwrap();
        result.unwrap();
        assert_eq!(fs::read(folder.path().join("out.bin")).unwrap(), b"x");
    }

    #[test]
    fn parent_folders_are_created() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/out.bin");
        write_bytes(&path, b"x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn path_that_is_a_folder_is_named_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_bytes(folder.path(), b"x").unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&folder.path().display().to_string())
        );
    }
}
