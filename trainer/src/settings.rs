//! How a network is trained.

use std::path::PathBuf;

use dataset::augment::Augment;
use models::Architecture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DeviceName, Error, Optimizer, Schedule};

/// The most epochs: what is written of them can then be read back.
pub(crate) const MAX_EPOCHS: usize = 50_000;

/// The most images per step.
const MAX_BATCH_SIZE: usize = 1_000_000;

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Where to train.
    pub device: DeviceName,
    /// Passes over the training images; none leaves the weights of `init` as
    /// they are.
    pub epochs: usize,
    /// Images per step.
    pub batch_size: usize,
    /// Seed of the initial weights, the order of the images, their changes and
    /// dropout.
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
    /// How training images are changed at random.
    #[serde(skip_serializing_if = "Augment::is_identity")]
    pub augment: Augment,
    /// Which images the network is validated on.
    pub validation: Validation,
    /// When to stop before the last epoch.
    pub early_stopping: Option<EarlyStopping>,
    /// Weights to begin with instead of random ones, as [`load_weights`] reads
    /// them; whoever describes the training tells what is in the file.
    ///
    /// [`load_weights`]: crate::load_weights
    #[serde(skip)]
    pub init: Option<PathBuf>,
    /// Print a line every so many batches; no part of what is trained.
    #[serde(skip)]
    pub log_every: Option<usize>,
    /// When to save where the training stands; no part of what is trained.
    #[serde(skip)]
    pub checkpoint: Checkpointing,
}

/// When to save where a training stands, so that it can go on from there.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpointing {
    /// Steps between two checkpoints; they take the place of `seconds`.
    pub steps: Option<usize>,
    /// Seconds between two checkpoints.
    pub seconds: f64,
    /// How many are kept.
    pub keep: usize,
}

impl Default for Checkpointing {
    fn default() -> Self {
        Self {
            steps: None,
            seconds: 30.0,
            keep: 2,
        }
    }
}

/// Which images the network is validated on after each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[schemars(remote = "Validation")]
pub enum Validation {
    /// This many training images, chosen by the seed and not trained on.
    HoldOut(usize),
    /// The test images, as tutorials do it; the best epoch is then chosen on
    /// the images that the result is measured on.
    Test,
}

models::named!(Validation, "what to validate on");

impl Validation {
    /// What is held out of so many training images where nobody says: 5,000, or
    /// a tenth where that is less.
    pub fn of(images: usize) -> Self {
        Self::HoldOut((images / 10).clamp(1, 5000))
    }

    /// How many training images are not trained on.
    fn held_out(self) -> usize {
        match self {
            Self::HoldOut(images) => images,
            Self::Test => 0,
        }
    }
}

/// When to stop before the last epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
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
            augment: Augment::default(),
            validation: Validation::HoldOut(5000),
            early_stopping: None,
            init: None,
            log_every: None,
            checkpoint: Checkpointing::default(),
        }
    }
}

