//! The published datasets, as the sources deliver them today:
//! `cargo test --release -p dataset --test published -- --ignored`.
#![allow(clippy::unwrap_used)]

use dataset::{DatasetName, Normalization, Part, digest, fetch};

fn fetched_dataset_has(name: DatasetName, mean: f32, std: f32) {
    let folder = tempfile::tempdir().unwrap();
    let fetched = fetch(name, folder.path()).unwrap();
    assert_eq!(fetched.files.len(), 4);
    assert!(fetch(name, folder.path()).unwrap().files.is_empty());
    assert_eq!(digest(folder.path()).ok(), name.published_digest());

    let test = name.load(folder.path(), Part::Test).unwrap();
    assert_eq!(test.images().shape(), [10_000, 1, 28, 28]);
    let train = name.load(folder.path(), Part::Train).unwrap();
    assert_eq!(train.images().shape(), [60_000, 1, 28, 28]);
    assert_eq!(train.images().image_shape(), name.image_shape());
    let normalization = Normalization::of(train.images());
    assert!(
        (normalization.mean()[0] - mean).abs() < 5e-5,
        "{normalization:?}"
    );
    assert!(
        (normalization.std()[0] - std).abs() < 5e-5,
        "{normalization:?}"
    );
}

#[test]
#[ignore = "downloads 15 MB"]
fn mnist_is_fetched_and_has_its_known_moments() {
    fetched_dataset_has(DatasetName::Mnist, 0.1307, 0.3081);
}

#[test]
#[ignore = "downloads 31 MB"]
fn fashion_mnist_is_fetched_and_has_its_known_moments() {
    fetched_dataset_has(DatasetName::FashionMnist, 0.2860, 0.3530);
}
