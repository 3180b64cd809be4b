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
    fn mean_counts_each_value() {
        let mut mean = Mean::default();
        assert!(mean.value().is_nan());
        mean.add(1.0, 3);
        mean.add(5.0, 1);
        assert_eq!(mean.value(), 2.0);
    }
}
