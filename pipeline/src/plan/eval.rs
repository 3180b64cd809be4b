//! The plan of an evaluation.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::planner::Planner;
use super::{DatasetPlan, ExportPlan};
use crate::config::{ConfigError, EvalConfig};
use crate::history;

/// An evaluation.
#[derive(Clone, Debug)]
pub struct EvalPlan {
    /// The ONNX.
    pub export: Arc<ExportPlan>,
    /// The images.
    pub dataset: Arc<DatasetPlan>,
    /// As written.
    pub config: EvalConfig,
    /// Where the result goes.
    pub file: PathBuf,
}

impl EvalPlan {
    pub(super) fn settings(&self) -> Value {
        // What was exported is an input.
        let Self {
            export: _,
            dataset,
            config,
            file: _,
        } = self;
        let EvalConfig {
            model: _,
            dataset: _,
            provider,
            batch,
            threads,
            after: _,
        } = config;
        json!({
            "dataset": dataset.settings(), "provider": provider, "batch": batch,
            "threads": threads,
        })
    }
}

impl Planner<'_> {
    pub(super) fn eval(&self, name: &str, config: &EvalConfig) -> Result<EvalPlan, ConfigError> {
        let export = self.export_of(&config.model)?;
        let dataset = self.images(config.dataset.as_ref(), &export)?;
        if let Some(reference) = &config.dataset {
            self.check_classes_of(reference, &dataset, &export.train.dataset)?;
        }
        Ok(EvalPlan {
            dataset,
            export,
            config: config.clone(),
            file: self.config.output.join(name).join(history::EVALUATION),
        })
    }

    /// Refuses labels of other classes, which would be counted as mistakes.
    fn check_classes_of(
        &self,
        reference: &Spanned<String>,
        dataset: &DatasetPlan,
        trained_on: &DatasetPlan,
    ) -> Result<(), ConfigError> {
        let mut pairs = dataset.classes.iter().zip(&trained_on.classes).enumerate();
        let Some((label, (here, there))) = pairs.find(|(_, (here, there))| here != there) else {
            return Ok(());
        };
        let problem = format!(
            "class {label} of `{}` is `{here}`, but `{there}` of `{}`, on which the network was trained",
            reference.value, trained_on.name
        );
        let hint = "evaluate on images of the same classes, in the same order";
        let place = reference.referenced;
        Err(self.document.invalid(place, problem, Some(hint.to_owned())))
    }
}
