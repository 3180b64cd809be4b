//! One training, from settings to files.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};

use artifact::Sha256;
use burn::module::Module;
use burn::tensor::Device;
use burn::train::logger::InMemoryMetricLogger;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{Learner, LearningResult, SupervisedTraining, TrainingStrategy};
use dataset::{Normalization, Split};
use models::{Architecture, Network};
use output::message;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::checkpoint::{Checkpoint, CheckpointError, differences, identity};
use crate::classifier::Classifier;
use crate::device::{self, DeviceName};
use crate::history::{self, EpochRecord, Timing};
use crate::loader::{Batches, hold_out};
use crate::schedule::LearningRates;
use crate::settings::{Settings, Validation};
use crate::strategy::{Epochs, Outcome, Trained};
use crate::untrained;
use crate::view::{Log, View};
use crate::weights::load_weights;

/// Weights of the epoch that did best on the validation images.
pub const BEST: &str = "best.safetensors";
/// Weights after the last epoch.
pub const LAST: &str = "last.safetensors";
/// One [`EpochRecord`] a line.
pub const METRICS: &str = "metrics.jsonl";
/// The [`Summary`].
pub const SUMMARY: &str = "summary.json";
/// The [`Timing`]: never the same twice, and so no part of the results.
pub const TIMING: &str = "timing.json";

/// What to train, on what, how, and where to put the results.
pub struct Job<'a> {
    /// The network.
    pub architecture: &'a Architecture,
    /// The training images.
    pub train: Arc<Split>,
    /// The test images; read where the settings validate on them.
    pub test: Arc<Split>,
    /// What the network sees of a pixel.
    pub normalization: Normalization,
    /// Hash of the dataset, for the summary.
    pub dataset: Sha256,
    /// How to train.
    pub settings: &'a Settings,
    /// What the network is made from, besides the dataset: a checkpoint of
    /// another description is another training's.
    pub description: Value,
    /// Folder of the results.
    pub folder: &'a Path,
    /// Begin anew, whatever checkpoint there is.
    pub fresh: bool,
    /// Set while it trains: stop after the step that is under way.
    pub stop: Arc<AtomicBool>,
}

/// What a training achieved, and what it takes to repeat it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Summary {
    /// The device that was used.
    pub device: DeviceName,
    /// Seed of the initial weights, the order of the images and dropout.
    pub seed: u64,
    /// Trainable parameters.
    pub parameters: usize,
    /// Images trained on.
    pub train_images: usize,
    /// Images validated on.
    pub validation_images: usize,
    /// Epochs that ran.
    pub epochs: usize,
    /// The best epoch.
    pub best: EpochRecord,
    /// The last epoch.
    pub last: EpochRecord,
    /// SHA-256 of the dataset.
    pub dataset: Sha256,
    /// Software that trained.
    pub versions: Versions,
}

/// Versions of the software.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Versions {
    /// Burnish.
    pub burnish: String,
    /// Burn.
    pub burn: String,
}

/// Burn's version, as the workspace's Cargo.lock has it.
const BURN_VERSION: &str = "0.22.1";

/// Trains the network and writes weights, history and summary.
///
/// A training that was interrupted, however it was, goes on from its last
/// checkpoint, and ends with the same bytes as one that was not.
///
/// # Errors
///
/// When a setting is impossible, the device is not there, a file cannot be
/// written, the loss is no longer finite, the training is stopped, or the
/// folder has the checkpoint of another unfinished training.
pub fn train(job: &Job<'_>) -> Result<(Summary, Timing), Error> {
    let images = job.train.images().len();
    job.settings.check(Some(images))?;
    job.settings.check_batches(images, job.architecture)?;
    let (name, device) = device::resolve(job.settings.device)?;
    let identity = identity(&job.description, job.dataset, name);
    Checkpoint::sweep(job.folder)?;
    let (train, validation) = batches(job, &device);
    let start = start(job, &identity, train.steps())?;
    let (train_images, validation_images) = (loader_len(&train), loader_len(&validation));

    let trained = match job.settings.epochs {
        0 => untrained::measure(job, &device, &train, &validation),
        _ => run(job, &device, train, validation, identity, start),
    };
    if let Err(Error::Diverged { .. }) = &trained {
        // From there, it would diverge again.
        Checkpoint::clear(job.folder)?;
    }
    let Trained {
        progress,
        best,
        last,
    } = trained?;
    let (Some(best_epoch), Some(last_epoch)) = (
        progress.best.map(|best| progress.epochs[best].clone()),
        progress.epochs.last().cloned(),
    ) else {
        return Err(Error::Burn("no epoch was completed".to_owned()));
    };
    let summary = Summary {
        device: name,
        seed: job.settings.seed,
        parameters: job.architecture.parameters(),
        train_images,
        validation_images,
        epochs: last_epoch.epoch,
        best: best_epoch,
        last: last_epoch,
        dataset: job.dataset,
        versions: Versions {
            burnish: env!("CARGO_PKG_VERSION").to_owned(),
            burn: BURN_VERSION.to_owned(),
        },
    };
    artifact::write_bytes(&job.folder.join(BEST), &best)?;
    artifact::write_bytes(&job.folder.join(LAST), &last)?;
    history::write(&job.folder.join(METRICS), &progress.epochs)?;
    artifact::write_json(&job.folder.join(TIMING), &progress.timing)?;
    artifact::write_json(&job.folder.join(SUMMARY), &summary)?;
    Ok((summary, progress.timing))
}

