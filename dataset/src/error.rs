//! What can be wrong with a dataset on disk.

use std::path::PathBuf;

use artifact::Sha256;

#[cfg(feature = "pictures")]
use crate::picture::PictureError;
use crate::{DatasetFile, FetchError};

/// A dataset that cannot be read or fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a file or a folder.
    #[error(transparent)]
    File(#[from] artifact::Error),

    /// There is no folder to read from.
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),

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
        "{}: the content has SHA-256 {found}, but the published file has {expected}; \
         nothing is fetched over it: move it away if it is your own, delete it if it is damaged",
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

    /// A folder lacks a file of CIFAR-10.
    #[error(
        "no `{file}` in {}, nor in `cifar-10-batches-bin` there",
        folder.display()
    )]
    MissingBatch {
        /// The folder that was searched.
        folder: PathBuf,
        /// The file that is not there.
        file: &'static str,
    },

    /// A file is not the CIFAR-10 file that it should be.
    #[error("{}: {problem}", path.display())]
    Cifar {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: CifarError,
    },

    /// A file is not the picture that it should be.
    #[cfg(feature = "pictures")]
    #[error(transparent)]
    Picture(#[from] PictureError),

    /// A picture is to be read by a build that cannot.
    #[cfg(not(feature = "pictures"))]
    #[error("{}: this build reads no pictures (it lacks the feature `pictures`)", path.display())]
    NoPictures {
        /// The file.
        path: PathBuf,
    },

    /// A folder of pictures is not laid out as it should be.
    #[error("{}: {problem}", path.display())]
    Layout {
        /// The folder, or the file in it that is out of place.
        path: PathBuf,
        /// What is wrong with it.
        problem: LayoutError,
    },

    /// A published dataset could not be fetched.
    #[error(transparent)]
    Fetch(#[from] Box<FetchError>),
}

/// What is wrong with one file of CIFAR-10.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CifarError {
    /// The file is empty, too long, or ends within a record.
    #[error(
        "found {found} bytes, but a whole number of records of {record} bytes is expected, up \
         to {limit} bytes in all"
    )]
    Length {
        /// The length of the file.
        found: u64,
        /// The length of a record.
        record: usize,
        /// The largest length that is accepted.
        limit: u64,
    },
    /// A label is no class.
    #[error("record {record} has the label {label}, but the classes are 0 to 9")]
    Label {
        /// The position of the first record with such a label.
        record: usize,
        /// Its label.
        label: u8,
    },
    /// A published file has another number of records.
    #[error(
        "found {found} records, but the published file has {expected}; nothing is fetched over \
         it: move it away if it is your own, delete it if it is damaged"
    )]
    Records {
        /// The number that was published.
        expected: usize,
        /// The number that is there.
        found: usize,
    },
}

/// What is wrong with the layout of a folder of pictures.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LayoutError {
    /// There are no classes to tell apart.
    #[error(
        "folders of classes: found {found}, but two or more are expected, as `CLASS/picture.png`, \
         or as `train/CLASS/…` and `test/CLASS/…`"
    )]
    Classes {
        /// The number of folders.
        found: usize,
    },
    /// There are more classes than a label can number.
    #[error("folders of classes: found {found}, but up to {limit} are expected")]
    TooManyClasses {
        /// The number of folders.
        found: usize,
        /// The largest number that is accepted.
        limit: usize,
    },
    /// A class has no pictures, or too few for both parts.
    #[error("pictures: found {found}, but a class needs at least {expected}{reason}")]
    Pictures {
        /// The number of pictures.
        found: usize,
        /// The smallest number that is accepted.
        expected: usize,
        /// Why, where that is not plain.
        reason: &'static str,
    },
    /// The classes of the test pictures are not those of the training ones.
    #[error(
        "the classes differ: `train` has {}, but `{folder}` has {}",
        train.join(", "), test.join(", ")
    )]
    OtherClasses {
        /// The folder of the test pictures.
        folder: String,
        /// The classes in `train`.
        train: Vec<String>,
        /// The classes in the other folder.
        test: Vec<String>,
    },
    /// There are training pictures, but no test pictures.
    #[error("there is `train`, but neither `test` nor `val` beside it")]
    NoTest,
    /// A folder stands where pictures should.
    #[error("this is a folder, but pictures are expected here; move them into the class's folder")]
    Nested,
    /// A picture's format is none that is read.
    #[error("this format is not read; convert it to PNG, JPEG or WebP, or take it out")]
    Format,
    /// Something with a picture's name is no file.
    #[error("this is no regular file; take it out")]
    NotAFile,
    /// A name is not text.
    #[error("the name is not UTF-8; rename it")]
    Name,
    /// All pictures together take more memory than is given to them.
    #[error(
        "{pictures} pictures take {bytes} bytes, but up to {limit} are expected; choose a smaller \
         size"
    )]
    Total {
        /// The number of pictures.
        pictures: usize,
        /// The bytes of all of them, resized.
        bytes: u64,
        /// The largest number that is accepted.
        limit: u64,
    },
    /// The size, in pixels, is impossible.
    #[error(
        "pictures cannot be resized to {height} × {width}; 1 to {limit} pixels each are expected"
    )]
    Size {
        /// The height that was asked for.
        height: usize,
        /// The width that was asked for.
        width: usize,
        /// The largest number that is accepted.
        limit: usize,
    },
    /// The part of the pictures that is kept for the test is impossible.
    #[error(
        "{0} of the pictures cannot be kept for the test; a number above 0, up to 1, is expected"
    )]
    Fraction(f64),
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
