//! What a model's file says about the classifier in it: the contract between
//! the exporter and whoever runs the model.
//!
//! ONNX lets a model carry named texts (`metadata_props`). Burnish writes these:
//!
//! | key | value | example |
//! |---|---|---|
//! | `burnish.dataset` | name of the dataset | `mnist` |
//! | `burnish.input` | JSON: channels, height, width | `[1,28,28]` |
//! | `burnish.mean` | JSON: mean of each channel, on the scale 0 to 1 | `[0.1307]` |
//! | `burnish.std` | JSON: standard deviation of each channel, same scale | `[0.3081]` |
//! | `burnish.classes` | JSON: names of the classes, in the order of the logits | `["0","1"]` |
//! | `burnish.pictures` | JSON: what became of picture files; only for datasets of such | `{"shape":[3,64,64],"fit":"stretch","test":{"fraction":0.2,"seed":1}}` |
//! | `burnish.accuracy` | accuracy on the test images, 0 to 1; optional | `0.9912` |
//! | `burnish.sha256.initializers` | SHA-256 of the weights in the model, see [`onnx::initializers_digest`]; optional | 64 hexadecimal digits |
//! | `burnish.sha256.weights` | SHA-256 of the weights' file; optional | 64 hexadecimal digits |
//! | `burnish.sha256.dataset` | SHA-256 of the dataset, see [`dataset::digest`]; optional | 64 hexadecimal digits |
//! | `burnish.sha256.settings` | SHA-256 of the training's `settings.json`; optional | 64 hexadecimal digits |
//!
//! A pixel p (0 to 255) of channel c becomes the input `(p / 255 - mean[c]) /
//! std[c]`. Numbers are written with the fewest digits that read back to the
//! same bits.

use std::collections::BTreeMap;

use artifact::Sha256;
use dataset::{ImageFolderOptions, InvalidNormalization, Normalization};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The prefix of all keys.
pub const PREFIX: &str = "burnish.";

/// The most channels, and the most pixels a side, of a model's images.
const MAX_SIDE: usize = 4096;

/// The most characters of a malformed value that are told.
const TOLD: usize = 200;

/// The most classes; labels are bytes.
const MAX_CLASSES: usize = 256;

/// The names of the keys.
pub mod keys {
    /// Name of the dataset.
    pub const DATASET: &str = "burnish.dataset";
    /// Channels, height, width.
    pub const INPUT: &str = "burnish.input";
    /// Mean of each channel.
    pub const MEAN: &str = "burnish.mean";
    /// Standard deviation of each channel.
    pub const STD: &str = "burnish.std";
    /// Names of the classes.
    pub const CLASSES: &str = "burnish.classes";
    /// What became of picture files.
    pub const PICTURES: &str = "burnish.pictures";
    /// Accuracy on the test images.
    pub const ACCURACY: &str = "burnish.accuracy";
    /// SHA-256 of the weights in the model.
    pub const INITIALIZERS: &str = "burnish.sha256.initializers";
    /// SHA-256 of the file of weights.
    pub const WEIGHTS: &str = "burnish.sha256.weights";
    /// SHA-256 of the dataset.
    pub const DATASET_DIGEST: &str = "burnish.sha256.dataset";
    /// SHA-256 of the settings.
    pub const SETTINGS: &str = "burnish.sha256.settings";
}

/// What a model's file says about its classifier.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelMetadata {
    /// The dataset it was trained on.
    pub dataset: String,
    /// The size of an image: [channels, height, width].
    pub input: [usize; 3],
    /// How a pixel becomes a number; as many channels as `input`.
    pub normalization: Normalization,
    /// The classes, in the order of the logits.
    pub classes: Vec<String>,
    /// What became of picture files, where it was trained on such.
    pub pictures: Option<ImageFolderOptions>,
    /// The accuracy on the test images, 0 to 1.
    pub accuracy: Option<f64>,
    /// Where the model comes from.
    pub sources: Sources,
}