/// The checkpoint to go on from; those of a training that ended and differs
/// are deleted.
fn start(
    job: &Job<'_>,
    identity: &Value,
    steps_per_epoch: usize,
) -> Result<Option<Checkpoint>, Error> {
    if job.fresh {
        Checkpoint::clear(job.folder)?;
        return Ok(None);
    }
    let check = |found: &Checkpoint| {
        let possible = found.progress.is_of(job.settings.epochs, steps_per_epoch);
        match found.identity != *identity || possible {
            true => Ok(()),
            false => Err(CheckpointError::Impossible),
        }
    };
    let (found, damaged) = Checkpoint::latest(job.folder, check)?;
    for (path, problem) in damaged {
        let path = path.display();
        message!("  note: a damaged checkpoint is kept as {path}: {problem}");
    }
    let Some(checkpoint) = found else {
        return Ok(None);
    };
    let differences = differences(&checkpoint.identity, identity);
    if differences.is_empty() {
        return Ok(Some(checkpoint));
    }
    if !checkpoint.progress.finished {
        return Err(Error::OtherTraining {
            folder: job.folder.to_owned(),
            differences: differences.join("; "),
        });
    }
    Checkpoint::clear(job.folder)?;
    Ok(None)
}

fn loader_len(batches: &Batches) -> usize {
    burn::data::dataloader::DataLoader::num_items(batches)
}

/// The batches to train on, with autodiff, and those to validate on.
fn batches(job: &Job<'_>, device: &Device) -> (Batches, Batches) {
    let settings = job.settings;
    let make = |split: &Arc<Split>, members: Vec<u32>, device: Device| {
        Batches::new(
            Arc::clone(split),
            members,
            job.normalization.clone(),
            settings.batch_size,
            device,
        )
    };
    let all = |split: &Split| (0..split.images().len() as u32).collect::<Vec<_>>();
    let ((train, members), (validation, others)) = match settings.validation {
        Validation::HoldOut(images) => {
            let (members, others) = hold_out(job.train.images().len(), images, settings.seed);
            ((&job.train, members), (&job.train, others))
        }
        Validation::Test => ((&job.train, all(&job.train)), (&job.test, all(&job.test))),
    };
    (
        make(train, members, device.clone().autodiff())
            .shuffled(settings.seed)
            .augmented(settings.augment, settings.seed),
        make(validation, others, device.clone()),
    )
}

/// Runs the loop under Burn's `SupervisedTraining`.
fn run(
    job: &Job<'_>,
    device: &Device,
    train: Batches,
    validation: Batches,
    identity: Value,
    start: Option<Checkpoint>,
) -> Result<Trained, Error> {
    let settings = job.settings;
    let view = View::new(
        settings.epochs,
        loader_len(&train) + loader_len(&validation),
        start.as_ref().map_or(&[], |start| &start.progress.epochs),
    );
    let first_epoch = start.as_ref().map_or(1, |start| start.progress.epoch());
    announce(&view, start.as_ref());
    let log = Log {
        every: settings.log_every,
        batch_size: settings.batch_size,
    };
    let outcome = Outcome::default();
    let autodiff = device.clone().autodiff();
    let rates = LearningRates::new(settings, train.steps());
    let strategy = Epochs {
        train: train.clone(),
        validation: validation.clone(),
        device: autodiff.clone(),
        seed: settings.seed,
        epochs: settings.epochs,
        patience: settings.early_stopping.map(|stop| stop.patience),
        optimizer: settings.optimizer.init(),
        rates: rates.clone(),
        checkpointing: settings.checkpoint,
        identity,
        folder: job.folder.to_owned(),
        view: view.clone(),
        stop: Arc::clone(&job.stop),
        start,
        outcome: Arc::clone(&outcome),
    };

    device.seed(settings.seed);
    let classifier = Classifier {
        network: initial_network(job, &autodiff)?,
        smoothing: settings.label_smoothing,
    };
    // The strategy steps with an optimizer of its own: a learner does not show
    // the state of its.
    let learner = Learner::new(classifier, settings.optimizer.init(), rates);
    let training =
        SupervisedTraining::<Classifier>::new(job.folder, Arc::new(train), Arc::new(validation))
            .with_application_logger(None)
            .with_metric_logger(InMemoryMetricLogger::default())
            .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)))
            .renderer(Box::new(view.renderer(first_epoch, log)))
            .metrics((LossMetric::new(), AccuracyMetric::new()))
            .num_epochs(settings.epochs);
    let LearningResult { error, .. } = training.launch(learner);
    view.close();

    let trained = outcome
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    match (trained, error) {
        (Some(Err(Error::Burn(_))) | None, Some(error)) => Err(Error::Burn(error.to_string())),
        (Some(result), _) => result,
        (None, None) => Err(Error::Burn("the training loop did not end".to_owned())),
    }
}

/// The network before the first step: random by the device's generator, or with
/// the weights of `init`.
pub(crate) fn initial_network(job: &Job<'_>, device: &Device) -> Result<Network, Error> {
    let network = job.architecture.init(device).materialize();
    match &job.settings.init {
        Some(path) => load_weights(network, path),
        None => Ok(network),
    }
}

/// Where the training goes on, and the table of epochs so far.
fn announce(view: &View, start: Option<&Checkpoint>) {
    let Some(Checkpoint { progress, .. }) = start else {
        return view.head();
    };
    if progress.finished {
        return view.note("  trained already; its results are written again");
    }
    view.note(&format!(
        "  goes on in epoch {} after {} steps of it",
        progress.epoch(),
        progress.steps_in_epoch
    ));
    view.head();
}

#[cfg(test)]
mod tests {
    use super::BURN_VERSION;

    #[test]
    fn version_of_burn_is_that_of_the_lock_file() {
        let lock = include_str!("../../Cargo.lock");
        let entry = format!("name = \"burn\"\nversion = \"{BURN_VERSION}\"\n");
        assert!(lock.contains(&entry), "Cargo.lock has no {entry}");
    }
}
