//! What each epoch achieved, `metrics.jsonl`, one JSON object a line; and what
//! it took, apart, since that is never the same twice.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What one epoch achieved.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean training loss over the epoch's images, with label smoothing.
    pub train_loss: f64,
    /// Training accuracy while the epoch ran, in [0, 1].
    pub train_accuracy: f64,
    /// Mean validation loss after the epoch, without label smoothing.
    pub validation_loss: f64,
    /// Validation accuracy after the epoch, in [0, 1].
    pub validation_accuracy: f64,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f64,
}

/// Wall-clock time of a training, without what an interruption lost.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Timing {
    /// The whole training, in seconds.
    pub seconds: f64,
    /// Each epoch.
    pub epochs: Vec<EpochTiming>,
}

/// Wall-clock time of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct EpochTiming {
    /// Training and validation.
    pub seconds: f64,
    /// Training images per second of training alone.
    pub images_per_second: f64,
}

impl EpochRecord {
    /// Whether this epoch's weights are to be preferred: a higher validation
    /// accuracy, or the same with a lower loss.
    pub(crate) fn better_than(&self, other: &Self) -> bool {
        let ours = (self.validation_accuracy, -self.validation_loss);
        ours > (other.validation_accuracy, -other.validation_loss)
    }
}

/// Writes all epochs so far, whole or not at all.
pub(crate) fn write(path: &Path, epochs: &[EpochRecord]) -> Result<(), Error> {
    artifact::write(path, |file| {
        for epoch in epochs {
            serde_json::to_writer(&mut *file, epoch)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })?;
    Ok(())
}
