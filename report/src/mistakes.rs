//! The images that the network is most wrong about.

use crate::run::{Evaluation, top};

/// An image that was taken for another class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mistake {
    /// Its position.
    pub(crate) image: usize,
    /// The class that it was taken for.
    pub(crate) predicted: usize,
    /// The probability of that class.
    pub(crate) confidence: f64,
    /// Its class.
    pub(crate) label: usize,
    /// The probability of its class.
    pub(crate) probability: f64,
}

/// The mistakes of highest confidence, at most `count`; of equals, the first.
pub(crate) fn most_confident(evaluation: &Evaluation<'_>, count: usize) -> Vec<Mistake> {
    let mistake = |(image, label, probabilities): (usize, usize, &[f32])| {
        let (predicted, confidence) = top(probabilities);
        (predicted != label).then(|| Mistake {
            image,
            predicted,
            confidence,
            label,
            probability: f64::from(probabilities[label]),
        })
    };
    let mut mistakes: Vec<Mistake> = evaluation.answers().filter_map(mistake).collect();
    mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    mistakes.truncate(count);
    mistakes
}
