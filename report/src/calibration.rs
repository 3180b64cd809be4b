//! Whether a network is right as often as it is sure: the reliability diagram
//! and the expected calibration error of Guo, Pleiss, Sun and Weinberger, "On
//! Calibration of Modern Neural Networks", ICML 2017.

use crate::run::{Evaluation, top};

/// Bins of equal width over the confidence, as many as in the paper.
pub(crate) const BINS: usize = 15;

/// How confidence and accuracy go together.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Images by their confidence, the probability of the predicted class.
    pub bins: Vec<Bin>,
    /// ECE = Σ |B| / n · |acc(B) - conf(B)|, 0 to 1.
    pub error: f64,
}

/// The images with a confidence in (low, high].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// How many images.
    pub images: usize,
    /// The part of them whose class was found, acc(B); 0 where there is none.
    pub accuracy: f64,
    /// Their mean confidence, conf(B); 0 where there is none.
    pub confidence: f64,
}

impl Calibration {
    /// The calibration of an evaluated network.
    pub fn of(evaluation: &Evaluation<'_>) -> Self {
        let mut sums = [(0_usize, 0_usize, 0.0_f64); BINS];
        for (_, label, probabilities) in evaluation.answers() {
            let (predicted, confidence) = top(probabilities);
            let (images, right, sum) = &mut sums[bin(confidence)];
            *images += 1;
            *right += usize::from(predicted == label);
            *sum += confidence;
        }
        let bins: Vec<Bin> = sums.into_iter().enumerate().map(summary).collect();
        let n: usize = bins.iter().map(|bin| bin.images).sum();
        let gap = |bin: &Bin| bin.images as f64 / n as f64 * (bin.accuracy - bin.confidence).abs();
        let error = bins.iter().map(gap).sum();
        Self { bins, error }
    }
}

/// The bin of a confidence: (i / BINS, (i + 1) / BINS].
fn bin(confidence: f64) -> usize {
    let above = (confidence * BINS as f64).ceil() as usize;
    above.clamp(1, BINS) - 1
}

fn summary((index, (images, right, sum)): (usize, (usize, usize, f64))) -> Bin {
    let mean = |total: f64| {
        if images == 0 {
            0.0
        } else {
            total / images as f64
        }
    };
    Bin {
        low: index as f64 / BINS as f64,
        high: (index + 1) as f64 / BINS as f64,
        images,
        accuracy: mean(right as f64),
        confidence: mean(sum),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dataset::Images;

    use super::*;

    fn calibration(labels: &[u8], probabilities: &[f32]) -> Calibration {
        let images = Images::new(vec![0; labels.len()], [labels.len(), 1, 1, 1]).unwrap();
        let class = |name: &str| crate::ClassMeasures {
            name: name.to_owned(),
            precision: None,
            recall: None,
            f1: None,
            support: 0,
        };
        Calibration::of(&Evaluation {
            provider: String::new(),
            accuracy: 0.0,
            loss: 0.0,
            classes: vec![class("a"), class("b")],
            confusion: vec![vec![0; 2]; 2],
            images: &images,
            labels,
            probabilities: probabilities.to_vec(),
        })
    }

    #[test]
    fn error_is_the_mean_gap_weighted_by_the_images_of_each_bin() {
        // Three images at 0.75, two of them right; one at 1.0, which is wrong.
        let found = calibration(
            &[0, 0, 1, 1],
            &[0.75, 0.25, 0.75, 0.25, 0.75, 0.25, 1.0, 0.0],
        );
        let expected = 0.75 * (0.75 - 2.0 / 3.0) + 0.25 * 1.0;
        assert!((found.error - expected).abs() < 1e-12, "{found:?}");
        assert_eq!(found.bins[11].images, 3);
        assert_eq!(found.bins[14].images, 1);
    }

    #[test]
    fn network_that_is_as_sure_as_right_has_no_error() {
        let found = calibration(&[0, 1], &[0.5, 0.5, 0.5, 0.5]);
        assert_eq!(found.error, 0.0);
    }

    #[test]
    fn bins_hold_their_upper_bound() {
        assert_eq!(bin(0.0), 0);
        assert_eq!(bin(1.0 / 15.0), 0);
        assert_eq!(bin(0.07), 1);
        assert_eq!(bin(1.0), 14);
    }
}
