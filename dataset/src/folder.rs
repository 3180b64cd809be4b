//! A dataset as a folder of four IDX files.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use artifact::Sha256;

use crate::{Error, Idx, Images, Part, Split, cifar10, idx};

/// One of the four files of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatasetFile {
    /// The images that a model learns from.
    TrainImages,
    /// Their labels.
    TrainLabels,
    /// The images that a model is evaluated on.
    TestImages,
    /// Their labels.
    TestLabels,
}

impl DatasetFile {
    /// The four files, in the order of [`digest`].
    pub const ALL: [Self; 4] = [
        Self::TrainImages,
        Self::TrainLabels,
        Self::TestImages,
        Self::TestLabels,
    ];

    /// The names that the raw file goes by: first the published one, then
    /// the one that some programs make of it. Gzipped, `.gz` follows.
    pub fn names(self) -> [&'static str; 2] {
        match self {
            Self::TrainImages => ["train-images-idx3-ubyte", "train-images.idx3-ubyte"],
            Self::TrainLabels => ["train-labels-idx1-ubyte", "train-labels.idx1-ubyte"],
            Self::TestImages => ["t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"],
            Self::TestLabels => ["t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"],
        }
    }

    /// The number of dimensions: 3 for images, 1 for labels.
    pub fn rank(self) -> usize {
        match self {
            Self::TrainImages | Self::TestImages => 3,
            Self::TrainLabels | Self::TestLabels => 1,
        }
    }

    /// The images and the labels of `part`.
    fn of_part(part: Part) -> [Self; 2] {
        match part {
            Part::Train => [Self::TrainImages, Self::TrainLabels],
            Part::Test => [Self::TestImages, Self::TestLabels],
        }
    }

    /// Where the file may be in `folder`, the place that counts most first.
    pub(crate) fn places(self, folder: &Path) -> [PathBuf; 4] {
        let [published, dotted] = self.names();
        [
            folder.join(published),
            folder.join(dotted),
            folder.join(format!("{published}.gz")),
            folder.join(format!("{dotted}.gz")),
        ]
    }

    /// The file in `folder` that counts, if there is one.
    pub(crate) fn find(self, folder: &Path) -> Option<PathBuf> {
        self.places(folder).into_iter().find(|path| path.is_file())
    }

    fn require(self, folder: &Path) -> Result<PathBuf, Error> {
        is_there(folder)?;
        self.find(folder).ok_or_else(|| Error::Missing {
            folder: folder.to_owned(),
            file: self,
        })
    }
}

/// Checks that there is a folder to read from.
pub(crate) fn is_there(folder: &Path) -> Result<(), Error> {
    match folder.is_dir() {
        true => Ok(()),
        false => Err(Error::NoFolder(folder.to_owned())),
    }
}

impl DatasetFile {
    /// What it holds, in words.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::TrainImages => "training images",
            Self::TrainLabels => "training labels",
            Self::TestImages => "test images",
            Self::TestLabels => "test labels",
        }
    }
}

impl fmt::Display for DatasetFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// Loads `part` of the dataset in `folder`: one-channel images,
/// [n, 1, height, width], with labels below `classes`.
///
/// Of a file that is there more than once, the raw one counts before the
/// gzipped one, and `train-images-idx3-ubyte` before `train-images.idx3-ubyte`.
///
/// # Errors
///
/// When a file is missing or malformed, a label is not below `classes`, or
/// there are not as many labels as images.
pub fn load_split(folder: &Path, part: Part, classes: usize) -> Result<Split, Error> {
    load_split_checked(folder, part, classes, |_, _, _| Ok(()))
}

/// As [`load_split`], with `check` on each file before its content is used.
pub(crate) fn load_split_checked(
    folder: &Path,
    part: Part,
    classes: usize,
    check: impl Fn(DatasetFile, &Path, &Idx) -> Result<(), Error>,
) -> Result<Split, Error> {
    let read = |file: DatasetFile| {
        let path = file.require(folder)?;
        let idx = Idx::read(&path, file.rank())?;
        check(file, &path, &idx)?;
        Ok::<_, Error>((path, idx))
    };
    let [images, labels] = DatasetFile::of_part(part);
    pair(read(images)?, read(labels)?, classes)
}

fn pair(
    (image_file, images): (PathBuf, Idx),
    (label_file, labels): (PathBuf, Idx),
    classes: usize,
) -> Result<Split, Error> {
    check_labels(&label_file, labels.data(), classes)?;
    let [n, height, width] = images.dims() else {
        unreachable!("images are read with three dimensions");
    };
    let shape = [*n as usize, 1, *height as usize, *width as usize];
    let (image_count, label_count) = (shape[0], labels.data().len());
    Images::new(images.into_data(), shape)
        .ok()
        .and_then(|images| Split::new(images, labels.into_data()).ok())
        .ok_or(Error::Count {
            image_file,
            images: image_count,
            label_file,
            labels: label_count,
        })
}

fn check_labels(path: &Path, labels: &[u8], classes: usize) -> Result<(), Error> {
    let wrong = labels.iter().position(|&l| usize::from(l) >= classes);
    wrong.map_or(Ok(()), |index| {
        Err(Error::Label {
            path: path.to_owned(),
            index,
            label: labels[index],
            classes,
        })
    })
}

/// Whether `path` has the name of a dataset's file: of one of IDX, raw or
/// gzipped, or of CIFAR-10.
pub fn is_dataset_file(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else {
        return false;
    };
    let raw = name.strip_suffix(".gz").unwrap_or(name);
    let idx = DatasetFile::ALL
        .iter()
        .any(|file| file.names().contains(&raw));
    idx || cifar10::batches().contains(&name)
}

/// Whether `folder` holds any of the four files.
pub fn holds_idx(folder: &Path) -> bool {
    DatasetFile::ALL
        .iter()
        .any(|file| file.find(folder).is_some())
}

/// How many images `part` of the IDX files in `folder` has, by the header.
///
/// # Errors
///
/// When the file of the images is missing or its header is malformed.
pub fn count_images(folder: &Path, part: Part) -> Result<usize, Error> {
    let [images, _] = DatasetFile::of_part(part);
    let dims = Idx::read_dims(&images.require(folder)?, images.rank())?;
    Ok(dims.first().map_or(0, |&count| count as usize))
}

/// The digest of the whole dataset in `folder`, the same for raw and gzipped
/// files: that of the text which `sha256sum` prints for the four raw files
/// under their published names, in the order of [`DatasetFile::ALL`].
///
/// # Errors
///
/// When a file is missing or cannot be read.
pub fn digest(folder: &Path) -> Result<Sha256, Error> {
    let [a, b, c, d] = DatasetFile::ALL.map(|file| idx::raw_sha256(&file.require(folder)?));
    Ok(combine([a?, b?, c?, d?]))
}

/// The digest of a dataset from those of its raw files.
pub(crate) fn combine(digests: [Sha256; 4]) -> Sha256 {
    let line = |(digest, file): (Sha256, DatasetFile)| format!("{digest}  {}\n", file.names()[0]);
    let listing: String = digests
        .into_iter()
        .zip(DatasetFile::ALL)
        .map(line)
        .collect();
    Sha256::of_bytes(listing.as_bytes())
}
