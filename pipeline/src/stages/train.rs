//! `train`: fits the network.

use std::sync::Arc;

use dataset::{Normalization, Part};
use trainer::Job;

use crate::config::Normalize;
use crate::plan::{SETTINGS, TrainPlan};
use crate::stages::Context;

impl TrainPlan {
    /// What the network sees of a pixel.
    pub(crate) fn normalization(&self, train: &dataset::Split) -> Normalization {
        match self.normalize {
            Normalize::MeanStd => Normalization::of(train.images()),
            Normalize::Unit => Normalization::unit(self.dataset.image_shape[0]),
        }
    }
}

pub(super) fn run(plan: &TrainPlan, context: &Context) -> anyhow::Result<()> {
    let train = plan.dataset.load(Part::Train)?;
    let test = plan.dataset.load(Part::Test)?;
    eprintln!(
        "  {} parameters, {} images",
        plan.architecture.parameters(),
        train.images().len()
    );
    let listening = context.interrupts.listen();
    let (summary, timing) = trainer::train(&Job {
        architecture: &plan.architecture,
        normalization: plan.normalization(&train),
        train: Arc::new(train),
        test: Arc::new(test),
        dataset: dataset::digest(&plan.dataset.dir)?,
        settings: &plan.settings,
        description: plan.description(),
        folder: &plan.folder,
        fresh: context.fresh,
        stop: listening.stop(),
    })?;
    artifact::write_bytes(&plan.folder.join(SETTINGS), plan.settings_file().as_bytes())?;
    eprintln!(
        "  on the {} in {:.1} s: best epoch {} of {}, validation accuracy {:.2}%",
        summary.device,
        timing.seconds,
        summary.best.epoch,
        summary.epochs,
        100.0 * summary.best.validation_accuracy
    );
    Ok(())
}
