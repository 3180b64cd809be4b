//! CIFAR-10 in its binary version: six files of records, each a byte for the
//! label and 32 · 32 bytes for each of red, green and blue, row by row.
//!
//! Source: A. Krizhevsky, "The CIFAR-10 dataset", section "Binary version".
//!
//! Files are not trusted: a file's length is held against the record's before
//! memory is taken for it, and never more than [`MAX_BATCH_BYTES`] is.

use std::io::Read;
use std::path::{Path, PathBuf};

use artifact::Sha256;

use crate::folder::is_there;
use crate::{CifarError, Error, Images, Part, Split};

/// Channels, height and width of an image.
const SHAPE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;
/// A label and its image.
const RECORD: usize = 1 + PIXELS;
const CLASSES: u8 = 10;
/// Records of each published file.
const PUBLISHED_RECORDS: usize = 10_000;
/// The most that is read of one file, and so the memory that one takes.
pub const MAX_BATCH_BYTES: u64 = (PUBLISHED_RECORDS * RECORD) as u64;

/// The folder in the published archive.
pub(crate) const ARCHIVE_FOLDER: &str = "cifar-10-batches-bin";
const TEST_BATCH: &str = "test_batch.bin";
const BATCHES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    TEST_BATCH,
];

/// The files of both parts, the training ones first.
pub(crate) fn batches() -> [&'static str; 6] {
    BATCHES
}

fn batches_of(part: Part) -> &'static [&'static str] {
    match part {
        Part::Train => &BATCHES[..5],
        Part::Test => &BATCHES[5..],
    }
}

/// Loads `part` of the CIFAR-10 files in `folder`, or in the folder that the
/// published archive makes there: [n, 3, 32, 32], up to 10,000 images a file.
///
/// # Errors
///
/// When a file is missing, is no whole number of records or holds too many, or
/// a label is not below 10.
pub fn load_split(folder: &Path, part: Part) -> Result<Split, Error> {
    load(folder, part, |_| Ok(()))
}

/// As [`load_split`], of files with 10,000 records each.
pub(crate) fn load_published(folder: &Path, part: Part) -> Result<Split, Error> {
    load(folder, part, check_published)
}

fn check_published(records: usize) -> Result<(), CifarError> {
    match records {
        PUBLISHED_RECORDS => Ok(()),
        found => Err(CifarError::Records {
            expected: PUBLISHED_RECORDS,
            found,
        }),
    }
}

fn load(
    folder: &Path,
    part: Part,
    check: impl Fn(usize) -> Result<(), CifarError>,
) -> Result<Split, Error> {
    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    for name in batches_of(part) {
        let path = require(folder, name)?;
        let batch = read(&path)?;
        check(batch.len() / RECORD)
            .and_then(|()| decode_into(&batch, &mut labels, &mut pixels))
            .map_err(|problem| Error::Cifar { path, problem })?;
    }
    Ok(split(labels, pixels))
}

/// The records of one file as labelled images, [n, 3, 32, 32].
///
/// # Errors
///
/// When `bytes` is no whole number of records, and at least one, or a label is
/// not below 10.
pub fn decode(bytes: &[u8]) -> Result<Split, CifarError> {
    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    check_length(bytes.len() as u64)?;
    decode_into(bytes, &mut labels, &mut pixels)?;
    Ok(split(labels, pixels))
}

fn split(labels: Vec<u8>, pixels: Vec<u8>) -> Split {
    let [channels, height, width] = SHAPE;
    Images::new(pixels, [labels.len(), channels, height, width])
        .ok()
        .and_then(|images| Split::new(images, labels).ok())
        .expect("each record adds a label and an image")
}

fn decode_into(batch: &[u8], labels: &mut Vec<u8>, pixels: &mut Vec<u8>) -> Result<(), CifarError> {
    pixels.reserve_exact(batch.len() / RECORD * PIXELS);
    for (record, bytes) in batch.chunks_exact(RECORD).enumerate() {
        let label = bytes[0];
        if label >= CLASSES {
            return Err(CifarError::Label { record, label });
        }
        labels.push(label);
        pixels.extend_from_slice(&bytes[1..]);
    }
    Ok(())
}

