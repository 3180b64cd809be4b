//! Pictures in a folder for each class: `root/CLASS/*.png`, or
//! `root/train/CLASS/…` and `root/test/CLASS/…` (or `val`).
//!
//! Classes are the folders' names in ascending order of their bytes. Symbolic
//! links are followed; names that start with a dot are left out, as are files
//! that are no pictures by their ending. Memory is bounded: all pictures, once
//! resized, take at most [`MAX_BYTES`], and those that are being decoded what
//! `picture` says, one for each thread.

mod cache;
#[cfg(feature = "pictures")]
mod decode;
mod scan;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use artifact::Sha256;
#[cfg(feature = "pictures")]
use rayon::prelude::*;

use crate::folder::is_there;
use crate::{Error, ImageFolderOptions, Images, LayoutError, Part, Split};
use scan::Listed;

/// The most that all resized pictures may take.
pub const MAX_BYTES: u64 = 4 << 30;
/// The largest height and width that pictures are resized to.
const MAX_SIDE: usize = 4096;

/// A folder of pictures, as it was when it was opened.
#[derive(Debug)]
pub struct ImageFolder {
    root: PathBuf,
    options: ImageFolderOptions,
    classes: Vec<String>,
    /// All pictures: part by part, class by class, by name.
    pictures: Vec<Listed>,
    /// SHA-256 of each picture's file, when they have been read once.
    digests: OnceLock<Vec<Sha256>>,
}

impl ImageFolder {
    /// Lists the pictures in `root`; none is read yet.
    ///
    /// # Errors
    ///
    /// When the folder cannot be listed, is not laid out in classes, holds
    /// something where only pictures may be, or holds too much.
    pub fn open(root: &Path, options: ImageFolderOptions) -> Result<Self, Error> {
        let layout = |problem| Error::Layout {
            path: root.to_owned(),
            problem,
        };
        check_options(&options).map_err(layout)?;
        is_there(root)?;
        let (classes, pictures) = scan::scan(root, options.test)?;
        let image_len: usize = options.shape.iter().product();
        let bytes = pictures.len() as u64 * image_len as u64;
        if bytes > MAX_BYTES {
            return Err(layout(LayoutError::Total {
                pictures: pictures.len(),
                bytes,
                limit: MAX_BYTES,
            }));
        }
        Ok(Self {
            root: root.to_owned(),
            options,
            classes,
            pictures,
            digests: OnceLock::new(),
        })
    }

    /// The names of the classes, by label.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The options it was opened with.
    pub fn options(&self) -> &ImageFolderOptions {
        &self.options
    }

    /// How many pictures `part` has.
    pub fn count(&self, part: Part) -> usize {
        self.of_part(part).len()
    }

    /// The pictures of `part`, decoded and resized, [n, channels, height,
    /// width]; out of a cache in the folder `.burnish` where the pictures are
    /// still the same. Progress goes to stderr when that is a terminal.
    ///
    /// # Errors
    ///
    /// When a picture cannot be read or decoded.
    pub fn load(&self, part: Part) -> Result<Split, Error> {
        let cache = cache::Cache::of(self)?;
        if let Some(split) = cache.read(part) {
            return Ok(split);
        }
        let [train, test] = [Part::Train, Part::Test].map(|part| self.decode(part));
        let (train, test) = (train?, test?);
        cache.write(&train, &test);
        Ok(match part {
            Part::Train => train,
            Part::Test => test,
        })
    }

    /// The digest of the pictures as files, and of their parts: that of lines
    /// of SHA-256, part, class and name.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn digest(&self) -> Result<Sha256, Error> {
        let lines: String = self
            .digests()?
            .iter()
            .zip(&self.pictures)
            .map(|(digest, picture)| {
                let Listed {
                    part, label, name, ..
                } = picture;
                let class = &self.classes[usize::from(*label)];
                format!("{digest} {part} {class:?} {name:?}\n")
            })
            .collect();
        Ok(Sha256::of_bytes(lines.as_bytes()))
    }

    fn digests(&self) -> Result<&[Sha256], Error> {
        if let Some(digests) = self.digests.get() {
            return Ok(digests);
        }
        let digest = |picture: &Listed| Ok(Sha256::of_file(&picture.path)?);
        #[cfg(feature = "pictures")]
        let pictures = self.pictures.par_iter();
        #[cfg(not(feature = "pictures"))]
        let pictures = self.pictures.iter();
        // In order, so that the same file is named each time.
        let results: Vec<Result<Sha256, Error>> = pictures.map(digest).collect();
        let digests = results.into_iter().collect::<Result<_, _>>()?;
        Ok(self.digests.get_or_init(|| digests))
    }

    fn of_part(&self, part: Part) -> &[Listed] {
        let train = self.pictures.partition_point(|p| p.part == Part::Train);
        match part {
            Part::Train => &self.pictures[..train],
            Part::Test => &self.pictures[train..],
        }
    }

    fn image_len(&self) -> usize {
        self.options.shape.iter().product()
    }

    /// Decodes the pictures of `part`.
    fn decode(&self, part: Part) -> Result<Split, Error> {
        let pixels = decode::pixels(self.of_part(part), part, &self.options)?;
        Ok(self.split(part, pixels))
    }

    /// `pixels` with the labels of `part`.
    fn split(&self, part: Part, pixels: Vec<u8>) -> Split {
        let labels: Vec<u8> = self.of_part(part).iter().map(|p| p.label).collect();
        let [channels, height, width] = self.options.shape;
        Images::new(pixels, [labels.len(), channels, height, width])
            .ok()
            .and_then(|images| Split::new(images, labels).ok())
            .expect("there are pixels for each picture")
    }
}

/// In place of `decode` where no picture can be read.
#[cfg(not(feature = "pictures"))]
mod decode {
    use super::{Error, ImageFolderOptions, Listed, Part};

    pub(super) fn pixels(
        pictures: &[Listed],
        _: Part,
        _: &ImageFolderOptions,
    ) -> Result<Vec<u8>, Error> {
        match pictures.first() {
            Some(picture) => Err(Error::NoPictures {
                path: picture.path.clone(),
            }),
            None => Ok(Vec::new()),
        }
    }
}

fn check_options(options: &ImageFolderOptions) -> Result<(), LayoutError> {
    let [channels, height, width] = options.shape;
    let sides = 1..=MAX_SIDE;
    if !(sides.contains(&height) && sides.contains(&width) && [1, 3].contains(&channels)) {
        return Err(LayoutError::Size {
            height,
            width,
            limit: MAX_SIDE,
        });
    }
    let fraction = options.test.fraction;
    if fraction > 0.0 && fraction <= 1.0 {
        Ok(())
    } else {
        Err(LayoutError::Fraction(fraction))
    }
}
