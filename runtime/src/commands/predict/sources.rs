//! Where the pictures are: files, folders, patterns, stdin.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dataset::picture::{self, PictureError};
use image::DynamicImage;

/// A picture to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    File(PathBuf),
    Stdin,
}

/// A path that leads to no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is nothing.
    #[error("there is no file or folder `{}`", .0.display())]
    NotFound(PathBuf),
    /// There are files, but none that are pictures.
    #[error("there is no picture in `{}`: no .png, .jpg, .jpeg or .webp", .0.display())]
    Empty(PathBuf),
    /// No file fits the pattern.
    #[error("no file matches `{0}`")]
    NoMatch(String),
    /// The pattern is none.
    #[error("`{pattern}` is no pattern: {reason}")]
    Pattern {
        pattern: String,
        reason: &'static str,
    },
}

/// The ends of pictures' names.
const ENDINGS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

impl Source {
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "stdin".to_owned(),
        }
    }

    pub(super) fn picture(&self) -> Result<DynamicImage, PictureError> {
        match self {
            Self::File(path) => picture::open(path),
            Self::Stdin => picture::read_bounded(io::stdin().lock())
                .and_then(|bytes| picture::decode(&bytes))
                .map_err(|problem| PictureError {
                    path: self.name().into(),
                    problem,
                }),
        }
    }
}

/// The pictures at `paths`; those of a folder or a pattern in the order of their
/// names.
pub(super) fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            sources.push(Source::Stdin);
        } else if path.is_dir() {
            sources.extend(in_folder(path)?.into_iter().map(Source::File));
        } else if path.exists() {
            sources.push(Source::File(path.clone()));
        } else {
            sources.extend(matching(path)?.into_iter().map(Source::File));
        }
    }
    Ok(sources)
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let failed = |error| artifact::Error::new("read", folder)(error);
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        if ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
            files.push(path);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(Error::Empty(folder.to_owned()).into()),
        false => Ok(files),
    }
}

/// The files that fit a pattern, for shells that do not expand it.
fn matching(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let Some(pattern) = path.to_str().filter(|text| text.contains(['*', '?', '['])) else {
        return Err(Error::NotFound(path.to_owned()));
    };
    let found = glob::glob(pattern).map_err(|error| Error::Pattern {
        pattern: pattern.to_owned(),
        reason: error.msg,
    })?;
    let files: Vec<_> = found
        .filter_map(Result::ok)
        .filter(|path| path.is_file())
        .collect();
    match files.is_empty() {
        true => Err(Error::NoMatch(pattern.to_owned())),
        false => Ok(files),
    }
}
