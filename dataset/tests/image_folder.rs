//! Folders of pictures, as a user of the library sees them.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use dataset::{
    Error, Fit, ImageFolder, ImageFolderOptions, LayoutError, Part, TestSplit, load_split,
};
use tempfile::TempDir;

const GREY: ImageFolderOptions = ImageFolderOptions {
    shape: [1, 28, 28],
    fit: Fit::Stretch,
    test: TestSplit {
        fraction: 0.25,
        seed: 1,
    },
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

/// A copy of the fixture, in folders for both parts if `parts`.
fn copy(parts: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for class in ["0", "1", "2"] {
        for entry in fs::read_dir(fixture("digits").join(class)).unwrap() {
            let from = entry.unwrap().path();
            for part in parts {
                let to = folder.path().join(part).join(class);
                fs::create_dir_all(&to).unwrap();
                fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
            }
        }
    }
    folder
}

fn open(folder: &TempDir) -> Result<ImageFolder, Error> {
    ImageFolder::open(folder.path(), GREY)
}

#[track_caller]
fn problem(folder: &TempDir) -> (PathBuf, LayoutError) {
    match open(folder) {
        Err(Error::Layout { path, problem }) => (path, problem),
        other => panic!("{other:?}"),
    }
}

#[test]
fn pictures_are_the_images_that_they_were_made_from() {
    let folder = copy(&["train", "test"]);
    let opened = open(&folder).unwrap();
    assert_eq!(opened.classes(), ["0", "1", "2"]);
    let split = opened.load(Part::Train).unwrap();
    assert_eq!(split.images().shape(), [36, 1, 28, 28]);
    assert_eq!(split.labels(), [[0; 12], [1; 12], [2; 12]].concat());
    let mnist = load_split(&fixture("mnist"), Part::Train, 10).unwrap();
    for class in 0..3 {
        let is_class = |index: &usize| mnist.labels()[*index] == class;
        let of_class = (0..mnist.len()).filter(is_class);
        for (number, index) in of_class.take(12).enumerate() {
            let found = split.images().image(usize::from(class) * 12 + number);
            let expected = mnist.images().image(index);
            let difference = found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
            let difference: u32 = difference.map(u32::from).sum();
            // 1, 4, 7, … are JPEG, which is not exact.
            let most = if number % 3 == 1 { 8 * 784 } else { 0 };
            assert!(difference <= most, "{class} {number}: {difference}");
        }
    }
}

#[test]
fn split_by_seed_takes_a_part_of_each_class_and_every_picture_once() {
    let folder = copy(&["."]);
    let load = |seed, part| {
        let mut options = GREY;
        options.test.seed = seed;
        let opened = ImageFolder::open(folder.path(), options).unwrap();
        opened.load(part).unwrap()
    };
    let (train, test) = (load(1, Part::Train), load(1, Part::Test));
    assert_eq!(test.labels(), [[0; 3], [1; 3], [2; 3]].concat());
    assert_eq!(train.labels(), [[0; 9], [1; 9], [2; 9]].concat());
    let images = |split: &dataset::Split| -> Vec<Vec<u8>> {
        (0..split.len())
            .map(|index| split.images().image(index).to_vec())
            .collect()
    };
    let mut all = [images(&train), images(&test)].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 36);
    assert!(test == load(1, Part::Test));
    assert!(test != load(2, Part::Test));
}

#[test]
fn cache_serves_the_same_images_and_another_picture_is_seen() {
    let folder = copy(&["."]);
    let first = open(&folder).unwrap().load(Part::Train).unwrap();
    let digest = open(&folder).unwrap().digest().unwrap();
    let caches = || {
        fs::read_dir(folder.path().join(".burnish"))
            .unwrap()
            .count()
    };
    assert_eq!(caches(), 1);
    assert!(open(&folder).unwrap().load(Part::Train).unwrap() == first);

    // A cache that is damaged is left aside.
    let cache = fs::read_dir(folder.path().join(".burnish")).unwrap();
    let cache = cache.last().unwrap().unwrap().path();
    let mut bytes = fs::read(&cache).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&cache, &bytes).unwrap();
    assert!(open(&folder).unwrap().load(Part::Train).unwrap() == first);
    assert!(open(&folder).unwrap().load(Part::Test).is_ok());

    for number in ["00", "03", "06", "09"] {
        let path = folder.path().join("0").join(number).with_extension("png");
        fs::copy(folder.path().join("1/00.png"), path).unwrap();
    }
    assert_ne!(open(&folder).unwrap().digest().unwrap(), digest);
    assert!(open(&folder).unwrap().load(Part::Train).unwrap() != first);
    assert_eq!(caches(), 1, "the cache takes the place of the old one");
}

#[cfg(unix)]
#[test]
fn cache_behind_a_link_is_neither_read_nor_written() {
    use std::os::unix::fs::symlink;
    let (folder, elsewhere) = (copy(&["."]), tempfile::tempdir().unwrap());
    let burnish = folder.path().join(".burnish");
    let content = || fs::read_dir(elsewhere.path()).unwrap().count();

    symlink(elsewhere.path(), &burnish).unwrap();
    let images = open(&folder).unwrap().load(Part::Train).unwrap();
    assert_eq!(content(), 0);

    // Whole, but with other pixels.
    fs::remove_file(&burnish).unwrap();
    open(&folder).unwrap().load(Part::Train).unwrap();
    let cache = fs::read_dir(&burnish).unwrap().last().unwrap().unwrap();
    let bytes = fs::read(cache.path()).unwrap();
    let (header, pixels) = (&bytes[..65], vec![7; bytes.len() - 130]);
    let digest = artifact::Sha256::of_bytes(&pixels).to_string();
    let forged = elsewhere.path().join(cache.file_name());
    fs::write(
        &forged,
        [header, digest.as_bytes(), b"\n", &pixels].concat(),
    )
    .unwrap();
    fs::remove_dir_all(&burnish).unwrap();
    symlink(elsewhere.path(), &burnish).unwrap();
    assert!(open(&folder).unwrap().load(Part::Train).unwrap() == images);

    fs::remove_file(&burnish).unwrap();
    fs::create_dir(&burnish).unwrap();
    symlink(&forged, burnish.join(cache.file_name())).unwrap();
    assert!(open(&folder).unwrap().load(Part::Train).unwrap() == images);
    assert!(burnish.join(cache.file_name()).is_symlink());
}