impl Settings {
    /// Checks every value, and against the number of training images where that
    /// is known.
    ///
    /// # Errors
    ///
    /// The first setting whose value is impossible.
    pub fn check(&self, images: Option<usize>) -> Result<(), Error> {
        let held_out = self.validation.held_out();
        let checks = [
            (
                "epochs",
                self.epochs > 0 || self.init.is_some(),
                "must be at least 1, unless `init` brings the weights".to_owned(),
            ),
            (
                "epochs",
                self.epochs <= MAX_EPOCHS,
                format!("{} is more than {MAX_EPOCHS}", self.epochs),
            ),
            (
                "batch_size",
                (1..=MAX_BATCH_SIZE).contains(&self.batch_size),
                format!("{} is not in 1 to {MAX_BATCH_SIZE}", self.batch_size),
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
                "warmup_epochs",
                self.epochs == 0 || self.warmup_epochs <= self.epochs as f64,
                format!(
                    "{} is more than `epochs`, {}",
                    self.warmup_epochs, self.epochs
                ),
            ),
            (
                "label_smoothing",
                (0.0..1.0).contains(&self.label_smoothing),
                format!("{} is not in [0, 1)", self.label_smoothing),
            ),
            (
                "validation",
                self.validation == Validation::Test || held_out > 0,
                "hold_out must be at least 1".to_owned(),
            ),
            (
                "validation",
                images.is_none_or(|images| held_out < images),
                format!(
                    "{held_out} of {0} training images cannot be held out, as none of the {0} \
                     would be left to train on; choose a smaller hold_out",
                    images.unwrap_or_default()
                ),
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
            (
                "checkpoint",
                self.checkpoint.steps != Some(0) && self.checkpoint.keep > 0,
                "steps and keep must be at least 1".to_owned(),
            ),
            (
                "checkpoint",
                self.checkpoint.seconds >= 0.0,
                format!("seconds {} is not zero or more", self.checkpoint.seconds),
            ),
        ];
        if let Some((setting, _, problem)) = checks.into_iter().find(|(_, valid, _)| !valid) {
            return Err(Error::Setting { setting, problem });
        }
        self.augment.check().map_err(|error| Error::Setting {
            setting: "augment",
            problem: error.to_string(),
        })?;
        self.optimizer.check()?;
        self.schedule.check()
    }

    /// Refuses a last batch of one of `images` where batch normalisation takes the statistics
    /// of a channel from nothing but the batch: their variance would be 0.
    ///
    /// # Errors
    ///
    /// Of `batch_size`.
    pub fn check_batches(&self, images: usize, network: &Architecture) -> Result<(), Error> {
        let trained = images.saturating_sub(self.validation.held_out());
        let last = match trained % self.batch_size.max(1) {
            0 => self.batch_size,
            rest => rest,
        };
        match network.variance_of_the_batch() {
            Some(layer) if self.epochs > 0 && last == 1 => Err(Error::Setting {
                setting: "batch_size",
                problem: format!(
                    "with {}, the last batch of an epoch has 1 of {trained} images, from which \
                     `{layer}` cannot tell a variance; choose another size",
                    self.batch_size
                ),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn last_batch_of_one_image_is_refused_where_its_variance_counts() {
        let network = |layers: &str| {
            let spec: models::ModelSpec =
                serde_saphyr::from_str(&format!("layers: [{layers}]")).unwrap();
            spec.resolve([1, 4, 4]).unwrap()
        };
        let check = |images, batch_size, layers: &str| {
            let settings = Settings {
                batch_size,
                validation: Validation::HoldOut(10),
                ..Settings::default()
            };
            let checked = settings.check_batches(images, &network(layers));
            checked.map_err(|error| error.to_string())
        };
        let vectors = "residual: { body: [batch_norm] }, flatten, batch_norm, linear: 2";
        assert_eq!(
            check(139, 64, vectors).unwrap_err(),
            "`batch_size`: with 64, the last batch of an epoch has 1 of 129 images, from which \
             `bn1` cannot tell a variance; choose another size"
        );
        assert!(check(138, 1, vectors).is_err());
        assert!(check(138, 64, vectors).is_ok());
        assert!(check(139, 64, "batch_norm, flatten, linear: 2").is_ok());
    }

    #[test]
    fn defaults_are_possible_where_there_are_images_enough() {
        assert!(Settings::default().check(None).is_ok());
        assert!(Settings::default().check(Some(5001)).is_ok());
        assert!(Settings::default().check(Some(5000)).is_err());
        assert!(Settings::default().check(Some(0)).is_err());
    }

    #[test]
    fn a_tenth_is_held_out_where_there_are_few_images() {
        for (images, held_out) in [(60_000, 5000), (50_000, 5000), (600, 60), (5, 1)] {
            assert_eq!(Validation::of(images), Validation::HoldOut(held_out));
        }
    }

    #[test]
    fn validation_on_the_test_images_holds_nothing_out() {
        let settings = Settings {
            validation: Validation::Test,
            ..Settings::default()
        };
        assert!(settings.check(Some(1)).is_ok());
    }

    #[test]
    fn impossible_value_is_refused_with_the_name_of_its_setting() {
        let change = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check(Some(60_000)).unwrap_err().to_string()
        };
        for (message, name) in [
            (change(|s| s.epochs = 0), "`epochs`"),
            (change(|s| s.epochs = usize::MAX), "`epochs`"),
            (change(|s| s.batch_size = 0), "`batch_size`"),
            (change(|s| s.batch_size = usize::MAX), "`batch_size`"),
            (change(|s| s.learning_rate = 0.0), "`learning_rate`"),
            (change(|s| s.learning_rate = f64::NAN), "`learning_rate`"),
            (change(|s| s.warmup_epochs = -1.0), "`warmup_epochs`"),
            (change(|s| s.warmup_epochs = 10.5), "`warmup_epochs`"),
            (change(|s| s.label_smoothing = 1.0), "`label_smoothing`"),
            (
                change(|s| s.validation = Validation::HoldOut(0)),
                "`validation`",
            ),
            (
                change(|s| s.validation = Validation::HoldOut(60_000)),
                "`validation`",
            ),
            (
                change(|s| s.early_stopping = Some(EarlyStopping { patience: 0 })),
                "`early_stopping`",
            ),
            (change(|s| s.augment.rotate = 400.0), "`augment`"),
            (change(|s| s.log_every = Some(0)), "`log_every`"),
            (
                change(|s| {
                    s.schedule = Schedule::Step {
                        every: 0,
                        factor: 0.1,
                    }
                }),
                "`schedule`",
            ),
            (
                change(|s| {
                    s.schedule = Schedule::Step {
                        every: usize::MAX,
                        factor: 0.1,
                    }
                }),
                "`schedule`",
            ),
            (
                change(|s| {
                    s.schedule = Schedule::Step {
                        every: 1,
                        factor: -1.0,
                    }
                }),
                "`schedule`",
            ),
        ] {
            assert!(message.starts_with(name), "{message}");
        }
    }

    #[test]
    fn lines_that_are_printed_are_no_part_of_what_is_trained() {
        let quiet = serde_json::to_string(&Settings::default()).unwrap();
        let settings = Settings {
            log_every: Some(10),
            ..Settings::default()
        };
        assert_eq!(serde_json::to_string(&settings).unwrap(), quiet);
    }
}
