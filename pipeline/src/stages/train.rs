//! `train`: fits the network.

use std::sync::Arc;

use dataset::{Normalization, Part};
use trainer::Job;

use crate::config::Normalize;
use crate::plan::TrainPlan;

impl TrainPlan {
    /// What the network sees of a pixel.
    pub(crate) fn normalization(&self, train: &dataset::Split) -> Normalization {
        match self.normalize {
            Normalize::MeanStd => Normalization::of(train.images()),
            Normalize::Unit => Normalization::unit(self.dataset.image_shape[0]),
        }
    }
}

pub(super) fn run(plan: &TrainPlan) -> anyhow::Result<()> {
    let train = plan.dataset.load(Part::Train)?;
    let test = plan.dataset.load(Part::Test)?;
    eprintln!(
        "  {} parameters, {} images",
        plan.architecture.parameters(),
        train.images().len()
    );
    let summary = trainer::train(&Job {
        architecture: &plan.architecture,
        normalization: plan.normalization(&train),
        train: Arc::new(train),
        test: Arc::new(test),
        dataset: dataset::digest(&plan.dataset.dir)?,
        settings: &plan.settings,
        folder: &plan.folder,
    })?;
    eprintln!(
        "  on the {}: best epoch {} of {}, validation accuracy {:.2}%",
        summary.device,
        summary.best.epoch,
        summary.epochs,
        100.0 * summary.best.validation_accuracy
    );
    Ok(())
}
