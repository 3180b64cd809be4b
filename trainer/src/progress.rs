//! How far a training has come: all its state besides tensors.

use serde::{Deserialize, Serialize};

use crate::history::{EpochRecord, Timing};

/// How far a training has come.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Progress {
    /// Steps done, over all epochs.
    pub(crate) steps: u64,
    /// Steps done in the epoch that is under way.
    pub(crate) steps_in_epoch: usize,
    /// Over the images of these steps.
    pub(crate) totals: Totals,
    /// What these steps took.
    #[serde(default)]
    pub(crate) seconds_in_epoch: f64,
    /// The epochs that are done.
    pub(crate) epochs: Vec<EpochRecord>,
    /// Index of the best of them.
    pub(crate) best: Option<usize>,
    /// Whether the training has ended, by its last epoch or early stopping.
    pub(crate) finished: bool,
    pub(crate) timing: Timing,
}

impl Progress {
    /// The epoch that is under way, counted from 1.
    pub(crate) fn epoch(&self) -> usize {
        self.epochs.len() + 1
    }

    /// Whether a training of so many epochs and steps in each can have come so far.
    pub(crate) fn is_of(&self, epochs: usize, steps_in_each: usize) -> bool {
        let done = self.epochs.len();
        let steps = done
            .checked_mul(steps_in_each)
            .and_then(|steps| steps.checked_add(self.steps_in_epoch));
        let more = if self.finished {
            done > 0 && self.steps_in_epoch == 0
        } else {
            done < epochs
        };
        more && done <= epochs
            && self.steps_in_epoch <= steps_in_each
            && steps.is_some_and(|steps| steps as u64 == self.steps)
            && self.best.map_or(done == 0, |best| best < done)
    }

    /// Whether the validation loss has not fallen for `patience` epochs.
    pub(crate) fn stagnates(&self, patience: usize) -> bool {
        let losses = self.epochs.iter().map(|epoch| epoch.validation_loss);
        let lowest = losses
            .enumerate()
            .min_by(|(_, one), (_, other)| one.total_cmp(other));
        lowest.is_some_and(|(index, _)| self.epochs.len() - 1 - index >= patience)
    }
}

/// Loss and accuracy over the images of a split so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Totals {
    pub(crate) loss: Mean,
    /// In percent.
    pub(crate) accuracy: Mean,
}

impl Totals {
    /// The part of the images that were answered rightly, in [0, 1]: a whole
    /// number of them, which the batches' percentages only come near to.
    pub(crate) fn right(self) -> f64 {
        (self.accuracy.sum / 100.0).round() / self.accuracy.count as f64
    }
}

/// A mean that grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    /// Adds `count` values by their mean.
    pub(crate) fn add(&mut self, mean: f64, count: usize) {
        self.sum += mean * count as f64;
        self.count += count;
    }

    /// Whether all values are finite.
    pub(crate) fn is_finite(self) -> bool {
        self.sum.is_finite()
    }

    /// How many values it is the mean of.
    pub(crate) fn count(self) -> usize {
        self.count
    }

    /// The mean, or NaN of nothing.
    pub(crate) fn value(self) -> f64 {
        self.sum / self.count as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_of_no_such_training_is_seen() {
        let progress = Progress {
            steps: 25,
            steps_in_epoch: 5,
            epochs: vec![EpochRecord::default(); 2],
            best: Some(1),
            ..Progress::default()
        };
        assert!(progress.is_of(3, 10));
        assert!(!progress.is_of(2, 10) && !progress.is_of(3, 11) && !progress.is_of(3, 4));
        let changed = |change: fn(&mut Progress)| {
            let mut changed = progress.clone();
            change(&mut changed);
            changed.is_of(3, 10)
        };
        assert!(!changed(|progress| progress.best = Some(2)));
        assert!(!changed(|progress| progress.best = None));
        assert!(!changed(|progress| progress.steps = u64::MAX));
        assert!(!changed(|progress| progress.steps_in_epoch = usize::MAX));
        assert!(!changed(|progress| progress.finished = true));
    }

    #[test]
    fn training_stagnates_after_patience_epochs_without_a_lower_loss() {
        let progress = |losses: &[f64]| Progress {
            epochs: losses
                .iter()
                .map(|&validation_loss| EpochRecord {
                    validation_loss,
                    ..EpochRecord::default()
                })
                .collect(),
            ..Progress::default()
        };
        assert!(!progress(&[]).stagnates(1));
        assert!(!progress(&[1.0, 0.9]).stagnates(1));
        assert!(progress(&[0.9, 0.9]).stagnates(1));
        assert!(!progress(&[0.5, 0.9]).stagnates(2));
        assert!(progress(&[0.5, 0.9, 0.6]).stagnates(2));
    }

    #[test]
    fn accuracy_is_that_of_whole_images() {
        let mut totals = Totals::default();
        (0..3).for_each(|_| totals.accuracy.add(100.0 * 138.0 / 140.0, 140));
        assert_ne!(totals.accuracy.value() / 100.0, 138.0 / 140.0);
        assert_eq!(totals.right(), 138.0 / 140.0);
    }

    #[test]
    fn mean_counts_each_value() {
        let mut mean = Mean::default();
        assert!(mean.value().is_nan());
        mean.add(1.0, 3);
        mean.add(5.0, 1);
        assert_eq!(mean.value(), 2.0);
    }
}
