//! From bytes to the numbers that a network sees.

use serde::{Deserialize, Serialize};

use crate::Images;

/// The mean and the standard deviation of each channel, in units of
/// pixel / 255: a network sees (pixel / 255 - mean) / std.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct Normalization {
    mean: Vec<f32>,
    std: Vec<f32>,
}

/// A mean and a standard deviation that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidNormalization {
    /// The two differ in length, or are empty.
    #[error("{mean} means and {std} standard deviations: one of each per channel is expected")]
    Channels {
        /// The number of means.
        mean: usize,
        /// The number of standard deviations.
        std: usize,
    },
    /// A mean is infinite or not a number.
    #[error("the mean of channel {channel} is {found}: a finite number is expected")]
    Mean {
        /// The channel.
        channel: usize,
        /// Its mean.
        found: f32,
    },
    /// A standard deviation cannot be divided by.
    #[error(
        "the standard deviation of channel {channel} is {found}: a positive number is expected"
    )]
    Std {
        /// The channel.
        channel: usize,
        /// Its standard deviation.
        found: f32,
    },
}

impl Normalization {
    /// With the given means and standard deviations, one per channel.
    ///
    /// # Errors
    ///
    /// When they differ in number, there is none, a mean is not finite, or a
    /// standard deviation is not a positive normal number.
    pub fn new(mean: Vec<f32>, std: Vec<f32>) -> Result<Self, InvalidNormalization> {
        if mean.len() != std.len() || mean.is_empty() {
            let (mean, std) = (mean.len(), std.len());
            return Err(InvalidNormalization::Channels { mean, std });
        }
        if let Some(channel) = mean.iter().position(|m| !m.is_finite()) {
            let found = mean[channel];
            return Err(InvalidNormalization::Mean { channel, found });
        }
        if let Some(channel) = std.iter().position(|s| !s.is_normal() || *s < 0.0) {
            let found = std[channel];
            return Err(InvalidNormalization::Std { channel, found });
        }
        Ok(Self { mean, std })
    }

    /// Mean 0 and standard deviation 1: the network sees pixel / 255.
    pub fn unit(channels: usize) -> Self {
        Self {
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
        }
    }

    /// The mean and the population standard deviation of each channel of
    /// `images`. A channel of a single value has the standard deviation 1.
    pub fn of(images: &Images) -> Self {
        let (mean, std) = histograms(images).iter().map(moments).unzip();
        Self { mean, std }
    }

    /// The mean of each channel.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The standard deviation of each channel.
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// Normalizes a batch of `shape` [n, channels, height, width] from
    /// `pixels` into `out`, both row-major.
    ///
    /// Each of the 256 values goes through one table per channel, so that
    /// equal pixels give equal bits wherever they are normalized.
    ///
    /// # Panics
    ///
    /// When `shape` has another number of channels, or `pixels` or `out`
    /// has not its number of elements.
    pub fn apply(&self, shape: [usize; 4], pixels: &[u8], out: &mut [f32]) {
        let [_, channels, height, width] = shape;
        let elements = shape.iter().product::<usize>();
        assert_eq!(channels, self.channels(), "channels of the batch");
        assert_eq!(pixels.len(), elements, "pixels of a batch of {shape:?}");
        assert_eq!(out.len(), elements, "output of a batch of {shape:?}");
        if elements == 0 {
            return;
        }
        let tables = self.tables();
        let planes = pixels
            .chunks_exact(height * width)
            .zip(out.chunks_exact_mut(height * width));
        for ((pixels, out), table) in planes.zip(tables.iter().cycle()) {
            for (pixel, out) in pixels.iter().zip(out) {
                *out = table[usize::from(*pixel)];
            }
        }
    }

    /// The normalized value of each byte, per channel.
    fn tables(&self) -> Vec<[f32; 256]> {
        self.mean
            .iter()
            .zip(&self.std)
            .map(|(mean, std)| std::array::from_fn(|pixel| (pixel as f32 / 255.0 - mean) / std))
            .collect()
    }
}

