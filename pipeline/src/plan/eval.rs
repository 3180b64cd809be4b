//! The plan of an evaluation.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

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
        Ok(EvalPlan {
            dataset: self.images(config.dataset.as_ref(), &export)?,
            export,
            config: config.clone(),
            file: self.config.output.join(name).join(history::EVALUATION),
        })
    }
}
