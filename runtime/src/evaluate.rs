//! How well a classifier does on labelled images.

use std::num::NonZeroUsize;
use std::time::Instant;

use dataset::{Normalization, Split};
use serde::Serialize;

use crate::confusion::{ClassMeasures, Confusion};
use crate::metadata::ModelMetadata;
use crate::provider::ActiveProvider;
use crate::session::{self, Session, buffer};

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The provider that ran the model.
    pub provider: ActiveProvider,
    /// The part of the images whose class was found, 0 to 1.
    pub accuracy: f64,
    /// The images whose class was found.
    pub correct: u64,
    /// All images.
    pub total: u64,
    /// The mean cross-entropy, in nats.
    pub loss: f64,
    /// The measures of each class.
    pub classes: Vec<ClassMeasures>,
    /// Counts by true class (row) and predicted class (column).
    pub confusion: Confusion,
    /// Images in a batch.
    pub batch: usize,
    /// How long it took; never the same twice, and so left out of what is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
    /// The predicted class of each image, \[n\].
    #[serde(skip)]
    pub predictions: Vec<u8>,
}

/// How long an evaluation took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Speed {
    /// Time for normalizing, running and scoring all images.
    pub seconds: f64,
    /// Images in a second of that time.
    pub images_per_second: f64,
}

/// An evaluation that cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model failed.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// There is nothing to evaluate.
    #[error("there are no images to evaluate")]
    NoImages,
    /// The images have another size than the model's.
    #[error("the images have the shape {found:?}, but the model takes {expected:?}")]
    ImageShape {
        /// The size the model was made for: [channels, height, width].
        expected: [usize; 3],
        /// The size of the images.
        found: [usize; 3],
    },
    /// The model's normalization is for another number of channels.
    #[error("the normalization is for {found} channels, but the images have {expected}")]
    Channels {
        /// The channels of the images.
        expected: usize,
        /// The channels of the normalization.
        found: usize,
    },
    /// The model answers with another number of classes than it should.
    #[error("number of classes: the model answers with {found}, but {expected} are named")]
    Classes {
        /// The classes that are named.
        expected: usize,
        /// The classes that the model answers with.
        found: usize,
    },
    /// A label that is no class.
    #[error("image {image} has the label {label}, but there are {classes} classes")]
    Label {
        /// The position of the image.
        image: usize,
        /// Its label.
        label: u8,
        /// The number of classes.
        classes: usize,
    },
    /// A logit from which no class follows.
    #[error("the model answers image {image} with a logit that is infinite or not a number")]
    NotFinite {
        /// The position of the image.
        image: usize,
    },
}

/// Runs the model on all images of `split`, `batch` at a time, and scores its
/// answers. A model made for one batch size runs with that one.
///
/// # Errors
///
/// When there is no image, images, labels or classes do not fit the model, or
/// it fails or answers with something that is no number.
pub fn evaluate(
    session: &mut Session,
    metadata: &ModelMetadata,
    split: &Split,
    batch: NonZeroUsize,
) -> Result<Evaluation, Error> {
    evaluate_each(session, metadata, split, batch, |_| ())
}