/// How often each byte occurs, per channel.
fn histograms(images: &Images) -> Vec<[u64; 256]> {
    let [_, channels, height, width] = images.shape();
    let mut counts = vec![[0; 256]; channels];
    let plane = (height * width).max(1);
    for (index, pixels) in images.pixels().chunks_exact(plane).enumerate() {
        let counts = &mut counts[index % channels];
        for &pixel in pixels {
            counts[usize::from(pixel)] += 1;
        }
    }
    counts
}

/// The mean Σv/n and the standard deviation √(n·Σv² - (Σv)²)/n of the bytes
/// in a histogram, over 255; exact until the last division.
fn moments(counts: &[u64; 256]) -> (f32, f32) {
    let sum_of = |power: u32| -> u128 {
        let terms = counts.iter().zip(0_u128..);
        terms
            .map(|(&count, v)| u128::from(count) * v.pow(power))
            .sum()
    };
    let (n, sum, squares) = (sum_of(0), sum_of(1), sum_of(2));
    let variance = n * squares - sum * sum;
    let scale = 255.0 * n.max(1) as f64;
    let std = match variance {
        0 => 1.0,
        _ => (variance as f64).sqrt() / scale,
    };
    ((sum as f64 / scale) as f32, std as f32)
}

/// The serialized form, before it is checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl TryFrom<Unchecked> for Normalization {
    type Error = InvalidNormalization;

    fn try_from(Unchecked { mean, std }: Unchecked) -> Result<Self, InvalidNormalization> {
        Self::new(mean, std)
    }
}

impl From<Normalization> for Unchecked {
    fn from(Normalization { mean, std }: Normalization) -> Self {
        Self { mean, std }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_each_channel() {
        // Channel 0 is 0 and 255 in equal parts; channel 1 is constant.
        let pixels = vec![0, 255, 51, 51, 255, 0, 51, 51];
        let images = Images::new(pixels, [2, 2, 1, 2]).unwrap();
        let normalization = Normalization::of(&images);
        assert_eq!(normalization.mean(), [0.5, 0.2]);
        assert_eq!(normalization.std(), [0.5, 1.0]);
    }

    #[test]
    fn no_images_have_finite_moments() {
        let none = Images::new(vec![], [0, 1, 28, 28]).unwrap();
        assert_eq!(Normalization::of(&none), Normalization::unit(1));
    }

    #[test]
    fn apply_is_the_formula_for_every_byte_and_channel() {
        let normalization = Normalization::new(vec![0.1307, 0.5], vec![0.3081, 0.25]).unwrap();
        let pixels: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        let mut out = vec![0.0; 512];
        normalization.apply([1, 2, 16, 16], &pixels, &mut out);
        for (i, (&pixel, &x)) in pixels.iter().zip(&out).enumerate() {
            let (mean, std) = [(0.1307_f32, 0.3081_f32), (0.5, 0.25)][i / 256];
            assert_eq!(
                x.to_bits(),
                ((f32::from(pixel) / 255.0 - mean) / std).to_bits()
            );
        }
    }

    #[test]
    fn unit_maps_bytes_to_zero_to_one() {
        let mut out = [9.0; 3];
        Normalization::unit(1).apply([3, 1, 1, 1], &[0, 51, 255], &mut out);
        assert_eq!(out, [0.0, 0.2, 1.0]);
    }

    #[test]
    fn unusable_numbers_are_rejected_when_deserialized() {
        for json in [
            r#"{"mean": [], "std": []}"#,
            r#"{"mean": [0.1], "std": [0.3, 0.3]}"#,
            r#"{"mean": [0.1], "std": [0.0]}"#,
            r#"{"mean": [0.1], "std": [-1.0]}"#,
            r#"{"mean": [1e999], "std": [1.0]}"#,
            r#"{"mean": [0.1], "std": [1.0], "scale": 255}"#,
        ] {
            assert!(
                serde_json::from_str::<Normalization>(json).is_err(),
                "{json}"
            );
        }
    }

    #[test]
    fn normalization_round_trips_to_the_bit() {
        let normalization = Normalization::new(vec![0.130_660_5], vec![0.308_107_8]).unwrap();
        let json = serde_json::to_string(&normalization).unwrap();
        assert_eq!(
            serde_json::from_str::<Normalization>(&json).unwrap(),
            normalization
        );
    }
}
