//! The training loop: a strategy of our own under Burn's `SupervisedTraining`.
//!
//! Burn's own strategy hides the step: this one owns the order of the images,
//! what is saved after an epoch, and where a training can stop, while metrics,
//! early stopping and the view stay Burn's and run on their own thread.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::tensor::Device;
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent,
    SupervisedLearningStrategy, SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents,
    TrainingItem, ValidLoader,
};

use crate::Error;
use crate::classifier::Classifier;
use crate::history::{self, EpochRecord};
use crate::loader::Batches;
use crate::train::{BEST, LAST, METRICS};
use crate::view::View;
use crate::weights::save_weights;

/// Names under which Burn's metrics are stored.
const LOSS: &str = "Loss";
const ACCURACY: &str = "Accuracy";

/// What the loop leaves behind, shared with whoever started it.
pub(crate) type Outcome = Arc<Mutex<Progress>>;

/// What has been achieved so far.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) epochs: Vec<EpochRecord>,
    /// Index of the best epoch.
    pub(crate) best: Option<usize>,
    pub(crate) error: Option<Error>,
}

/// Trains epoch by epoch on one device.
pub(crate) struct Epochs {
    pub(crate) train: Batches,
    pub(crate) validation: Batches,
    /// With autodiff.
    pub(crate) device: Device,
    pub(crate) folder: PathBuf,
    pub(crate) view: View,
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
        starting_epoch: usize,
    ) -> (Classifier, Processor) {
        let mut processor = components.event_processor;
        let mut early_stopping = components.early_stopping;
        let interrupter = components.interrupter;
        learner.fork(&self.device);

        for epoch in starting_epoch..=components.num_epochs {
            let started = Instant::now();
            self.train_epoch(&mut learner, epoch, &mut processor, &interrupter);
            let training_seconds = started.elapsed().as_secs_f64();
            if interrupter.should_stop() {
                break;
            }
            self.validate(&learner, epoch, &mut processor, &interrupter);
            interrupter.fail_on_error(processor.process_train(LearnerEvent::EndEpoch(epoch)));
            interrupter.fail_on_error(processor.flush());
            if interrupter.should_stop() {
                break;
            }

            let store = &components.event_store;
            let record = EpochRecord {
                epoch,
                train_loss: metric(store, LOSS, epoch, &Split::Train),
                train_accuracy: metric(store, ACCURACY, epoch, &Split::Train) / 100.0,
                validation_loss: metric(store, LOSS, epoch, &Split::Valid),
                validation_accuracy: metric(store, ACCURACY, epoch, &Split::Valid) / 100.0,
                learning_rate: learner.lr_current().base(),
                seconds: started.elapsed().as_secs_f64(),
                images_per_second: self.train.num_items() as f64 / training_seconds,
            };
            if let Err(error) = self.keep(&learner, record) {
                self.lock().error = Some(error);
                break;
            }
            if let Some(strategy) = &mut early_stopping
                && strategy.should_stop(epoch, store)
            {
                self.view
                    .note("stopped early: the validation loss no longer falls");
                break;
            }
        }
        (learner.model(), processor)
    }
}

/// The mean of a metric over an epoch, or NaN where Burn has none.
fn metric(store: &EventStoreClient, name: &str, epoch: usize, split: &Split) -> f64 {
    store
        .find_metric(name, epoch, Aggregate::Mean, split)
        .unwrap_or(f64::NAN)
}

impl Epochs {
    fn train_epoch(
        &self,
        learner: &mut Learner<Classifier>,
        epoch: usize,
        processor: &mut Processor,
        interrupter: &Interrupter,
    ) {
        self.train.set_epoch(epoch);
        interrupter.fail_on_error(processor.process_train(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items: self.train.num_items(),
        }));
        let mut batches = self.train.iter();
        let mut iteration = 0;
        while let Some(Ok(batch)) = batches.next() {
            iteration += 1;
            let output = learner.train_step(batch);
            learner.lr_step();
            learner.optimizer_step(output.grads);
            let item = TrainingItem::new(
                output.item,
                batches.progress(),
                Some(iteration),
                Some(learner.lr_current()),
            );
            interrupter.fail_on_error(processor.process_train(LearnerEvent::ProcessedItem(item)));
            if interrupter.should_stop() {
                break;
            }
        }
        interrupter.fail_on_error(processor.process_train(LearnerEvent::EndSplit(epoch)));
    }

    fn validate(
        &self,
        learner: &Learner<Classifier>,
        epoch: usize,
        processor: &mut Processor,
        interrupter: &Interrupter,
    ) {
        interrupter.fail_on_error(processor.process_valid(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items: self.validation.num_items(),
        }));
        let model = learner.model().valid();
        let mut batches = self.validation.iter();
        while let Some(Ok(batch)) = batches.next() {
            let output = InferenceStep::step(&model, batch);
            let item = TrainingItem::new(output, batches.progress(), None, None);
            interrupter.fail_on_error(processor.process_valid(LearnerEvent::ProcessedItem(item)));
            if interrupter.should_stop() {
                break;
            }
        }
        interrupter.fail_on_error(processor.process_valid(LearnerEvent::EndSplit(epoch)));
    }

    /// Saves the epoch's weights and adds it to the history.
    fn keep(&self, learner: &Learner<Classifier>, record: EpochRecord) -> Result<(), Error> {
        if !(record.train_loss.is_finite() && record.validation_loss.is_finite()) {
            return Err(Error::Diverged {
                epoch: record.epoch,
            });
        }
        let network = learner.model().valid().network;
        let mut progress = self.lock();
        let best = progress.best.map(|best| &progress.epochs[best]);
        let improved = best.is_none_or(|best| record.better_than(best));
        if improved {
            save_weights(&network, &self.folder.join(BEST))?;
            progress.best = Some(progress.epochs.len());
        }
        save_weights(&network, &self.folder.join(LAST))?;
        self.view.epoch(&record, improved);
        progress.epochs.push(record);
        history::write(&self.folder.join(METRICS), &progress.epochs)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