/// As [`evaluate`], and shows `each` the logits of every image, \[classes\], in
/// the order of the images.
///
/// # Errors
///
/// As [`evaluate`].
pub fn evaluate_each(
    session: &mut Session,
    metadata: &ModelMetadata,
    split: &Split,
    batch: NonZeroUsize,
    mut each: impl FnMut(&[f32]),
) -> Result<Evaluation, Error> {
    check(metadata, split)?;
    let start = Instant::now();
    let fixed = session.fixed_batch();
    let batch = fixed
        .map_or(batch.get(), NonZeroUsize::get)
        .min(split.len());
    let mut batches = Batches::new(split, &metadata.normalization, fixed, batch)?;
    let mut score = Score::new(metadata.classes.len());
    while let Some((images, shape, labels)) = batches.next() {
        let logits = session.run(images, shape)?;
        if logits.classes() != metadata.classes.len() {
            return Err(Error::Classes {
                expected: metadata.classes.len(),
                found: logits.classes(),
            });
        }
        for (row, &label) in logits.rows().zip(labels) {
            score.add(row, label)?;
            each(row);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(score.finish(metadata, session.provider(), batch, seconds))
}

fn check(metadata: &ModelMetadata, split: &Split) -> Result<(), Error> {
    if split.is_empty() {
        return Err(Error::NoImages);
    }
    let (expected, found) = (metadata.input, split.images().image_shape());
    if expected != found {
        return Err(Error::ImageShape { expected, found });
    }
    let (expected, found) = (found[0], metadata.normalization.channels());
    if expected != found {
        return Err(Error::Channels { expected, found });
    }
    let classes = metadata.classes.len();
    match split
        .labels()
        .iter()
        .position(|&label| usize::from(label) >= classes)
    {
        Some(image) => Err(Error::Label {
            image,
            label: split.labels()[image],
            classes,
        }),
        None => Ok(()),
    }
}

/// The images of a split, normalized batch by batch into one buffer.
struct Batches<'a> {
    split: &'a Split,
    normalization: &'a Normalization,
    /// Whether the last batch is filled up, as the model takes no smaller one.
    padded: bool,
    batch: usize,
    next: usize,
    buffer: Vec<f32>,
}

impl<'a> Batches<'a> {
    fn new(
        split: &'a Split,
        normalization: &'a Normalization,
        fixed: Option<NonZeroUsize>,
        batch: usize,
    ) -> Result<Self, session::Error> {
        let rows = fixed.map_or(batch, NonZeroUsize::get);
        let [channels, height, width] = split.images().image_shape();
        Ok(Self {
            split,
            normalization,
            padded: fixed.is_some(),
            batch,
            next: 0,
            buffer: buffer([rows, channels, height, width])?,
        })
    }

    /// The next batch: images, their shape [n, channels, height, width], and as
    /// many labels as there are images that count.
    fn next(&mut self) -> Option<(&[f32], [usize; 4], &'a [u8])> {
        let range = self.next..self.split.len().min(self.next + self.batch);
        if range.is_empty() {
            return None;
        }
        self.next = range.end;
        let length = self.split.images().image_len();
        let [channels, height, width] = self.split.images().image_shape();
        let pixels = &self.split.images().pixels()[range.start * length..range.end * length];
        let count = range.len();
        self.normalization.apply(
            [count, channels, height, width],
            pixels,
            &mut self.buffer[..count * length],
        );
        let rows = if self.padded {
            self.buffer.len() / length
        } else {
            count
        };
        let shape = [rows, channels, height, width];
        Some((
            &self.buffer[..rows * length],
            shape,
            &self.split.labels()[range],
        ))
    }
}

/// What has been counted so far.
struct Score {
    confusion: Confusion,
    loss: f64,
    predictions: Vec<u8>,
}

impl Score {
    fn new(classes: usize) -> Self {
        Self {
            confusion: Confusion::new(classes),
            loss: 0.0,
            predictions: Vec::new(),
        }
    }

    /// Scores the logits of one image, [classes].
    fn add(&mut self, logits: &[f32], label: u8) -> Result<(), Error> {
        if !have_softmax(logits) {
            return Err(Error::NotFinite {
                image: self.predictions.len(),
            });
        }
        let predicted = argmax(logits);
        self.confusion.count(usize::from(label), predicted);
        self.loss += cross_entropy(logits, usize::from(label));
        // Labels are u8, so a class above 255 cannot be right anyway.
        self.predictions
            .push(u8::try_from(predicted).unwrap_or(u8::MAX));
        Ok(())
    }

    fn finish(
        self,
        metadata: &ModelMetadata,
        provider: ActiveProvider,
        batch: usize,
        seconds: f64,
    ) -> Evaluation {
        let total = self.predictions.len() as u64;
        let correct = self.confusion.correct();
        let classes = metadata.classes.iter().enumerate();
        Evaluation {
            provider,
            accuracy: correct as f64 / total as f64,
            correct,
            total,
            loss: self.loss / total as f64,
            classes: classes
                .map(|(index, name)| self.confusion.measures(index, name))
                .collect(),
            confusion: self.confusion,
            batch,
            speed: Some(Speed {
                seconds,
                images_per_second: total as f64 / seconds,
            }),
            predictions: self.predictions,
        }
    }
}

/// The position of the largest logit, the first of equal ones.
fn argmax(logits: &[f32]) -> usize {
    let better = |best: usize, index: usize| {
        if logits[index] > logits[best] {
            index
        } else {
            best
        }
    };
    (0..logits.len()).reduce(better).unwrap_or(0)
}

/// -log softmax(x)\[label\] = log Σ exp(x - max) - (x\[label\] - max), in f64 so
/// that large logits do not overflow and sums over many images stay exact.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let max = f64::from(largest(logits));
    let sum: f64 = logits.iter().map(|&x| (f64::from(x) - max).exp()).sum();
    sum.ln() - (f64::from(logits[label]) - max)
}

/// exp(x - max) / Σ exp(x - max), in f64 as `cross_entropy`.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let max = f64::from(largest(logits));
    let powers: Vec<f64> = logits.iter().map(|&x| (f64::from(x) - max).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// Whether a class follows from the logits: none is NaN, and the largest is
/// finite. A class that is impossible may have -∞.
pub(crate) fn have_softmax(logits: &[f32]) -> bool {
    largest(logits).is_finite() && !logits.iter().any(|logit| logit.is_nan())
}

/// The largest logit, leaving out NaN.
fn largest(logits: &[f32]) -> f32 {
    logits.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_is_that_of_large_logits_too() {
        assert_eq!(softmax(&[1000.0, 1000.0]), [0.5, 0.5]);
        let logits = [1.0_f32.ln(), 2.0_f32.ln(), 5.0_f32.ln()];
        let expected = [0.125, 0.25, 0.625];
        let close = |(a, b): (f64, f64)| (a - b).abs() < 1e-6;
        assert!(softmax(&logits).into_iter().zip(expected).all(close));
    }

    #[test]
    fn cross_entropy_is_that_of_the_softmax() {
        // softmax([ln 1, ln 2, ln 5]) = [1/8, 2/8, 5/8]
        let logits = [1.0_f32.ln(), 2.0_f32.ln(), 5.0_f32.ln()];
        for (label, probability) in [(0, 0.125_f64), (1, 0.25), (2, 0.625)] {
            assert!((cross_entropy(&logits, label) + probability.ln()).abs() < 1e-6);
        }
    }

    #[test]
    fn cross_entropy_does_not_overflow() {
        assert_eq!(cross_entropy(&[1e30, 0.0], 0), 0.0);
        assert_eq!(cross_entropy(&[1000.0, 0.0], 1), 1000.0);
        assert_eq!(cross_entropy(&[-1000.0, -1000.0], 0), 2.0_f64.ln());
    }

    #[test]
    fn argmax_takes_the_first_of_equal_logits() {
        assert_eq!(argmax(&[-3.0, -1.0, -1.0]), 1);
        assert_eq!(argmax(&[0.0; 4]), 0);
    }
}
