//! Loss and accuracy over the epochs, as points of curves.

use crate::history::EpochRecord;
use crate::progress::Totals;

/// Points of a training curve in each epoch.
const RESOLUTION: usize = 20;

/// `(epochs, value)`
pub(super) type Points = Vec<(f64, f64)>;

/// Two curves over the epochs.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub(super) loss: Points,
    /// In percent.
    pub(super) accuracy: Points,
}

impl Series {
    fn push(&mut self, epochs: f64, totals: Totals) {
        let (loss, accuracy) = (totals.loss.value(), totals.accuracy.value());
        // A logarithm of the loss is drawn.
        if loss > 0.0 && loss.is_finite() {
            self.loss.push((epochs, loss));
        }
        if accuracy.is_finite() {
            self.accuracy.push((epochs, accuracy));
        }
    }
}

/// All curves of a training.
#[derive(Clone, Debug, Default)]
pub(super) struct Curves {
    pub(super) train: Series,
    pub(super) validation: Series,
    /// What the next point of the training curves is the mean of.
    pub(super) window: Totals,
}

impl Curves {
    /// The curves of the epochs that are done already.
    pub(super) fn of(records: &[EpochRecord]) -> Self {
        let mut curves = Self::default();
        for record in records {
            let totals = |loss, accuracy: f64| {
                let mut totals = Totals::default();
                totals.loss.add(loss, 1);
                totals.accuracy.add(100.0 * accuracy, 1);
                totals
            };
            let end = record.epoch as f64;
            let train = totals(record.train_loss, record.train_accuracy);
            curves.train.push(end - 0.5, train);
            let validation = totals(record.validation_loss, record.validation_accuracy);
            curves.validation.push(end, validation);
        }
        curves
    }

    /// `images` of the epoch's `all` have been trained with.
    pub(super) fn trained(&mut self, epoch: usize, images: usize, all: usize) {
        let count = self.window.loss.count();
        if count * RESOLUTION < all {
            return;
        }
        let middle = images as f64 - count as f64 / 2.0;
        let epochs = (epoch - 1) as f64 + middle / all as f64;
        self.train.push(epochs, self.window);
        self.window = Totals::default();
    }

    /// An epoch has been validated.
    pub(super) fn validated(&mut self, epoch: usize, totals: Totals) {
        self.validation.push(epoch as f64, totals);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(curves: &mut Curves, loss: f64, accuracy: f64) {
        curves.window.loss.add(loss, 10);
        curves.window.accuracy.add(accuracy, 10);
    }

    #[test]
    fn a_point_is_the_mean_of_its_window_at_its_middle() {
        let mut curves = Curves::default();
        add(&mut curves, 2.0, 10.0);
        curves.trained(1, 10, 400);
        assert!(curves.train.loss.is_empty());
        add(&mut curves, 1.0, 30.0);
        curves.trained(1, 20, 400);
        assert_eq!(curves.train.loss, [(10.0 / 400.0, 1.5)]);
        assert_eq!(curves.train.accuracy, [(10.0 / 400.0, 20.0)]);
        add(&mut curves, 0.5, 50.0);
        add(&mut curves, 0.5, 50.0);
        curves.trained(1, 40, 400);
        assert_eq!(curves.train.loss[1], (30.0 / 400.0, 0.5));
    }

    #[test]
    fn a_training_that_goes_on_starts_with_its_history() {
        let record = EpochRecord {
            epoch: 2,
            train_loss: 0.25,
            train_accuracy: 0.5,
            validation_loss: 0.125,
            validation_accuracy: 0.75,
            ..EpochRecord::default()
        };
        let curves = Curves::of(&[record]);
        assert_eq!(curves.train.accuracy, [(1.5, 50.0)]);
        assert_eq!(curves.validation.loss, [(2.0, 0.125)]);
    }

    #[test]
    fn no_point_is_drawn_of_what_is_no_number() {
        let mut curves = Curves::default();
        curves.validated(1, Totals::default());
        assert!(curves.validation.loss.is_empty() && curves.validation.accuracy.is_empty());
    }
}
