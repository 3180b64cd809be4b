//! What becomes of the pictures of a folder, as a model's metadata tells it.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of the pictures of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ImageFolderOptions {
    /// The size they are brought to: [channels, height, width], with one
    /// channel for grey or three for colours.
    pub shape: [usize; 3],
    /// How other proportions come to those.
    pub fit: Fit,
    /// Which pictures are for the test, where there are no folders for that.
    pub test: TestSplit,
}

/// Which pictures are for the test: a part of each class, chosen by their
/// names and a seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TestSplit {
    /// The part of each class, above 0 and below 1.
    pub fraction: f64,
    /// The seed.
    pub seed: u64,
}

impl Default for TestSplit {
    fn default() -> Self {
        Self {
            fraction: 0.2,
            seed: 1,
        }
    }
}

/// How a picture of other proportions comes to the wanted ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Height and width are scaled each for itself.
    #[default]
    Stretch,
    /// What is too much, at both sides, is cut off.
    Crop,
    /// Black is added at both sides.
    Pad,
}
