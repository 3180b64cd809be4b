//! Which class was taken for which, and the measures that follow from it.

use serde::Serialize;

/// Counts of images by true class (row) and predicted class (column):
/// [classes, classes].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Confusion(Vec<Vec<u64>>);

/// The measures of one class. Where nothing is there to divide by, there is
/// none: precision where the class was never predicted, recall where it has no
/// image, F1 where both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassMeasures {
    /// The class.
    pub class: String,
    /// Of the images taken for this class, the part that is: TP / (TP + FP).
    pub precision: Option<f64>,
    /// Of the images of this class, the part that was found: TP / (TP + FN).
    pub recall: Option<f64>,
    /// The harmonic mean of both: 2·TP / (2·TP + FP + FN).
    pub f1: Option<f64>,
    /// The images of this class: TP + FN.
    pub support: u64,
}

impl Confusion {
    pub(crate) fn new(classes: usize) -> Self {
        Self(vec![vec![0; classes]; classes])
    }

    /// Counts an image of class `truth` that was taken for `predicted`.
    pub(crate) fn count(&mut self, truth: usize, predicted: usize) {
        self.0[truth][predicted] += 1;
    }

    /// The rows: for each true class the counts by predicted class.
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.0
    }

    /// The images whose class was found: the diagonal's sum.
    pub fn correct(&self) -> u64 {
        self.0
            .iter()
            .enumerate()
            .map(|(class, row)| row[class])
            .sum()
    }

    /// The measures of the class with number `index`, named `class`.
    pub(crate) fn measures(&self, index: usize, class: &str) -> ClassMeasures {
        let hits = self.0[index][index];
        let support: u64 = self.0[index].iter().sum();
        let predicted: u64 = self.0.iter().map(|row| row[index]).sum();
        ClassMeasures {
            class: class.to_owned(),
            precision: ratio(hits, predicted),
            recall: ratio(hits, support),
            f1: ratio(2 * hits, predicted + support),
            support,
        }
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three classes: class 1 is taken for 0 once, class 2 never appears.
    fn example() -> Confusion {
        let mut confusion = Confusion::new(3);
        for (truth, predicted) in [(0, 0), (0, 0), (1, 0), (1, 1)] {
            confusion.count(truth, predicted);
        }
        confusion
    }

    #[test]
    fn measures_follow_their_definitions() {
        let confusion = example();
        let zero = confusion.measures(0, "zero");
        assert_eq!(zero.precision, Some(2.0 / 3.0));
        assert_eq!(zero.recall, Some(1.0));
        assert_eq!(zero.f1, Some(0.8));
        assert_eq!(zero.support, 2);
        let one = confusion.measures(1, "one");
        assert_eq!((one.precision, one.recall), (Some(1.0), Some(0.5)));
        assert_eq!(confusion.correct(), 3);
    }

    #[test]
    fn class_that_never_appears_has_no_measures() {
        let two = example().measures(2, "two");
        assert_eq!((two.precision, two.recall, two.f1), (None, None, None));
        assert_eq!(two.support, 0);
    }
}
