//! How a network is trained.

use serde::{Deserialize, Serialize};

use crate::{DeviceName, Error, Optimizer, Schedule};

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Where to train.
    pub device: DeviceName,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step.
    pub batch_size: usize,
    /// Seed of the initial weights, the order of the images and dropout.
    pub seed: u64,
    /// The update rule.
    pub optimizer: Optimizer,
    /// Learning rate at its highest.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Epochs over which the learning rate rises linearly at the start.
    pub warmup_epochs: f64,
    /// Part of the target spread evenly over the classes, in [0, 1).
    pub label_smoothing: f64,
    /// Which images the network is validated on.
    pub validation: Validation,
    /// When to stop before the last epoch.
    pub early_stopping: Option<EarlyStopping>,
    /// Print a line every so many batches; no part of what is trained.
    #[serde(skip)]
    pub log_every: Option<usize>,
}

/// Which images the network is validated on after each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Validation {
    /// This many training images, chosen by the seed and not trained on.
    HoldOut(usize),
    /// The test images, as tutorials do it; the best epoch is then chosen on
    /// the images that the result is measured on.
    Test,
}

/// When to stop before the last epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a lower validation loss.
    pub patience: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            device: DeviceName::Auto,
            epochs: 10,
            batch_size: 64,
            seed: 1,
            optimizer: Optimizer::default(),
            learning_rate: 0.001,
            schedule: Schedule::Constant,
            warmup_epochs: 0.0,
            label_smoothing: 0.0,
            validation: Validation::HoldOut(5000),
            early_stopping: None,
            log_every: None,
        }
    }
}

impl Settings {
    /// Checks every value against the number of training images.
    ///
    /// # Errors
    ///
    /// The first setting whose value is impossible.
    pub fn check(&self, images: usize) -> Result<(), Error> {
        let held_out = match self.validation {
            Validation::HoldOut(held_out) => held_out,
            Validation::Test => 0,
        };
        let checks = [
            ("epochs", self.epochs > 0, "must be at least 1".to_owned()),
            (
                "batch_size",
                self.batch_size > 0,
                "must be at least 1".to_owned(),
            ),
            (
                "learning_rate",
                self.learning_rate > 0.0 && self.learning_rate.is_finite(),
                format!("{} is not a positive number", self.learning_rate),
            ),
            (
                "warmup_epochs",
                self.warmup_epochs >= 0.0 && self.warmup_epochs.is_finite(),
                format!("{} is not zero or more", self.warmup_epochs),
            ),
            (
                "label_smoothing",
                (0.0..1.0).contains(&self.label_smoothing),
                format!("{} is not in [0, 1)", self.label_smoothing),
            ),
            (
                "validation",
                held_out < images && (held_out > 0 || self.validation == Validation::Test),
                format!("hold_out must be from 1 to {}", images.saturating_sub(1)),
            ),
            (
                "early_stopping",
                self.early_stopping.is_none_or(|stop| stop.patience > 0),
                "patience must be at least 1".to_owned(),
            ),
            (
                "log_every",
                self.log_every != Some(0),
                "must be at least 1".to_owned(),
            ),
        ];
        if let Some((setting, _, problem)) = checks.into_iter().find(|(_, valid, _)| !valid) {
            return Err(Error::Setting { setting, problem });
        }
        self.optimizer.check()?;
        self.schedule.check()
    }
}
