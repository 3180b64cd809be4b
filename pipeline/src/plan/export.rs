//! The plan of an export.

use std::path::PathBuf;
use std::sync::Arc;

use exporter::Opset;
use serde_json::{Value, json};

use super::TrainPlan;
use super::planner::Planner;
use crate::config::{ConfigError, ExportConfig, Weights};

/// An export.
#[derive(Debug)]
pub struct ExportPlan {
    /// What to export.
    pub train: Arc<TrainPlan>,
    /// Which weights.
    pub weights: Weights,
    /// The .onnx.
    pub file: PathBuf,
    /// ONNX operator set.
    pub opset: Opset,
    /// Whether `probabilities` are an output.
    pub probabilities: bool,
}

impl ExportPlan {
    pub(super) fn settings(&self) -> Value {
        let Self {
            train,
            weights,
            // Told by the outputs.
            file: _,
            opset,
            probabilities,
        } = self;
        json!({
            "train": train.description(), "dataset": train.dataset.settings(),
            "weights": weights, "opset": opset.version(),
            "probabilities": probabilities,
        })
    }
}

impl Planner<'_> {
    pub(super) fn export(&self, config: &ExportConfig) -> Result<ExportPlan, ConfigError> {
        let opset = match &config.opset {
            None => Opset::default(),
            Some(opset) => Opset::new(opset.value).map_err(|error| {
                self.document
                    .invalid(opset.referenced, error.to_string(), None)
            })?,
        };
        Ok(ExportPlan {
            train: self.train_of(&config.train)?,
            weights: config.weights,
            file: config
                .file
                .clone()
                .unwrap_or_else(|| self.config.output.join("model.onnx")),
            opset,
            probabilities: config.probabilities,
        })
    }
}