/// Digests of what a model was made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sources {
    /// Of the weights in the model.
    pub initializers: Option<Sha256>,
    /// Of the file of weights.
    pub weights: Option<Sha256>,
    /// Of the dataset.
    pub dataset: Option<Sha256>,
    /// Of the training's settings.
    pub settings: Option<Sha256>,
}

/// Metadata that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// There is none of Burnish's.
    #[error("the model has no metadata of Burnish (keys `{PREFIX}*`)")]
    Absent,
    /// A key is not there.
    #[error("the model's metadata lacks `{key}`")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A key is there twice.
    #[error("the model's metadata has `{key}` more than once")]
    Duplicate {
        /// The key.
        key: String,
    },
    /// A value is not what its key calls for.
    #[error("the model's metadata has `{key}` = `{value}`, but {expected} is expected")]
    Malformed {
        /// The key.
        key: &'static str,
        /// What it says, as far as it is told.
        value: String,
        /// What it should say.
        expected: &'static str,
    },
}

impl MetadataError {
    /// What the user can do, where it is not plain from the message.
    pub fn hint(&self) -> Option<String> {
        matches!(self, Self::Absent).then(|| {
            "Burnish writes it into the models that it exports: the classes, and how pixels \
             become numbers; of other models, `runtime eval --dataset NAME`, `runtime bench` \
             and `runtime inspect` need none"
                .to_owned()
        })
    }
}

const CHANNELS_EXPECTED: &str =
    "a JSON list with a number for each channel, a positive one for `std`";