fn check_length(bytes: u64) -> Result<(), CifarError> {
    if bytes > 0 && bytes <= MAX_BATCH_BYTES && bytes.is_multiple_of(RECORD as u64) {
        return Ok(());
    }
    Err(CifarError::Length {
        found: bytes,
        record: RECORD,
        limit: MAX_BATCH_BYTES,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let file = artifact::open_regular(path).map_err(artifact::Error::new("open", path))?;
    let length = file
        .metadata()
        .map_err(artifact::Error::new("read", path))?
        .len();
    let problem = |problem| Error::Cifar {
        path: path.to_owned(),
        problem,
    };
    check_length(length).map_err(problem)?;
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(length)
        .read_to_end(&mut bytes)
        .map_err(artifact::Error::new("read", path))?;
    // It may have been cut since.
    check_length(bytes.len() as u64).map_err(problem)?;
    Ok(bytes)
}

/// Where a file may be, the place that counts most first.
fn places(folder: &Path, name: &str) -> [PathBuf; 2] {
    [folder.join(name), folder.join(ARCHIVE_FOLDER).join(name)]
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    places(folder, name).into_iter().find(|path| path.is_file())
}

fn require(folder: &Path, name: &'static str) -> Result<PathBuf, Error> {
    is_there(folder)?;
    find(folder, name).ok_or_else(|| Error::MissingBatch {
        folder: folder.to_owned(),
        file: name,
    })
}

/// Which of the six files `folder` lacks; those that are there must have the
/// published length.
pub(crate) fn missing(folder: &Path) -> Result<Vec<&'static str>, Error> {
    let mut missing = Vec::new();
    for name in batches() {
        let Some(path) = find(folder, name) else {
            missing.push(name);
            continue;
        };
        let metadata = path.metadata();
        let length = metadata.map_err(artifact::Error::new("read", &path))?.len();
        check_length(length)
            .and_then(|()| check_published(length as usize / RECORD))
            .map_err(|problem| Error::Cifar { path, problem })?;
    }
    Ok(missing)
}

/// Whether `folder` holds any of the six files.
pub fn is_in(folder: &Path) -> bool {
    batches()
        .into_iter()
        .any(|name| find(folder, name).is_some())
}

/// The digest of the dataset in `folder`: that of the text which `sha256sum`
/// prints for the six files by their names, the training ones first.
///
/// # Errors
///
/// When a file is missing or cannot be read.
pub fn digest(folder: &Path) -> Result<Sha256, Error> {
    let mut listing = String::new();
    for name in batches() {
        let digest = Sha256::of_file(&require(folder, name)?)?;
        listing += &format!("{digest}  {name}\n");
    }
    Ok(Sha256::of_bytes(listing.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Records whose pixels are 1 in red, 2 in green and 3 in blue.
    fn records(labels: &[u8]) -> Vec<u8> {
        let planes = [[1; 1024], [2; 1024], [3; 1024]].concat();
        labels
            .iter()
            .flat_map(|label| [&[*label][..], &planes].concat())
            .collect()
    }

    #[test]
    fn planes_and_labels_are_those_of_the_records() {
        let split = decode(&records(&[9, 0])).unwrap();
        assert_eq!(split.labels(), [9, 0]);
        assert_eq!(split.images().shape(), [2, 3, 32, 32]);
        let image = split.images().image(1);
        assert_eq!([image[0], image[1024], image[3071]], [1, 2, 3]);
    }

    #[test]
    fn label_that_is_no_class_is_named_with_its_record() {
        let error = decode(&records(&[9, 10])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "record 1 has the label 10, but the classes are 0 to 9"
        );
    }

    #[test]
    fn length_that_is_no_whole_number_of_records_is_rejected() {
        let whole = records(&[1, 2]);
        for bytes in [&[][..], &whole[..1], &whole[..whole.len() - 1]] {
            let error = decode(bytes).unwrap_err();
            assert!(
                matches!(error, CifarError::Length { found, .. } if found == bytes.len() as u64)
            );
        }
    }

    #[test]
    fn files_of_a_folder_are_one_dataset_wherever_the_archive_put_them() {
        let [flat, nested] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        for (index, name) in (0..).zip(batches()) {
            let bytes = records(&[index, index + 1]);
            artifact::write_bytes(&flat.path().join(name), &bytes).unwrap();
            let path = nested.path().join(ARCHIVE_FOLDER).join(name);
            artifact::write_bytes(&path, &bytes).unwrap();
        }
        let train = load_split(flat.path(), Part::Train).unwrap();
        assert_eq!(train.labels(), [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]);
        assert!(train == load_split(nested.path(), Part::Train).unwrap());
        assert_eq!(load_split(flat.path(), Part::Test).unwrap().len(), 2);
        assert_eq!(digest(flat.path()).unwrap(), digest(nested.path()).unwrap());
        let error = load_published(flat.path(), Part::Test).unwrap_err();
        assert!(error.to_string().contains("2 records"), "{error}");
    }

    #[test]
    fn missing_file_is_named_with_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let message = load_split(folder.path(), Part::Test)
            .unwrap_err()
            .to_string();
        assert!(message.contains(TEST_BATCH), "{message}");
        assert!(message.contains(&folder.path().display().to_string()));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(length in 0_usize..3 * RECORD, byte: u8) {
            if let Ok(split) = decode(&vec![byte; length]) {
                prop_assert_eq!(split.len() * RECORD, length);
            }
        }
    }
}