#[test]
fn damaged_picture_is_named() {
    let folder = copy(&["train", "test"]);
    for (name, text) in [
        ("00.png", "damaged"),
        ("01.jpg", "truncated"),
        ("02.webp", "damaged"),
    ] {
        let path = folder.path().join("train/1").join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let message = open(&folder)
            .unwrap()
            .load(Part::Test)
            .unwrap_err()
            .to_string();
        assert!(message.contains(text), "{message}");
        assert!(message.contains(&path.display().to_string()), "{message}");
        fs::write(&path, whole).unwrap();
    }
    let path = folder.path().join("test/2/00.png");
    fs::write(&path, "<!DOCTYPE html>").unwrap();
    let message = open(&folder)
        .unwrap()
        .load(Part::Test)
        .unwrap_err()
        .to_string();
    assert!(message.contains("neither PNG, JPEG nor WebP"), "{message}");
}

#[test]
fn folders_that_are_not_classes_of_pictures_are_refused_with_their_place() {
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(problem(&empty).1, LayoutError::Classes { found: 0 });

    let folder = copy(&["."]);
    fs::create_dir(folder.path().join("3")).unwrap();
    let (path, found) = problem(&folder);
    assert!(path.ends_with("3"), "{}", path.display());
    assert!(matches!(found, LayoutError::Pictures { found: 0, .. }));
    fs::copy(
        folder.path().join("1/00.png"),
        folder.path().join("3/one.png"),
    )
    .unwrap();
    assert!(problem(&folder).1.to_string().contains("at least 2"));

    let folder = copy(&["train", "test"]);
    fs::rename(folder.path().join("test/2"), folder.path().join("test/two")).unwrap();
    let message = problem(&folder).1.to_string();
    assert!(message.contains("`train` has 0, 1, 2, but `test` has 0, 1, two"));
    fs::remove_dir_all(folder.path().join("test")).unwrap();
    assert_eq!(problem(&folder).1, LayoutError::NoTest);
}

#[test]
fn what_is_no_picture_is_left_out_or_refused_but_never_passed_over_by_mistake() {
    let folder = copy(&["."]);
    let class = folder.path().join("1");
    fs::write(class.join("notes.txt"), "notes").unwrap();
    fs::write(class.join(".hidden.png"), "hidden").unwrap();
    fs::write(folder.path().join("README.md"), "about").unwrap();
    assert_eq!(open(&folder).unwrap().load(Part::Train).unwrap().len(), 27);

    fs::write(class.join("scan.TIFF"), "II*").unwrap();
    let (path, found) = problem(&folder);
    assert!(path.ends_with("1/scan.TIFF"));
    assert_eq!(found, LayoutError::Format);
    fs::remove_file(&path).unwrap();

    fs::create_dir(class.join("more")).unwrap();
    assert_eq!(problem(&folder).1, LayoutError::Nested);
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_must_lead_to_files() {
    use std::os::unix::fs::symlink;
    let folder = copy(&["."]);
    let class = folder.path().join("1");
    symlink(folder.path().join("0/00.png"), class.join("link.png")).unwrap();
    let opened = open(&folder).unwrap();
    let [train, test] = [Part::Train, Part::Test].map(|part| opened.load(part).unwrap().len());
    assert_eq!(train + test, 37);

    symlink("/nonexistent/one.png", class.join("broken.png")).unwrap();
    let message = open(&folder).unwrap_err().to_string();
    assert!(message.contains("broken.png"), "{message}");
    fs::remove_file(class.join("broken.png")).unwrap();

    // A link to the folder above leads nowhere new.
    symlink("..", class.join("up")).unwrap();
    assert_eq!(problem(&folder).1, LayoutError::Nested);
    fs::remove_file(class.join("up")).unwrap();

    symlink("/dev/zero", class.join("endless.png")).unwrap();
    assert_eq!(problem(&folder).1, LayoutError::NotAFile);
}

#[cfg(unix)]
#[test]
fn folder_that_cannot_be_written_goes_without_a_cache() {
    let folder = copy(&["."]);
    // Where the cache's folder should be, a file is in the way.
    fs::write(folder.path().join(".burnish"), "").unwrap();
    assert_eq!(open(&folder).unwrap().load(Part::Train).unwrap().len(), 27);
}

#[test]
fn options_that_are_impossible_are_refused() {
    let folder = copy(&["."]);
    let refused = |change: fn(&mut ImageFolderOptions)| {
        let mut options = GREY;
        change(&mut options);
        ImageFolder::open(folder.path(), options).unwrap_err();
    };
    refused(|options| options.shape = [1, 0, 28]);
    refused(|options| options.shape = [3, 28, 1 << 20]);
    refused(|options| options.shape = [2, 28, 28]);
    refused(|options| options.test.fraction = 0.0);
    refused(|options| options.test.fraction = f64::NAN);
    refused(|options| options.test.fraction = 1.5);
}
