//! Random changes of training images, on bytes.
//!
//! What becomes of image i in epoch e depends on the seed, e and i alone, so
//! that results depend neither on the number of threads nor on where a training
//! was interrupted. Rotation, translation, scale, shear, flips, crop and elastic
//! distortion are one resampling; erasing follows, and mixing with another
//! image comes last.

mod elastic;
mod erase;
mod geometry;
mod mix;
mod random;
mod resample;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Split;
use geometry::Motion;
use random::Random;

/// Ranges of the changes. By default nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Largest angle in degrees, either way.
    pub rotate: f64,
    /// Largest shift as a part of the side, either way.
    pub translate: f64,
    /// Smallest and largest factor of the size.
    pub scale: [f64; 2],
    /// Largest angle in degrees, either way, by which uprights lean.
    pub shear: f64,
    /// A crop of the image's own size after padding with this many pixels of
    /// black: a shift by whole pixels, up to so many either way.
    pub crop: usize,
    /// How often the image is mirrored.
    pub flip: Flip,
    /// Elastic distortion.
    pub elastic: Option<Elastic>,
    /// Random erasing.
    pub erase: Option<Erase>,
    /// Mixing with another image.
    pub mixup: Option<Mix>,
    /// A rectangle out of another image. Where `mixup` is set too, each comes
    /// every other time.
    pub cutmix: Option<Mix>,
}

/// How often an image is mirrored, in [0, 1].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Flip {
    /// Left and right exchanged.
    pub horizontal: f64,
    /// Top and bottom exchanged.
    pub vertical: f64,
}

/// Elastic distortion (Simard, Steinkraus and Platt, 2003): displacements drawn
/// from [-1, 1], smoothed by a Gaussian and multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Elastic {
    /// The factor, in pixels.
    pub alpha: f64,
    /// Standard deviation of the Gaussian, in pixels.
    pub sigma: f64,
}

impl Default for Elastic {
    fn default() -> Self {
        Self {
            alpha: 34.0,
            sigma: 4.0,
        }
    }
}

/// Random erasing (Zhong et al., 2017): noise in a rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Erase {
    /// How often, in [0, 1].
    pub probability: f64,
    /// Smallest and largest part of the image.
    pub area: [f64; 2],
    /// Smallest and largest height over width.
    pub aspect: [f64; 2],
}

impl Default for Erase {
    fn default() -> Self {
        Self {
            probability: 0.5,
            area: [0.02, 0.33],
            aspect: [0.3, 3.3],
        }
    }
}

/// How much of another image: its weight is drawn from Beta(alpha, alpha).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// In [0.001, 4]: near 0, images are hardly mixed; with 1, all weights are
    /// alike.
    pub alpha: f64,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            rotate: 0.0,
            translate: 0.0,
            scale: [1.0, 1.0],
            shear: 0.0,
            crop: 0,
            flip: Flip::default(),
            elastic: None,
            erase: None,
            mixup: None,
            cutmix: None,
        }
    }
}

/// A range that is impossible.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{setting}` is {found}, but {expected} is expected")]
pub struct AugmentError {
    /// The setting.
    pub setting: &'static str,
    /// Its value.
    pub found: String,
    /// What it may be.
    pub expected: &'static str,
}

const ANGLE: &str = "an angle from 0 to 180";
const LEAN: &str = "an angle from 0 to 60";
const PART: &str = "a number from 0 to 1";
const FACTORS: &str = "two numbers from 0.1 to 10, the smaller one first,";
const AREAS: &str = "two numbers above 0 and up to 1, the smaller one first,";
const ALPHA: &str = "a number from 0.001 to 4";
/// With less, whatever is drawn is too small for a number.
const LEAST_ALPHA: f64 = 0.001;

impl Augment {
    /// Whether nothing changes.
    pub fn is_identity(&self) -> bool {
        *self == Self::default()
    }

    /// Whether images get a part of another, and so two labels.
    pub fn mixes(&self) -> bool {
        self.mixup.is_some() || self.cutmix.is_some()
    }

