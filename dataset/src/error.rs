//! What can be wrong with a dataset on disk.

use std::path::PathBuf;

use artifact::Sha256;

use crate::{DatasetFile, FetchError};

/// A dataset that cannot be read or fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a file or a folder.
    #[error(transparent)]
    File(#[from] artifact::Error),

    /// A folder lacks one of the four files.
    #[error(
        "no {file} in {}: it may be named `{}` or `{}`, or end in `.gz`",
        folder.display(), file.names()[0], file.names()[1]
    )]
    Missing {
        /// The folder that was searched.
        folder: PathBuf,
        /// The file that is not there.
        file: DatasetFile,
    },

    /// A file is not the IDX file that it should be.
    #[error("{}: {problem}", path.display())]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: IdxError,
    },

    /// A label is not the number of a class.
    #[error(
        "{}: label {index} is {label}, but there are {classes} classes (0 to {})",
        path.display(), classes.saturating_sub(1)
    )]
    Label {
        /// The file of labels.
        path: PathBuf,
        /// The position of the first label that is out of range.
        index: usize,
        /// That label.
        label: u8,
        /// The number of classes.
        classes: usize,
    },

    /// A file of images and its file of labels differ in length.
    #[error(
        "{} holds {images} images, but {} holds {labels} labels",
        image_file.display(), label_file.display()
    )]
    Count {
        /// The file of images.
        image_file: PathBuf,
        /// The number of images.
        images: usize,
        /// The file of labels.
        label_file: PathBuf,
        /// The number of labels.
        labels: usize,
    },

    /// A file of a published dataset is not the published one.
    #[error(
        "{}: the content has SHA-256 {found}, expected {expected}; \
         delete the file and fetch it again",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The digest of the published raw file.
        expected: Sha256,
        /// The digest of what the file holds, decompressed.
        found: Sha256,
    },

    /// A published dataset could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// What is wrong with one IDX file. Lengths are in bytes of the raw file.
#[derive(Debug, thiserror::Error)]
pub enum IdxError {
    /// The file ends before its header says.
    #[error("truncated: expected {expected} bytes, found {found}")]
    Truncated {
        /// The length that the header calls for.
        expected: u64,
        /// The length that is there, at the most.
        found: u64,
    },

    /// The file goes on after the end that its header says.
    #[error("oversized: expected {expected} bytes, found {found} or more")]
    Oversized {
        /// The length that the header calls for.
        expected: u64,
        /// The length that is there, at the least.
        found: u64,
    },

    /// The first four bytes are not those of this kind of file.
    #[error("wrong magic number: expected {expected:#010x}, found {found:#010x}")]
    Magic {
        /// The number that is expected.
        expected: u32,
        /// The number that is there.
        found: u32,
    },

    /// A dimension is zero, or all of them make more than can be read.
    #[error("impossible dimensions: found {found:?}, expected 1 to {limit} bytes in all")]
    Dimensions {
        /// The dimensions in the header.
        found: Vec<u32>,
        /// The largest product that is accepted.
        limit: u64,
    },

    /// The gzip stream is followed by something else.
    #[error("there are further bytes after the end of the gzip stream")]
    TrailingData,

    /// The file could not be read or decompressed.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
}
