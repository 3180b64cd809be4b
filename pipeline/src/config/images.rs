//! What becomes of the pictures of a dataset.

use dataset::{Fit, ImageFolderOptions, TestSplit};
use models::Pair;
use schemars::JsonSchema;
use serde::Deserialize;

/// `images: { size: 64 }`: pictures in `CLASS/*.png`, or in `train/CLASS/…` and
/// `test/CLASS/…`; PNG, JPEG and WebP.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImagesConfig {
    /// The side in pixels, or [height, width].
    pub size: Pair,
    /// With or without colours.
    #[serde(default)]
    pub color: Color,
    /// How other proportions come to that.
    #[serde(default)]
    pub fit: Fit,
    /// Which pictures are for the test, where there are no folders for that.
    #[serde(default)]
    pub test: TestSplit,
}

/// With or without colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// Red, green and blue.
    #[default]
    Rgb,
    /// One channel.
    #[serde(alias = "gray")]
    Grey,
}

impl From<ImagesConfig> for ImageFolderOptions {
    fn from(config: ImagesConfig) -> Self {
        let Pair([height, width]) = config.size;
        let channels = match config.color {
            Color::Rgb => 3,
            Color::Grey => 1,
        };
        Self {
            shape: [channels, height, width],
            fit: config.fit,
            test: config.test,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn grey_is_spelt_as_one_likes() {
        for name in ["grey", "gray"] {
            let color: Color = serde_saphyr::from_str(name).unwrap();
            assert_eq!(color, Color::Grey);
        }
    }
}
