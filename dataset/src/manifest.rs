//! What the raw files of a published dataset are, to the byte.

use artifact::Sha256;

use crate::DatasetFile;

/// The digests and the lengths of the four raw files of a dataset, in the
/// order of [`DatasetFile::ALL`].
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    /// The dataset's name.
    pub(crate) name: &'static str,
    /// The SHA-256 of each raw file.
    pub(crate) sha256: [Sha256; 4],
    /// The length of each raw file in bytes.
    pub(crate) bytes: [u64; 4],
}

impl Manifest {
    pub(crate) fn sha256(&self, file: DatasetFile) -> Sha256 {
        self.sha256[file as usize]
    }

    pub(crate) fn bytes(&self, file: DatasetFile) -> u64 {
        self.bytes[file as usize]
    }
}
