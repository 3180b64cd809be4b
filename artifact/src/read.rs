//! Reading files that nobody has vouched for.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use crate::Error;

/// Reads the file at `path`, which may have up to `limit` bytes; no more memory
/// is taken, be it longer or, as a pipe or a device, without end.
///
/// # Errors
///
/// When the file cannot be read; with [`ErrorKind::FileTooLarge`] when it has
/// more bytes.
pub fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    File::open(path)
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

    #[cfg(target_os = "linux")]
    #[test]
    fn device_without_end_is_refused() {
        let error = read_at_most(Path::new("/dev/zero"), 1 << 16).unwrap_err();
        assert_eq!(error.source.kind(), ErrorKind::FileTooLarge);
    }
}
