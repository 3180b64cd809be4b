//! Reading files that nobody has vouched for.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use crate::Error;

/// Opens the file at `path`, which must be a regular one: to open a pipe that
/// nobody writes takes forever, and devices have no end.
///
/// # Errors
///
/// When it cannot be opened or is anything else.
pub fn open_regular(path: &Path) -> io::Result<File> {
    expect_regular(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    // It may have been exchanged in between.
    expect_regular(&file.metadata()?)?;
    Ok(file)
}

fn expect_regular(found: &Metadata) -> io::Result<()> {
    let (kind, reason) = match (found.is_file(), found.is_dir()) {
        (true, _) => return Ok(()),
        (_, true) => (ErrorKind::IsADirectory, "it is a folder"),
        _ => (ErrorKind::InvalidInput, "it is no regular file"),
    };
    Err(io::Error::new(kind, reason))
}

/// Reads the regular file at `path`, which may have up to `limit` bytes; no more
/// memory is taken, even if it grows meanwhile.
///
/// # Errors
///
/// When the file cannot be read or is no regular one; with
/// [`ErrorKind::FileTooLarge`] when it has more bytes.
pub fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    open_regular(path)
        .and_then(|file| read_up_to(file, limit))
        .map_err(Error::new("read", path))
}

fn read_up_to(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let known = file.metadata()?.len();
    let mut content = Vec::new();
    if known <= limit {
        content.reserve_exact(known as usize);
        file.take(limit + 1).read_to_end(&mut content)?;
    }
    if known > limit || content.len() as u64 > limit {
        let reason = format!("it is larger than {limit} bytes, the most that is read");
        return Err(io::Error::new(ErrorKind::FileTooLarge, reason));
    }
    Ok(content)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn file_of_the_limit_is_read_and_a_byte_more_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (length, limit) in [(0, 0), (10, 10), (10, 11)] {
            std::fs::write(&path, vec![7; length]).unwrap();
            assert_eq!(read_at_most(&path, limit).unwrap(), vec![7; length]);
        }
        let error = read_at_most(&path, 9).unwrap_err();
        assert_eq!(error.source.kind(), ErrorKind::FileTooLarge);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_devices_and_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for (path, reason) in [
            (pipe.as_path(), "no regular file"),
            (Path::new("/dev/zero"), "no regular file"),
            (folder.path(), "a folder"),
        ] {
            let error = read_at_most(path, 1 << 16).unwrap_err();
            assert!(error.to_string().ends_with(reason), "{error}");
        }
        assert!(crate::Sha256::of_file(&pipe).is_err());
    }
}
