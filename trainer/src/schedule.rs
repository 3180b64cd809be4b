//! The learning rate as a function of the step.

use burn::optim::LearningRate;
use burn::optim::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::settings::MAX_EPOCHS;
use crate::{Error, Settings};

/// How the learning rate changes after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[schemars(remote = "Schedule")]
pub enum Schedule {
    /// It does not.
    #[default]
    Constant,
    /// Multiplied by `factor` after every `every` epochs from the end of the warm-up on.
    Step {
        /// Epochs between two changes.
        every: usize,
        /// What the rate is multiplied by.
        factor: f64,
    },
    /// Half a cosine from the full rate to zero at the last step
    /// (Loshchilov and Hutter, SGDR, 2017).
    Cosine,
}

models::named!(Schedule, "a schedule");

impl Schedule {
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Step { every, .. } if !(1..=MAX_EPOCHS).contains(every) => {
                Err(format!("every {every} is not in 1 to {MAX_EPOCHS}"))
            }
            Self::Step { factor, .. } if !(*factor > 0.0 && factor.is_finite()) => {
                Err(format!("factor {factor} is not a positive number"))
            }
            Self::Constant | Self::Step { .. } | Self::Cosine => Ok(()),
        }
        .map_err(|problem| Error::Setting {
            setting: "schedule",
            problem,
        })
    }
}

/// The learning rate of every step of one training; all its state is the
/// number of the step.
#[derive(Clone)]
pub(crate) struct LearningRates {
    peak: f64,
    schedule: Schedule,
    steps_per_epoch: usize,
    warmup_steps: usize,
    total_steps: usize,
    step: usize,
}

impl LearningRates {
    pub(crate) fn new(settings: &Settings, steps_per_epoch: usize) -> Self {
        Self {
            peak: settings.learning_rate,
            schedule: settings.schedule,
            steps_per_epoch,
            warmup_steps: (settings.warmup_epochs * steps_per_epoch as f64).round() as usize,
            total_steps: settings.epochs * steps_per_epoch,
            step: 0,
        }
    }

    /// The learning rate of `step`, counted from 0.
    pub(crate) fn at(&self, step: usize) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        match self.schedule {
            Schedule::Constant => self.peak,
            Schedule::Step { every, factor } => {
                let changes = (step - self.warmup_steps) / (every * self.steps_per_epoch).max(1);
                self.peak * factor.powi(i32::try_from(changes).unwrap_or(i32::MAX))
            }
            Schedule::Cosine => {
                let length = self.total_steps.saturating_sub(self.warmup_steps).max(1);
                let progress = (step - self.warmup_steps) as f64 / length as f64;
                self.peak * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
            }
        }
    }
}

impl LrScheduler for LearningRates {
    fn step(&mut self) -> LearningRate {
        let rate = self.at(self.step);
        self.step += 1;
        rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar("step", self.step as u64)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(step) = record.scalar::<u64>("step") {
            self.step = step as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, warmup_epochs: f64) -> LearningRates {
        let settings = Settings {
            learning_rate: 1.0,
            epochs: 4,
            schedule,
            warmup_epochs,
            ..Settings::default()
        };
        LearningRates::new(&settings, 10)
    }

    #[test]
    fn step_schedule_changes_at_the_first_step_of_an_epoch() {
        let schedule = Schedule::Step {
            every: 2,
            factor: 0.1,
        };
        let rates = rates(schedule, 0.0);
        assert_eq!(rates.at(19), 1.0);
        assert_eq!(rates.at(20), 0.1);
    }

    /// As PyTorch's `SequentialLR` of a `LinearLR` and a `StepLR`.
    #[test]
    fn step_schedule_counts_from_the_end_of_the_warm_up() {
        let schedule = Schedule::Step {
            every: 1,
            factor: 0.1,
        };
        let rates = rates(schedule, 1.5);
        assert_eq!(rates.at(14), 1.0);
        assert_eq!(rates.at(24), 1.0);
        assert_eq!(rates.at(25), 0.1);
    }

    #[test]
    fn warm_up_rises_to_the_peak_and_cosine_falls_to_zero() {
        let rates = rates(Schedule::Cosine, 1.0);
        assert_eq!(rates.at(0), 0.1);
        assert_eq!(rates.at(9), 1.0);
        assert_eq!(rates.at(10), 1.0);
        assert!((rates.at(25) - 0.5).abs() < 1e-12);
        assert!(rates.at(40) < 1e-12);
    }

    #[test]
    fn scheduler_resumes_from_its_record() {
        let mut rates = rates(Schedule::Cosine, 0.0);
        let mut expected = rates.clone();
        for _ in 0..7 {
            rates.step();
            expected.step();
        }
        let mut resumed = self::rates(Schedule::Cosine, 0.0);
        resumed.load_record(rates.to_record());
        assert_eq!(resumed.step(), expected.step());
    }
}
