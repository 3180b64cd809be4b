//! The training loop: a strategy of our own under Burn's `SupervisedTraining`.
//!
//! Burn's own strategy hides the step: this one owns the order of the images,
//! the random numbers of each step and what is saved when, so that a training
//! can stop after any step and go on from there, while metrics and the view
//! stay Burn's and run on their own thread.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use burn::data::dataloader::{DataLoader, DataLoaderIterator};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::{Bytes, Device};
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent,
    SupervisedLearningStrategy, SupervisedTrainingEventProcessor, TrainLoader, TrainStep,
    TrainingComponents, TrainingItem, ValidLoader,
};
use serde_json::Value;

use crate::checkpoint::Checkpoint;
use crate::classifier::Classifier;
use crate::history::{self, EpochRecord, EpochTiming};
use crate::loader::{Batches, NextBatch, Pass};
use crate::progress::{Progress, Totals};
use crate::schedule::LearningRates;
use crate::settings::Checkpointing;
use crate::train::METRICS;
use crate::view::View;
use crate::weights::{not_finite, weights};
use crate::{Batch, Error};

/// What the loop leaves behind, shared with whoever started it.
pub(crate) type Outcome = Arc<Mutex<Option<Result<Trained, Error>>>>;

/// A training that has ended.
pub(crate) struct Trained {
    pub(crate) progress: Progress,
    /// Weights of the best epoch, as safetensors.
    pub(crate) best: Vec<u8>,
    /// Weights after the last epoch, as safetensors.
    pub(crate) last: Vec<u8>,
}

/// Trains epoch by epoch on one device.
pub(crate) struct Epochs {
    pub(crate) train: Batches,
    pub(crate) validation: Batches,
    /// With autodiff.
    pub(crate) device: Device,
    pub(crate) seed: u64,
    pub(crate) epochs: usize,
    /// Epochs without a lower validation loss after which it stops.
    pub(crate) patience: Option<usize>,
    pub(crate) optimizer: ModuleOptimizer,
    pub(crate) rates: LearningRates,
    pub(crate) checkpointing: Checkpointing,
    /// Of [`crate::checkpoint::identity`].
    pub(crate) identity: Value,
    /// Folder of the results.
    pub(crate) folder: PathBuf,
    pub(crate) view: View,
    /// Set from outside: stop after the step that is under way.
    pub(crate) stop: Arc<AtomicBool>,
    /// Where to go on.
    pub(crate) start: Option<Checkpoint>,
    pub(crate) outcome: Outcome,
}

type Processor = SupervisedTrainingEventProcessor<Classifier>;

impl SupervisedLearningStrategy<Classifier> for Epochs {
    fn fit(
        &self,
        components: TrainingComponents<Classifier>,
        mut learner: Learner<Classifier>,
        _: TrainLoader<Classifier>,
        _: ValidLoader<Classifier>,
        _: usize,
    ) -> (Classifier, Processor) {
        learner.fork(&self.device);
        let mut run = Run {
            plan: self,
            optimizer: self.optimizer.clone(),
            progress: Progress::default(),
            best: None,
            processor: components.event_processor,
            interrupter: components.interrupter,
            saved: Instant::now(),
            epoch: Stopwatch::after(0.0),
        };
        let result = run
            .start(learner.model())
            .and_then(|classifier| run.train(classifier));
        *self
            .outcome
            .lock()
            .unwrap_or_else(|error| error.into_inner()) = Some(result);
        (learner.model(), run.processor)
    }
}

impl Epochs {
    /// What a step gives and the batch that is gathered beside it.
    ///
    /// On the CPU both run on the threads of the kernels: there, a step waits for nobody to take
    /// its work. A GPU's commands stay on one thread, in their order.
    fn beside<T: Send>(
        &self,
        step: impl FnOnce() -> T + Send,
        gather: impl FnOnce() -> Option<NextBatch> + Send,
    ) -> (T, Option<NextBatch>) {
        if self.device == Device::flex() {
            kernels::awake(|| rayon::join(step, gather))
        } else {
            (step(), gather())
        }
    }
}

/// One run of the loop.
struct Run<'a> {
    plan: &'a Epochs,
    optimizer: ModuleOptimizer,
    progress: Progress,
    best: Option<Vec<u8>>,
    processor: Processor,
    interrupter: Interrupter,
    /// When the last checkpoint was saved.
    saved: Instant,
    /// Of the epoch that is under way.
    epoch: Stopwatch,
}

/// The time that something takes, also before the process began.
struct Stopwatch {
    before: f64,
    since: Instant,
}

impl Stopwatch {
    /// Goes on after so many seconds.
    fn after(before: f64) -> Self {
        Self {
            before,
            since: Instant::now(),
        }
    }