    /// Checks every range.
    ///
    /// # Errors
    ///
    /// The first one that is impossible.
    pub fn check(&self) -> Result<(), AugmentError> {
        one("rotate", self.rotate, 0.0, 180.0, ANGLE)?;
        one("translate", self.translate, 0.0, 1.0, PART)?;
        two("scale", self.scale, 0.1, 10.0, FACTORS)?;
        one("shear", self.shear, 0.0, 60.0, LEAN)?;
        one("crop", self.crop as f64, 0.0, 1024.0, "up to 1024 pixels")?;
        one("flip.horizontal", self.flip.horizontal, 0.0, 1.0, PART)?;
        one("flip.vertical", self.flip.vertical, 0.0, 1.0, PART)?;
        if let Some(Elastic { alpha, sigma }) = self.elastic {
            let (pixels, deviation) = ("0 to 1000 pixels", "1 to 100 pixels");
            one("elastic.alpha", alpha, 0.0, 1000.0, pixels)?;
            one("elastic.sigma", sigma, 1.0, 100.0, deviation)?;
        }
        if let Some(erase) = self.erase {
            one("erase.probability", erase.probability, 0.0, 1.0, PART)?;
            two("erase.area", erase.area, f64::MIN_POSITIVE, 1.0, AREAS)?;
            two("erase.aspect", erase.aspect, 0.1, 10.0, FACTORS)?;
        }
        let mixes = [("mixup.alpha", self.mixup), ("cutmix.alpha", self.cutmix)];
        for (setting, mix) in mixes {
            if let Some(Mix { alpha }) = mix {
                one(setting, alpha, LEAST_ALPHA, 4.0, ALPHA)?;
            }
        }
        Ok(())
    }
}

fn one(
    setting: &'static str,
    found: f64,
    low: f64,
    high: f64,
    expected: &'static str,
) -> Result<(), AugmentError> {
    if (low..=high).contains(&found) {
        return Ok(());
    }
    Err(AugmentError {
        setting,
        found: found.to_string(),
        expected,
    })
}

fn two(
    setting: &'static str,
    [a, b]: [f64; 2],
    low: f64,
    high: f64,
    expected: &'static str,
) -> Result<(), AugmentError> {
    if low <= a && a <= b && b <= high {
        return Ok(());
    }
    Err(AugmentError {
        setting,
        found: format!("[{a}, {b}]"),
        expected,
    })
}

/// The label of an augmented image, which may be mixed with another's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// The label of the image itself.
    pub label: u8,
    /// The label of the image that it is mixed with; otherwise its own.
    pub other: u8,
    /// The weight of `label`, in [0, 1]; that of `other` is what is missing to 1.
    pub weight: f32,
}

/// Augmented images of a split.
#[derive(Debug, Clone, Copy)]
pub struct Augmented<'a> {
    /// The ranges, as [`Augment::check`] accepts them.
    pub augment: &'a Augment,
    /// The images.
    pub split: &'a Split,
    /// Which of them an image may be mixed with; not empty.
    pub members: &'a [u32],
    /// See the module.
    pub seed: u64,
    /// See the module.
    pub epoch: u64,
}

/// Memory that one thread uses for one image after the other.
#[derive(Debug, Default)]
pub struct Scratch {
    resampling: resample::Scratch,
    other: Vec<u8>,
}

impl Augmented<'_> {
    /// Writes image `index`, [channels, height, width], to `out`.
    ///
    /// # Panics
    ///
    /// When there is no such image, or `out` has another length.
    pub fn image(&self, index: u32, scratch: &mut Scratch, out: &mut [u8]) -> Target {
        let mut random = Random::of(self.seed, self.epoch, u64::from(index));
        let label = self.split.labels()[index as usize];
        self.change(index, &mut random, &mut scratch.resampling, out);
        let own = Target {
            label,
            other: label,
            weight: 1.0,
        };
        let Some((method, alpha)) = self.method(&mut random) else {
            return own;
        };
        let partner = self.members[random.below(self.members.len())];
        let mut other = std::mem::take(&mut scratch.other);
        other.resize(out.len(), 0);
        self.change(partner, &mut random, &mut scratch.resampling, &mut other);
        let shape = self.split.images().image_shape();
        let weight = mix::mix(method, alpha, &mut random, shape, &other, out);
        scratch.other = other;
        Target {
            other: self.split.labels()[partner as usize],
            weight,
            ..own
        }
    }

    /// All but mixing.
    fn change(
        &self,
        index: u32,
        random: &mut Random,
        scratch: &mut resample::Scratch,
        out: &mut [u8],
    ) {
        let images = self.split.images();
        let source = images.image(index as usize);
        let shape = images.image_shape();
        let motion = Motion::draw(self.augment, shape, random);
        resample::resample(
            source,
            shape,
            &motion,
            self.augment.elastic,
            random,
            scratch,
            out,
        );
        if let Some(erase) = self.augment.erase {
            erase::erase(&erase, random, shape, out);
        }
    }

    fn method(&self, random: &mut Random) -> Option<(mix::Method, f64)> {
        use mix::Method::{Cutmix, Mixup};
        match (self.augment.mixup, self.augment.cutmix) {
            (None, None) => None,
            (Some(mixup), None) => Some((Mixup, mixup.alpha)),
            (None, Some(cutmix)) => Some((Cutmix, cutmix.alpha)),
            (Some(mixup), Some(cutmix)) => Some(if random.happens(0.5) {
                (Mixup, mixup.alpha)
            } else {
                (Cutmix, cutmix.alpha)
            }),
        }
    }
}

#[cfg(test)]
mod tests;