impl ModelMetadata {
    /// The metadata as keys and values, in the order of the table above.
    pub fn to_props(&self) -> Vec<(String, String)> {
        let required = [
            (keys::DATASET, self.dataset.clone()),
            (keys::INPUT, json(&self.input)),
            (keys::MEAN, json(&self.normalization.mean())),
            (keys::STD, json(&self.normalization.std())),
            (keys::CLASSES, json(&self.classes)),
        ];
        let optional = [
            (keys::PICTURES, self.pictures.as_ref().map(json)),
            (
                keys::ACCURACY,
                self.accuracy.map(|accuracy| json(&accuracy)),
            ),
            (
                keys::INITIALIZERS,
                self.sources.initializers.map(Into::into),
            ),
            (keys::WEIGHTS, self.sources.weights.map(Into::into)),
            (keys::DATASET_DIGEST, self.sources.dataset.map(Into::into)),
            (keys::SETTINGS, self.sources.settings.map(Into::into)),
        ];
        let present = |(key, value): (_, Option<String>)| Some((key, value?));
        required
            .into_iter()
            .chain(optional.into_iter().filter_map(present))
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    /// Reads the metadata from keys and values; other programs' keys are left
    /// alone.
    ///
    /// # Errors
    ///
    /// When there is none, a key is missing or double, or a value malformed.
    pub fn from_props<'a>(
        props: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, MetadataError> {
        let props = Props::new(props)?;
        let input = props.input()?;
        Ok(Self {
            dataset: props.required(keys::DATASET)?.to_owned(),
            input,
            normalization: props.normalization(input[0])?,
            classes: props.classes()?,
            pictures: props.pictures(input)?,
            accuracy: props.accuracy()?,
            sources: Sources {
                initializers: props.digest(keys::INITIALIZERS)?,
                weights: props.digest(keys::WEIGHTS)?,
                dataset: props.digest(keys::DATASET_DIGEST)?,
                settings: props.digest(keys::SETTINGS)?,
            },
        })
    }

    /// The metadata of `model`.
    ///
    /// # Errors
    ///
    /// As [`from_props`](Self::from_props).
    pub fn of_model(model: &onnx::proto::ModelProto) -> Result<Self, MetadataError> {
        let props = model.metadata_props.iter();
        Self::from_props(props.map(|prop| (prop.key.as_str(), prop.value.as_str())))
    }
}

/// The JSON of a value that is made of numbers and texts, which cannot fail.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Burnish's keys of a model.
struct Props<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Props<'a> {
    fn new(props: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, MetadataError> {
        let mut found = BTreeMap::new();
        for (key, value) in props {
            if key.starts_with(PREFIX) && found.insert(key, value).is_some() {
                return Err(MetadataError::Duplicate {
                    key: key.to_owned(),
                });
            }
        }
        if found.is_empty() {
            return Err(MetadataError::Absent);
        }
        Ok(Self(found))
    }

    fn required(&self, key: &'static str) -> Result<&'a str, MetadataError> {
        self.0
            .get(key)
            .copied()
            .ok_or(MetadataError::Missing { key })
    }

    fn input(&self) -> Result<[usize; 3], MetadataError> {
        let expected = "a JSON list of channels, height, width, each from 1 to 4096";
        let value = self.required(keys::INPUT)?;
        parse_json(value)
            .filter(|input: &[usize; 3]| input.iter().all(|size| (1..=MAX_SIDE).contains(size)))
            .ok_or_else(malformed(keys::INPUT, value, expected))
    }

    fn normalization(&self, channels: usize) -> Result<Normalization, MetadataError> {
        let mean = self.channels(keys::MEAN, channels)?;
        let std = self.channels(keys::STD, channels)?;
        // The lengths are right, so it can only be a number that is not.
        Normalization::new(mean, std).map_err(|error| {
            let key = match error {
                InvalidNormalization::Mean { .. } | InvalidNormalization::Channels { .. } => {
                    keys::MEAN
                }
                InvalidNormalization::Std { .. } => keys::STD,
            };
            malformed(key, self.0.get(key).unwrap_or(&""), CHANNELS_EXPECTED)()
        })
    }

    /// One number for each channel. A JSON library reads numbers as f64, whose
    /// rounding to f32 may be off by one; so the digits are read as f32.
    fn channels(&self, key: &'static str, channels: usize) -> Result<Vec<f32>, MetadataError> {
        let value = self.required(key)?;
        parse_json::<Vec<Box<RawValue>>>(value)
            .filter(|items| items.len() == channels)
            .and_then(|items| items.iter().map(|item| item.get().parse().ok()).collect())
            .ok_or_else(malformed(key, value, CHANNELS_EXPECTED))
    }

    fn classes(&self) -> Result<Vec<String>, MetadataError> {
        let expected = "a JSON list of 1 to 256 names";
        let value = self.required(keys::CLASSES)?;
        parse_json(value)
            .filter(|classes: &Vec<String>| (1..=MAX_CLASSES).contains(&classes.len()))
            .ok_or_else(malformed(keys::CLASSES, value, expected))
    }

    fn pictures(&self, input: [usize; 3]) -> Result<Option<ImageFolderOptions>, MetadataError> {
        let expected = "JSON with `fit`, `test` and the `shape` of the input";
        self.optional(keys::PICTURES, expected, |value| {
            parse_json(value).filter(|pictures: &ImageFolderOptions| pictures.shape == input)
        })
    }

    fn accuracy(&self) -> Result<Option<f64>, MetadataError> {
        let expected = "a number from 0 to 1";
        self.optional(keys::ACCURACY, expected, |value| {
            let accuracy = value.parse().ok()?;
            (0.0..=1.0).contains(&accuracy).then_some(accuracy)
        })
    }

    fn digest(&self, key: &'static str) -> Result<Option<Sha256>, MetadataError> {
        self.optional(key, "64 hexadecimal digits", |value| value.parse().ok())
    }

    fn optional<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, MetadataError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(value) => match parse(value) {
                None => Err(malformed(key, value, expected)()),
                parsed => Ok(parsed),
            },
        }
    }
}

fn parse_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn malformed(
    key: &'static str,
    value: &str,
    expected: &'static str,
) -> impl FnOnce() -> MetadataError {
    let mut chars = value.chars();
    let mut value: String = chars.by_ref().take(TOLD).collect();
    value.extend(chars.next().map(|_| '…'));
    move || MetadataError::Malformed {
        key,
        value,
        expected,
    }
}
