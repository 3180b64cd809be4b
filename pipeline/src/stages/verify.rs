//! `verify`: proves that the ONNX answers as the trained network does, on real
//! test images and at batch sizes that were never captured.

use std::sync::Arc;

use anyhow::Context as _;
use dataset::{Part, Split};
use output::message;
use runtime::{ModelMetadata, Provider, Session, SessionOptions, library};
use serde::{Deserialize, Serialize};

use crate::plan::VerifyPlan;
use crate::stages::Context;
use crate::stages::network::{label, logits};

/// Batch sizes that ONNX Runtime is given, in turn.
const BATCHES: [usize; 5] = [1, 3, 17, 100, 256];

/// What was found, all labels being equal.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Verification {
    pub(super) images: usize,
    pub(super) max_difference: f64,
    pub(super) tolerance: f64,
    batches: [usize; 5],
    onnxruntime: String,
}

/// An ONNX that does not answer as the network does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Mismatch {
    #[error(
        "the ONNX answers image {image} with class {onnx}, the trained network with {burn}; of \
         {images} images {different} differ"
    )]
    Label {
        image: usize,
        onnx: usize,
        burn: usize,
        images: usize,
        different: usize,
    },
    #[error(
        "a logit of image {image} differs by {difference:.2e}, more than the tolerance \
         {tolerance:.2e}"
    )]
    Logit {
        image: usize,
        difference: f64,
        tolerance: f64,
    },
}

pub(super) fn run(plan: &VerifyPlan, context: &Context) -> anyhow::Result<()> {
    let split = Arc::new(images(plan)?);
    let train = &plan.export.train;
    let normalization = train.normalization(&train.dataset.load(Part::Train)?);
    let (network, device) = plan.export.network()?;
    let burn = logits(&network, &device, &normalization, &split)?;

    let library = library::load(context.ort_lib.as_deref())?;
    // The network answers on the CPU: what differs is then the export and nothing else.
    let options = SessionOptions {
        provider: Provider::Cpu,
        threads: None,
    };
    let mut session = Session::open(&library, &plan.export.file, &options)?;
    let metadata = ModelMetadata::of_model(session.model())?;
    let onnx = onnx_logits(&mut session, &metadata, &split)?;

    let classes = plan.dataset.classes.len();
    let max_difference = compare(&burn, &onnx, classes, plan.tolerance)?;
    let verification = Verification {
        images: split.images().len(),
        max_difference,
        tolerance: plan.tolerance,
        batches: BATCHES,
        onnxruntime: library.version().to_owned(),
    };
    artifact::write_json(&plan.file, &verification)?;
    message!(
        "  {} of {0} labels equal, logits differ by at most {max_difference:.1e}",
        verification.images
    );
    Ok(())
}

/// The test images to verify on.
fn images(plan: &VerifyPlan) -> anyhow::Result<Split> {
    let test = plan.dataset.load(Part::Test)?;
    let count = match plan.config.images {
        Some(images) => images.get().min(test.images().len()),
        None => return Ok(test),
    };
    Ok(test.select(&(0..count).collect::<Vec<_>>()))
}

/// The ONNX's logits of all images, by its own metadata.
fn onnx_logits(
    session: &mut Session,
    metadata: &ModelMetadata,
    split: &Split,
) -> anyhow::Result<Vec<f32>> {
    let images = split.images();
    let [channels, height, width] = images.image_shape();
    let mut logits = Vec::new();
    let mut sizes = BATCHES.iter().cycle();
    let mut start = 0;
    while start < images.len() {
        let size = sizes.next().copied().unwrap_or(1).min(images.len() - start);
        let shape = [size, channels, height, width];
        let pixels = &images.pixels()[start * images.image_len()..][..size * images.image_len()];
        let mut normalized = vec![0.0; pixels.len()];
        metadata.normalization.apply(shape, pixels, &mut normalized);
        let answers = session
            .run(&normalized, shape)
            .with_context(|| format!("the ONNX fails on a batch of {size}"))?;
        logits.extend_from_slice(answers.values());
        start += size;
    }
    Ok(logits)
}

/// The largest difference between two logits.
fn compare(burn: &[f32], onnx: &[f32], classes: usize, tolerance: f64) -> Result<f64, Mismatch> {
    let rows = || burn.chunks_exact(classes).zip(onnx.chunks_exact(classes));
    let labels = || rows().map(|(burn, onnx)| (label(burn), label(onnx)));
    let different = labels().filter(|(burn, onnx)| burn != onnx).count();
    if let Some((image, (burn, onnx))) = labels().enumerate().find(|(_, (b, o))| b != o) {
        return Err(Mismatch::Label {
            image,
            onnx,
            burn,
            images: rows().count(),
            different,
        });
    }
    let mut largest = 0.0;
    for (image, (burn, onnx)) in rows().enumerate() {
        for (a, b) in burn.iter().zip(onnx) {
            let difference = (f64::from(*a) - f64::from(*b)).abs();
            if difference > tolerance || difference.is_nan() {
                return Err(Mismatch::Logit {
                    image,
                    difference,
                    tolerance,
                });
            }
            largest = f64::max(largest, difference);
        }
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_are_accepted_with_their_largest_difference() {
        let difference = compare(&[0.0, 1.0, 2.0, 0.0], &[0.0, 1.5, 2.0, 0.0], 2, 0.5);
        assert_eq!(difference.ok(), Some(0.5));
    }

    #[test]
    fn another_label_is_refused_within_the_tolerance() {
        let error = compare(&[0.0, 0.1], &[0.1, 0.0], 2, 1.0);
        assert!(matches!(error, Err(Mismatch::Label { image: 0, .. })));
    }

    #[test]
    fn a_large_difference_or_nan_is_refused() {
        let error = compare(&[0.0, 1.0], &[0.0, 1.2], 2, 0.1);
        assert!(matches!(error, Err(Mismatch::Logit { image: 0, .. })));
        let error = compare(&[0.0, f32::NAN], &[0.0, f32::NAN], 2, 0.1);
        assert!(matches!(error, Err(Mismatch::Logit { image: 0, .. })));
    }
}
