//! Image datasets as u8 tensors: formats, fetching and statistics.
//!
//! A dataset is a folder: with four IDX files, raw or gzipped, under the names
//! that MNIST gave them ([`load_split`]), with pictures in a folder for each
//! class ([`ImageFolder`]), or with the binary files of CIFAR-10 ([`cifar10`]).
//! [`DatasetName`] knows the published ones with their checksums, and
//! [`fetch`] brings them. Pixels stay `u8` until [`Normalization::apply`]
//! turns a batch into `f32`, so that training and evaluation see the same
//! numbers to the last bit.
//!
//! ```no_run
//! use dataset::{DatasetName, Normalization, Part, fetch};
//!
//! # fn main() -> Result<(), dataset::Error> {
//! let name = DatasetName::Mnist;
//! let folder = name.default_dir();
//! fetch(name, &folder)?;
//! let train = name.load(&folder, Part::Train)?;
//! let normalization = Normalization::of(train.images());
//! # Ok(())
//! # }
//! ```
//!
//! Without the feature `pictures`, no picture files are read, and `image` is not
//! compiled; without `augment`, there is no augmentation.
//!
//! Architecture invariant: this crate knows neither Burn nor ONNX Runtime.

#![deny(clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "augment")]
pub mod augment;
pub mod cifar10;
mod error;
mod fetch;
#[cfg(feature = "pictures")]
mod fit;
mod folder;
mod idx;
mod image_folder;
mod image_options;
mod images;
mod manifest;
mod name;
mod normalization;
#[cfg(feature = "pictures")]
pub mod picture;
#[cfg(feature = "pictures")]
mod webp;

pub use error::{CifarError, Error, IdxError, LayoutError};
pub use fetch::{FetchError, Fetched, FetchedFile, Needed, Source, SourceError, fetch, fetch_from};
#[cfg(feature = "pictures")]
pub use fit::{as_picture, fitted_pixels};
pub use folder::{DatasetFile, count_images, digest, holds_idx, is_dataset_file, load_split};
pub use idx::Idx;
pub use image_folder::ImageFolder;
pub use image_options::{Fit, ImageFolderOptions, TestSplit};
pub use images::{Images, Part, ShapeError, Split, SplitError};
pub use name::{DatasetName, UnknownDataset};
pub use normalization::{InvalidNormalization, Normalization};
