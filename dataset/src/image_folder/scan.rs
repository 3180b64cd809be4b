//! Which pictures a folder holds, of which class and part.

use std::fs;
use std::path::{Path, PathBuf};

use artifact::Sha256;

use crate::{Error, LayoutError, Part, TestSplit};

/// Labels are bytes.
const MAX_CLASSES: usize = 256;
/// Endings of files that are read, in lower case.
const READ: [&str; 4] = ["png", "jpg", "jpeg", "webp"];
/// Endings of pictures that are not: nobody wants them passed over.
const NOT_READ: [&str; 12] = [
    "avif", "bmp", "gif", "heic", "heif", "jp2", "jxl", "pgm", "ppm", "svg", "tif", "tiff",
];

/// A picture in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) part: Part,
    pub(super) label: u8,
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// The classes, and the pictures of both parts: the training ones first, class
/// by class, by name.
pub(super) fn scan(root: &Path, test: TestSplit) -> Result<(Vec<String>, Vec<Listed>), Error> {
    let folders = folders(root)?;
    let named = |name: &str| folders.iter().find(|folder| folder.name == name);
    match (named("train"), named("test").or_else(|| named("val"))) {
        (Some(train), Some(test)) => parts(train, test),
        (Some(_), None) => Err(layout(root, LayoutError::NoTest)),
        (None, _) => divided(root, folders, test),
    }
}

/// Pictures in folders for both parts.
fn parts(train: &Entry, test: &Entry) -> Result<(Vec<String>, Vec<Listed>), Error> {
    let (classes, mut pictures) = classes_of(&train.path, folders(&train.path)?, Part::Train)?;
    let (test_classes, test_pictures) = classes_of(&test.path, folders(&test.path)?, Part::Test)?;
    if classes != test_classes {
        let problem = LayoutError::OtherClasses {
            folder: test.name.clone(),
            train: classes,
            test: test_classes,
        };
        return Err(layout(&test.path, problem));
    }
    pictures.extend(test_pictures);
    Ok((classes, pictures))
}

/// Pictures in folders of classes, a part of which are for the test.
fn divided(
    root: &Path,
    folders: Vec<Entry>,
    test: TestSplit,
) -> Result<(Vec<String>, Vec<Listed>), Error> {
    let (classes, mut pictures) = classes_of(root, folders, Part::Train)?;
    for class in pictures.chunk_by_mut(|a, b| a.label == b.label) {
        let count = test_count(class.len(), test.fraction).ok_or_else(|| {
            let problem = LayoutError::Pictures {
                found: class.len(),
                expected: 2,
                reason: " to have some for the test",
            };
            layout(class[0].path.parent().unwrap_or(root), problem)
        })?;
        class.sort_by_cached_key(|picture| {
            let name = format!(
                "{} {} {}",
                test.seed,
                classes[usize::from(picture.label)],
                picture.name
            );
            Sha256::of_bytes(name.as_bytes())
        });
        for picture in &mut class[..count] {
            picture.part = Part::Test;
        }
        class.sort_by(|a, b| a.name.cmp(&b.name));
    }
    pictures.sort_by_key(|picture| picture.part == Part::Test);
    Ok((classes, pictures))
}

/// How many of a class are for the test: the fraction, rounded, but at least
/// one for each part; all of them with a fraction of 1.
fn test_count(pictures: usize, fraction: f64) -> Option<usize> {
    if fraction == 1.0 {
        return Some(pictures);
    }
    let rounded = (pictures as f64 * fraction).round() as usize;
    (pictures >= 2).then(|| rounded.clamp(1, pictures - 1))
}

/// The classes of the folders in `parent`, with their pictures as of `part`.
fn classes_of(
    parent: &Path,
    folders: Vec<Entry>,
    part: Part,
) -> Result<(Vec<String>, Vec<Listed>), Error> {
    let found = folders.len();
    if found < 2 {
        return Err(layout(parent, LayoutError::Classes { found }));
    }
    if found > MAX_CLASSES {
        let limit = MAX_CLASSES;
        return Err(layout(parent, LayoutError::TooManyClasses { found, limit }));
    }
    let mut pictures = Vec::new();
    for (label, folder) in (0..=u8::MAX).zip(&folders) {
        let of_class = pictures_in(&folder.path)?;
        if of_class.is_empty() {
            let problem = LayoutError::Pictures {
                found: 0,
                expected: 1,
                reason: "",
            };
            return Err(layout(&folder.path, problem));
        }
        pictures.extend(of_class.into_iter().map(|Entry { name, path }| Listed {
            part,
            label,
            name,
            path,
        }));
    }
    let classes = folders.into_iter().map(|folder| folder.name).collect();
    Ok((classes, pictures))
}

/// Something in a folder.
struct Entry {
    name: String,
    path: PathBuf,
}

/// The folders in `parent`, by name.
fn folders(parent: &Path) -> Result<Vec<Entry>, Error> {
    let mut entries = entries(parent)?;
    entries.retain(|entry| entry.path.is_dir());
    Ok(entries)
}

/// The pictures in `folder`, by name.
fn pictures_in(folder: &Path) -> Result<Vec<Entry>, Error> {
    let mut pictures = Vec::new();
    for entry in entries(folder)? {
        let path = &entry.path;
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        let is_one_of = |endings: &[&str]| endings.iter().any(|known| ending == *known);
        // Behind a link, what it leads to.
        let metadata = fs::metadata(path);
        if metadata.as_ref().is_ok_and(fs::Metadata::is_dir) {
            return Err(layout(path, LayoutError::Nested));
        }
        if is_one_of(&NOT_READ) {
            return Err(layout(path, LayoutError::Format));
        }
        if !is_one_of(&READ) {
            continue;
        }
        // To open a pipe would wait for whoever writes it.
        if !metadata
            .map_err(artifact::Error::new("open", path))?
            .is_file()
        {
            return Err(layout(path, LayoutError::NotAFile));
        }
        pictures.push(entry);
    }
    Ok(pictures)
}

/// What is in `folder`, by name, but for names that start with a dot.
fn entries(folder: &Path) -> Result<Vec<Entry>, Error> {
    let listed = fs::read_dir(folder).map_err(artifact::Error::new("list", folder))?;
    let mut entries = Vec::new();
    for entry in listed {
        let entry = entry.map_err(artifact::Error::new("list", folder))?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            return Err(layout(&path, LayoutError::Name));
        };
        if !name.starts_with('.') {
            entries.push(Entry { name, path });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn layout(path: &Path, problem: LayoutError) -> Error {
    Error::Layout {
        path: path.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_pictures_in_both_parts() {
        assert_eq!(test_count(10, 0.2), Some(2));
        assert_eq!(test_count(2, 0.01), Some(1));
        assert_eq!(test_count(2, 0.99), Some(1));
        assert_eq!(test_count(1, 0.5), None);
        assert_eq!(test_count(1, 1.0), Some(1));
    }
}
