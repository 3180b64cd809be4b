//! Folders of IDX files, as a user of the library sees them.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use dataset::{
    DatasetFile, DatasetName, Error, Idx, IdxError, Normalization, Part, digest, load_split,
};
use tempfile::TempDir;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mnist")
}

/// A folder with the given test images, 1 × 2 pixels each, and labels.
fn folder_of(images: &[u8], labels: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let images = Idx::new(vec![images.len() as u32 / 2, 1, 2], images.to_vec()).unwrap();
    let labels = Idx::new(vec![labels.len() as u32], labels.to_vec()).unwrap();
    store(&images, &folder.path().join("t10k-images-idx3-ubyte"));
    store(&labels, &folder.path().join("t10k-labels-idx1-ubyte"));
    folder
}

fn store(idx: &Idx, path: &Path) {
    artifact::write(path, |file| idx.encode(file)).unwrap();
}

fn test_error(folder: &TempDir) -> Error {
    load_split(folder.path(), Part::Test, 10).unwrap_err()
}

#[test]
fn fixture_is_balanced_and_looks_like_mnist() {
    for (part, n) in [(Part::Train, 600), (Part::Test, 200)] {
        let split = load_split(&fixture(), part, 10).unwrap();
        assert_eq!(split.images().shape(), [n, 1, 28, 28]);
        for class in 0..10 {
            let count = split.labels().iter().filter(|&&l| l == class).count();
            assert_eq!(count, n / 10, "{part} {class}");
        }
    }
    // MNIST starts with these labels.
    let train = load_split(&fixture(), Part::Train, 10).unwrap();
    assert_eq!(train.labels()[..5], [5, 0, 4, 1, 9]);
    let normalization = Normalization::of(train.images());
    assert!((normalization.mean()[0] - 0.1307).abs() < 0.01);
    assert!((normalization.std()[0] - 0.3081).abs() < 0.01);
}

#[test]
fn raw_and_gzipped_files_of_either_name_are_one_dataset() {
    let folder = tempfile::tempdir().unwrap();
    for file in DatasetFile::ALL {
        let [published, dotted] = file.names();
        let gzipped = fixture().join(format!("{published}.gz"));
        let idx = Idx::read(&gzipped, file.rank()).unwrap();
        store(&idx, &folder.path().join(dotted));
    }
    assert_eq!(digest(folder.path()).unwrap(), digest(&fixture()).unwrap());
    for part in [Part::Train, Part::Test] {
        let split = load_split(folder.path(), part, 10).unwrap();
        assert!(split == load_split(&fixture(), part, 10).unwrap());
    }
}

#[test]
fn missing_file_is_named_with_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let message = test_error(&folder).to_string();
    assert!(message.contains("t10k-images-idx3-ubyte"), "{message}");
    assert!(
        message.contains(&folder.path().display().to_string()),
        "{message}"
    );
}

#[test]
fn label_out_of_range_is_named_with_its_place() {
    let message = test_error(&folder_of(&[0; 6], &[9, 10, 11])).to_string();
    assert!(
        message.ends_with("label 1 is 10, but there are 10 classes (0 to 9)"),
        "{message}"
    );
}

#[test]
fn images_without_labels_are_rejected() {
    let error = test_error(&folder_of(&[0; 6], &[1, 2]));
    assert!(
        matches!(
            &error,
            Error::Count {
                images: 3,
                labels: 2,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn malformed_file_is_named_with_what_is_wrong() {
    let folder = folder_of(&[0; 6], &[1, 2, 3]);
    let path = folder.path().join("t10k-images-idx3-ubyte");
    let whole = fs::read(&path).unwrap();

    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let message = test_error(&folder).to_string();
    let expected = format!("{}: truncated: expected 22 bytes, found 21", path.display());
    assert_eq!(message, expected);

    fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
    let message = test_error(&folder).to_string();
    assert!(
        message.contains("oversized: expected 22 bytes, found 23"),
        "{message}"
    );

    fs::write(&path, "<!DOCTYPE html>").unwrap();
    let error = test_error(&folder);
    assert!(
        matches!(
            error,
            Error::Idx {
                problem: IdxError::Magic { .. },
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn altered_files_of_a_named_dataset_are_rejected_with_both_digests() {
    let error = DatasetName::Mnist.load(&fixture(), Part::Test).unwrap_err();
    let Error::Checksum {
        path,
        expected,
        found,
    } = error
    else {
        panic!("{error}");
    };
    assert!(path.ends_with("t10k-images-idx3-ubyte.gz"));
    let published = DatasetName::Mnist.sha256(DatasetFile::TestImages);
    assert_eq!(Some(expected), published);
    assert_eq!(found, Idx::read(&path, 3).unwrap().sha256());
    assert!(!DatasetName::Mnist.is_complete(&fixture()));
}
