//! One training, from settings to files.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use artifact::Sha256;
use burn::module::Module;
use burn::tensor::Device;
use burn::train::logger::InMemoryMetricLogger;
use burn::train::metric::store::{Aggregate, Direction, Split as MetricSplit};
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{
    Learner, LearningResult, MetricEarlyStoppingStrategy, StoppingCondition, SupervisedTraining,
    TrainingStrategy,
};
use dataset::{Normalization, Split};
use models::Architecture;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::classifier::Classifier;
use crate::device::{self, DeviceName};
use crate::history::EpochRecord;
use crate::loader::{Batches, hold_out};
use crate::schedule::LearningRates;
use crate::settings::{Settings, Validation};
use crate::strategy::{Epochs, Outcome, Progress};
use crate::view::View;

/// Weights of the epoch that did best on the validation images.
pub const BEST: &str = "best.safetensors";
/// Weights after the last epoch.
pub const LAST: &str = "last.safetensors";
/// One [`EpochRecord`] a line.
pub const METRICS: &str = "metrics.jsonl";
/// The [`Summary`].
pub const SUMMARY: &str = "summary.json";

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
    /// Folder of the results.
    pub folder: &'a Path,
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
    /// Wall-clock time of the training.
    pub seconds: f64,
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

/// Burn's version, as the workspace asks for it.
const BURN_VERSION: &str = "0.22";

/// Trains the network and writes weights, history and summary.
///
/// # Errors
///
/// When a setting is impossible, the device is not there, a file cannot be
/// written, or the loss is no longer finite.
pub fn train(job: &Job<'_>) -> Result<Summary, Error> {
    job.settings.check(job.train.images().len())?;
    let (name, device) = device::resolve(job.settings.device)?;
    let started = Instant::now();
    let (train, validation) = batches(job, &device);
    let (train_images, validation_images) = (loader_len(&train), loader_len(&validation));

    let epochs = run(job, &device, train, validation)?;
    let (Some(best), Some(last)) = (
        epochs.best.map(|best| epochs.epochs[best].clone()),
        epochs.epochs.last().cloned(),
    ) else {
        return Err(Error::Burn("no epoch was completed".to_owned()));
    };
    let summary = Summary {
        device: name,
        seed: job.settings.seed,
        parameters: job.architecture.parameters(),
        train_images,
        validation_images,
        epochs: epochs.epochs.len(),
        best,
        last,
        seconds: started.elapsed().as_secs_f64(),
        dataset: job.dataset,
        versions: Versions {
            burnish: env!("CARGO_PKG_VERSION").to_owned(),
            burn: BURN_VERSION.to_owned(),
        },
    };
    artifact::write(&job.folder.join(SUMMARY), |file| {
        serde_json::to_writer_pretty(&mut *file, &summary)?;
        file.write_all(b"\n")
    })?;
    Ok(summary)
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
        make(train, members, device.clone().autodiff()).shuffled(settings.seed),
        make(validation, others, device.clone()),
    )
}

/// Runs the loop under Burn's `SupervisedTraining`.
fn run(
    job: &Job<'_>,
    device: &Device,
    train: Batches,
    validation: Batches,
) -> Result<Progress, Error> {
    let settings = job.settings;
    let view = View::new(
        settings.epochs,
        loader_len(&train) + loader_len(&validation),
    );
    let outcome = Outcome::default();
    let autodiff = device.clone().autodiff();
    let strategy = Epochs {
        train: train.clone(),
        validation: validation.clone(),
        device: autodiff.clone(),
        folder: job.folder.to_owned(),
        view: view.clone(),
        outcome: Arc::clone(&outcome),
    };

    device.seed(settings.seed);
    let classifier = Classifier {
        network: job.architecture.init(&autodiff).materialize(),
        smoothing: settings.label_smoothing,
    };
    let learner = Learner::new(
        classifier,
        settings.optimizer.init(),
        LearningRates::new(settings, train.steps()),
    );

    let mut training =
        SupervisedTraining::<Classifier>::new(job.folder, Arc::new(train), Arc::new(validation))
            .with_application_logger(None)
            .with_metric_logger(InMemoryMetricLogger::default())
            .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)))
            .renderer(Box::new(view.renderer(settings.log_every)))
            .metrics((LossMetric::new(), AccuracyMetric::new()))
            .num_epochs(settings.epochs);
    if let Some(early_stopping) = settings.early_stopping {
        training = training.early_stopping(MetricEarlyStoppingStrategy::new(
            &LossMetric::new(),
            Aggregate::Mean,
            Direction::Lowest,
            MetricSplit::Valid,
            StoppingCondition::NoImprovementSince {
                n_epochs: early_stopping.patience,
            },
        ));
    }
    let LearningResult { error, .. } = training.launch(learner);
    view.close();

    let mut progress = outcome.lock().unwrap_or_else(PoisonError::into_inner);
    match (progress.error.take(), error) {
        (Some(error), _) => Err(error),
        (None, Some(error)) => Err(Error::Burn(error.to_string())),
        (None, None) => Ok(std::mem::take(&mut *progress)),
    }
}
