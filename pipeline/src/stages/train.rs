//! `train`: fits the network.

use std::sync::Arc;

use dataset::{Normalization, Part};
use output::{message, tell};
use runtime::text::grouped;
use trainer::{Job, Validation};

use crate::config::Normalize;
use crate::history::{NAMES, Names};
use crate::plan::{SETTINGS, TrainPlan};
use crate::stages::Context;
use crate::table::{model_table, weights_table};

impl TrainPlan {
    /// What the network sees of a pixel.
    pub(crate) fn normalization(&self, train: &dataset::Split) -> Normalization {
        match &self.normalize {
            Normalize::MeanStd => Normalization::of(train.images()),
            Normalize::Unit => Normalization::unit(self.dataset.image_shape[0]),
            Normalize::Fixed(fixed) => fixed.clone(),
        }
    }
}

/// How many images are for what.
fn divided(plan: &TrainPlan, train: usize, test: usize) -> String {
    let [train, validation] = match plan.settings.validation {
        Validation::HoldOut(images) => [train.saturating_sub(images), images],
        Validation::Test => [train, test],
    };
    let [train, validation] = [train, validation].map(|images| grouped(images as u64));
    format!("{train} images to train on, {validation} to validate on")
}

pub(super) fn run(plan: &TrainPlan, context: &Context) -> anyhow::Result<()> {
    let train = plan.dataset.load(Part::Train)?;
    let test = plan.dataset.load(Part::Test)?;
    match context.brief {
        true => message!(
            "  {} parameters",
            grouped(plan.architecture.parameters() as u64)
        ),
        false => tell(&model_table(&plan.architecture.summary(), false)),
    }
    if let Some(init) = &plan.init {
        tell(&weights_table(&init.matched));
    }
    message!("  {}", divided(plan, train.len(), test.len()));
    let listening = context.interrupts.listen();
    let (summary, timing) = trainer::train(&Job {
        architecture: &plan.architecture,
        normalization: plan.normalization(&train),
        train: Arc::new(train),
        test: Arc::new(test),
        dataset: plan.dataset.digest()?,
        settings: &plan.settings,
        description: plan.description(),
        folder: &plan.folder,
        fresh: context.fresh,
        stop: listening.stop(),
    })?;
    artifact::write_bytes(&plan.folder.join(SETTINGS), plan.settings_file().as_bytes())?;
    artifact::write_json(&plan.folder.join(NAMES), &Names::of(plan))?;
    let accuracy = 100.0 * summary.best.validation_accuracy;
    match summary.epochs {
        0 => message!("  not trained: validation accuracy {accuracy:.2}%"),
        epochs => message!(
            "  on the {} in {:.1} s: best epoch {} of {epochs}, validation accuracy {accuracy:.2}%",
            summary.device,
            timing.seconds,
            summary.best.epoch,
        ),
    }
    Ok(())
}
