//! What a classifier takes images for.

use std::num::NonZeroUsize;

use dataset::Images;
use serde::Serialize;

use crate::evaluate::{Error, have_softmax, softmax};
use crate::metadata::ModelMetadata;
use crate::session::{Session, buffer};

/// What an image is taken for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Prediction {
    /// Every class, the most probable first; of equal ones in their order.
    pub ranking: Vec<Ranked>,
}

/// A class and how probable it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// The class.
    pub class: String,
    /// The softmax of its logit, 0 to 1.
    pub probability: f64,
}

/// Runs the model on `images`, at most `batch` at a time, and returns what each
/// is taken for. A model made for one batch size runs with that one.
///
/// # Errors
///
/// When the images do not fit the model, or it fails, answers with another
/// number of classes than it names, or with something that is no number.
pub fn predict(
    session: &mut Session,
    metadata: &ModelMetadata,
    images: &Images,
    batch: NonZeroUsize,
) -> Result<Vec<Prediction>, Error> {
    let predictions = predict_finite(session, metadata, images, batch)?;
    let numbered = predictions.into_iter().enumerate();
    numbered
        .map(|(image, prediction)| prediction.ok_or(Error::NotFinite { image }))
        .collect()
}

/// As [`predict`], with none for an image that the model answers with something that
/// is no number.
///
/// # Errors
///
/// As [`predict`], but for that.
pub fn predict_finite(
    session: &mut Session,
    metadata: &ModelMetadata,
    images: &Images,
    batch: NonZeroUsize,
) -> Result<Vec<Option<Prediction>>, Error> {
    let (expected, found) = (metadata.input, images.image_shape());
    if expected != found {
        return Err(Error::ImageShape { expected, found });
    }
    let (expected, found) = (found[0], metadata.normalization.channels());
    if expected != found {
        return Err(Error::Channels { expected, found });
    }
    let fixed = session.fixed_batch();
    let batch = fixed.unwrap_or(batch).get();
    let mut predictions = Vec::with_capacity(images.len());
    for pixels in images
        .pixels()
        .chunks(batch.saturating_mul(images.image_len()))
    {
        let count = pixels.len() / images.image_len();
        let rows = if fixed.is_some() { batch } else { count };
        let logits = run(session, metadata, pixels, count, rows)?;
        let rows = logits.chunks_exact(metadata.classes.len());
        predictions.extend(rows.map(|row| rank(row, metadata)));
    }
    Ok(predictions)
}

/// The logits of `count` images, filled up to a batch of `rows`.
fn run(
    session: &mut Session,
    metadata: &ModelMetadata,
    pixels: &[u8],
    count: usize,
    rows: usize,
) -> Result<Vec<f32>, Error> {
    let [channels, height, width] = metadata.input;
    let mut input = buffer([rows, channels, height, width])?;
    let shape = [count, channels, height, width];
    let filled = &mut input[..pixels.len()];
    metadata.normalization.apply(shape, pixels, filled);
    let logits = session.run(&input, [rows, channels, height, width])?;
    let (expected, found) = (metadata.classes.len(), logits.classes());
    if expected != found {
        return Err(Error::Classes { expected, found });
    }
    Ok(logits.values()[..count * found].to_vec())
}

/// The classes by their probability; none where that is no number.
fn rank(logits: &[f32], metadata: &ModelMetadata) -> Option<Prediction> {
    let probabilities = probabilities(logits)?;
    let classes = metadata.classes.iter().cloned().zip(probabilities);
    let mut ranking: Vec<_> = classes
        .map(|(class, probability)| Ranked { class, probability })
        .collect();
    ranking.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    Some(Prediction { ranking })
}

/// The softmax, where there is one.
fn probabilities(logits: &[f32]) -> Option<Vec<f64>> {
    have_softmax(logits).then(|| softmax(logits))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn softmax_is_that_of_the_logits_however_large() {
        // softmax([ln 1, ln 2, ln 5]) = [1/8, 2/8, 5/8]
        let found = probabilities(&[0.0, 2.0_f32.ln(), 5.0_f32.ln()]).unwrap();
        for (found, expected) in found.iter().zip([0.125, 0.25, 0.625]) {
            assert!((found - expected).abs() < 1e-7);
        }
        assert_eq!(probabilities(&[1e30, -1e30]).unwrap(), [1.0, 0.0]);
    }

    #[test]
    fn logits_that_are_no_numbers_have_no_softmax() {
        for bad in [f32::NAN, f32::INFINITY] {
            assert_eq!(probabilities(&[0.0, bad]), None);
        }
        assert_eq!(probabilities(&[f32::NEG_INFINITY; 2]), None);
        assert_eq!(
            probabilities(&[0.0, f32::NEG_INFINITY]).unwrap(),
            [1.0, 0.0]
        );
    }
}
