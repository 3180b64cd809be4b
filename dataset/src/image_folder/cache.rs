//! Decoded pictures, kept in one file: the SHA-256 of what they were made from,
//! that of what follows, then the pixels of both parts.
//!
//! A cache serves or is left aside; it never is an error. One behind a symbolic link is
//! left aside: a folder of others could have gigabytes written wherever it points.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use artifact::Sha256;

use super::ImageFolder;
use crate::{Error, Part, Split};

/// Part of the key: another way to decode or resize is another version.
const VERSION: u32 = 2;
/// Two digests as hex, a line each.
const HEADER_BYTES: u64 = 2 * 65;

/// The cache of one folder with its options.
pub(super) struct Cache<'a> {
    folder: &'a ImageFolder,
    path: PathBuf,
    /// What the pixels are made from.
    key: Sha256,
}

impl<'a> Cache<'a> {
    pub(super) fn of(folder: &'a ImageFolder) -> Result<Self, Error> {
        // Other options have a file of their own; other pictures take its place.
        let options = format!("{:?}", folder.options);
        let name = Sha256::of_bytes(options.as_bytes()).to_string();
        let key = format!("{VERSION} {options} {}", folder.digest()?);
        Ok(Self {
            folder,
            path: folder
                .root
                .join(".burnish")
                .join(format!("{}.pixels", &name[..16])),
            key: Sha256::of_bytes(key.as_bytes()),
        })
    }

    /// The pictures of `part`, where the file is whole and made from the same.
    pub(super) fn read(&self, part: Part) -> Option<Split> {
        if self.is_elsewhere() {
            return None;
        }
        let bytes = |part| (self.folder.of_part(part).len() * self.folder.image_len()) as u64;
        let [train, test] = [Part::Train, Part::Test].map(bytes);
        let mut file = artifact::open_regular(&self.path).ok()?;
        if file.metadata().ok()?.len() != HEADER_BYTES + train + test {
            return None;
        }
        let mut header = [0; HEADER_BYTES as usize];
        file.read_exact(&mut header).ok()?;
        let (key, content) = std::str::from_utf8(&header).ok()?.split_once('\n')?;
        if key != self.key.to_string()
            || content.trim_end() != Sha256::of_reader(&mut file).ok()?.to_string()
        {
            return None;
        }
        let (start, length) = match part {
            Part::Train => (0, train),
            Part::Test => (train, test),
        };
        file.seek(SeekFrom::Start(HEADER_BYTES + start)).ok()?;
        let mut pixels = vec![0; length as usize];
        file.read_exact(&mut pixels).ok()?;
        Some(self.folder.split(part, pixels))
    }

    /// Keeps the pictures. A folder that cannot be written goes without.
    pub(super) fn write(&self, train: &Split, test: &Split) {
        if self.is_elsewhere() {
            return;
        }
        let pixels = [train, test].map(|split| split.images().pixels());
        let Ok(content) = Sha256::of_reader(pixels[0].chain(pixels[1])) else {
            return;
        };
        let _ = artifact::write(&self.path, |file| {
            write!(file, "{}\n{content}\n", self.key)?;
            pixels.iter().try_for_each(|pixels| file.write_all(pixels))
        });
    }

    /// Whether the file or its folder is a link.
    fn is_elsewhere(&self) -> bool {
        self.path.ancestors().take(2).any(Path::is_symlink)
    }
}