    fn seconds(&self) -> f64 {
        self.before + self.since.elapsed().as_secs_f64()
    }
}

impl Run<'_> {
    /// Puts everything as it was at the checkpoint, if there is one.
    fn start(&mut self, classifier: Classifier) -> Result<Classifier, Error> {
        let Some(checkpoint) = &self.plan.start else {
            return Ok(classifier);
        };
        self.progress = checkpoint.progress.clone();
        self.best = checkpoint.best.clone();
        let optimizer = Bytes::from_bytes_vec(checkpoint.optimizer.clone());
        self.optimizer = self
            .optimizer
            .clone()
            .from_bytes(optimizer)
            .map_err(|error| Error::Burn(error.to_string()))?;
        classifier.restore(checkpoint.network.clone())
    }

    fn train(&mut self, mut classifier: Classifier) -> Result<Trained, Error> {
        while !self.progress.finished {
            self.epoch = Stopwatch::after(self.progress.seconds_in_epoch);
            classifier = self.train_epoch(classifier)?;
            let training = self.progress.seconds_in_epoch;
            let validation = self.validate(&classifier)?;
            let timing = EpochTiming {
                seconds: self.epoch.seconds(),
                images_per_second: self.plan.train.num_items() as f64 / training,
            };
            self.finish_epoch(&classifier, validation, timing)?;
        }
        let last = weights(&classifier.valid().network)?;
        Ok(Trained {
            progress: std::mem::take(&mut self.progress),
            best: self.best.take().unwrap_or_else(|| last.clone()),
            last,
        })
    }

    /// Trains on what is left of the epoch.
    fn train_epoch(&mut self, mut classifier: Classifier) -> Result<Classifier, Error> {
        let plan = self.plan;
        let epoch = self.progress.epoch();
        let event = self.processor.process_train(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items: plan.train.num_items(),
        });
        self.interrupter.fail_on_error(event);
        self.flush();
        *plan.view.totals() = self.progress.totals;

        let mut batches = plan.train.pass(epoch, self.progress.steps_in_epoch);
        let mut next = batches.next();
        while let Some(batch) = next {
            let batch = batch.map_err(|error| Error::Burn(error.to_string()))?;
            let progress = batches.progress();
            (classifier, next) = self.step(classifier, batch, progress, &mut batches);
            if plan.stop.load(Ordering::Relaxed) {
                self.collect_totals();
                return Err(self.interrupted(&classifier));
            }
            if self.is_due() {
                self.collect_totals();
                self.save(&classifier)?;
            }
            self.check()?;
        }
        let event = self.processor.process_train(LearnerEvent::EndSplit(epoch));
        self.interrupter.fail_on_error(event);
        self.collect_totals();
        Ok(classifier)
    }

    /// One step, and the batch of the next one; its random numbers (dropout) follow from the seed
    /// and the number of the step alone.
    fn step(
        &mut self,
        classifier: Classifier,
        batch: Batch,
        progress: burn::data::dataloader::Progress,
        batches: &mut Pass<'_>,
    ) -> (Classifier, Option<NextBatch>) {
        let steps = self.progress.steps;
        self.plan.device.seed(seed_of(self.plan.seed, steps));
        let rate = self.plan.rates.at(steps as usize);
        let optimizer = &mut self.optimizer;
        let step = || {
            let output = TrainStep::step(&classifier, batch);
            let classifier = optimizer.step(rate, classifier, output.grads);
            (classifier, output.item)
        };
        let ((classifier, item), next) = self.plan.beside(step, || batches.next());
        self.progress.steps += 1;
        self.progress.steps_in_epoch += 1;
        let item = TrainingItem::new(
            item,
            progress,
            Some(self.progress.steps_in_epoch),
            Some(rate.into()),
        );
        let event = self
            .processor
            .process_train(LearnerEvent::ProcessedItem(item));
        self.interrupter.fail_on_error(event);
        (classifier, next)
    }

    fn validate(&mut self, classifier: &Classifier) -> Result<Totals, Error> {
        let plan = self.plan;
        let epoch = self.progress.epoch();
        let event = self.processor.process_valid(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items: plan.validation.num_items(),
        });
        self.interrupter.fail_on_error(event);
        let valid = classifier.valid();
        let mut batches = plan.validation.pass(epoch, 0);
        let mut next = batches.next();
        while let Some(batch) = next {
            let batch = batch.map_err(|error| Error::Burn(error.to_string()))?;
            let progress = batches.progress();
            let output;
            (output, next) = plan.beside(|| InferenceStep::step(&valid, batch), || batches.next());
            let item = TrainingItem::new(output, progress, None, None);
            let event = self
                .processor
                .process_valid(LearnerEvent::ProcessedItem(item));
            self.interrupter.fail_on_error(event);
            if plan.stop.load(Ordering::Relaxed) {
                return Err(self.interrupted(classifier));
            }
            self.check()?;
        }
        let event = self.processor.process_valid(LearnerEvent::EndSplit(epoch));
        self.interrupter.fail_on_error(event);
        let event = self.processor.process_train(LearnerEvent::EndEpoch(epoch));
        self.interrupter.fail_on_error(event);
        self.flush();
        self.check()?;
        Ok(*plan.view.totals())
    }

    /// Adds the epoch to the history, and keeps its weights if it is the best.
    fn finish_epoch(
        &mut self,
        classifier: &Classifier,
        validation: Totals,
        timing: EpochTiming,
    ) -> Result<(), Error> {
        let train = self.progress.totals;
        let record = EpochRecord {
            epoch: self.progress.epoch(),
            train_loss: train.loss.value(),
            train_accuracy: train.right(),
            validation_loss: validation.loss.value(),
            validation_accuracy: validation.right(),
            learning_rate: self
                .plan
                .rates
                .at(self.progress.steps.saturating_sub(1) as usize),
        };
        if !(record.train_loss.is_finite() && record.validation_loss.is_finite()) {
            return Err(Error::Diverged {
                epoch: record.epoch,
            });
        }
        let progress = &mut self.progress;
        let best = progress.best.map(|best| &progress.epochs[best]);
        let improved = best.is_none_or(|best| record.better_than(best));
        if improved {
            self.best = Some(weights(&classifier.valid().network)?);
            progress.best = Some(progress.epochs.len());
        }
        self.plan.view.epoch(&record, timing, improved);
        progress.epochs.push(record);
        progress.timing.epochs.push(timing);
        progress.timing.seconds += timing.seconds;
        progress.steps_in_epoch = 0;
        progress.totals = Totals::default();
        progress.seconds_in_epoch = 0.0;
        progress.finished = progress.epochs.len() == self.plan.epochs;
        if let Some(patience) = self.plan.patience
            && !progress.finished
            && progress.stagnates(patience)
        {
            progress.finished = true;
            self.plan
                .view
                .note("  stopped early: the validation loss no longer falls");
        }
        history::write(&self.plan.folder.join(METRICS), &progress.epochs)?;
        if progress.finished || self.is_due() {
            self.save(classifier)?;
        }
        Ok(())
    }

    /// Whether it is time for a checkpoint.
    fn is_due(&self) -> bool {
        let Checkpointing { steps, seconds, .. } = self.plan.checkpointing;
        match steps {
            Some(steps) => self.progress.steps.is_multiple_of(steps as u64),
            None => self.saved.elapsed().as_secs_f64() >= seconds,
        }
    }

    /// Saves where the training stands; of one that has diverged, nothing can
    /// go on.
    fn save(&mut self, classifier: &Classifier) -> Result<(), Error> {
        let diverged = !self.progress.totals.loss.is_finite()
            || not_finite(&classifier.valid().network)?.is_some();
        if diverged {
            return Err(Error::Diverged {
                epoch: self.progress.epoch(),
            });
        }
        let burn = |error: &dyn std::fmt::Display| Error::Burn(error.to_string());
        let optimizer = self.optimizer.into_bytes().map_err(|error| burn(&error))?;
        Checkpoint {
            identity: self.plan.identity.clone(),
            progress: self.progress.clone(),
            network: classifier.to_bytes()?,
            optimizer: optimizer.to_vec(),
            best: self.best.clone(),
        }
        .save(&self.plan.folder, self.plan.checkpointing.keep)?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Saves where the training stands, and says so.
    fn interrupted(&mut self, classifier: &Classifier) -> Error {
        match self.save(classifier) {
            Err(error) => error,
            Ok(()) => Error::Interrupted {
                epoch: self.progress.epoch(),
                steps: self.progress.steps_in_epoch,
            },
        }
    }

    /// Takes the totals of the training split when all its events have been
    /// counted, and the time.
    fn collect_totals(&mut self) {
        self.flush();
        self.progress.seconds_in_epoch = self.epoch.seconds();
        self.progress.totals = *self.plan.view.totals();
    }

    fn flush(&mut self) {
        let flushed = self.processor.flush();
        self.interrupter.fail_on_error(flushed);
    }

    /// Whether Burn's own threads have failed.
    fn check(&self) -> Result<(), Error> {
        if self.interrupter.should_stop() {
            let message = self.interrupter.get_message();
            return Err(Error::Burn(message.unwrap_or_default()));
        }
        Ok(())
    }
}

/// The seed of one step: the golden-ratio increments of SplitMix64 (Steele,
/// Lea and Flood, 2014) keep the seeds of two trainings apart.
fn seed_of(seed: u64, step: u64) -> u64 {
    seed.wrapping_add((step + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}
