//! The plan of a proof.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::planner::Planner;
use super::{DatasetPlan, ExportPlan};
use crate::config::{ConfigError, TOLERANCE, VerifyConfig};

/// A proof.
#[derive(Clone, Debug)]
pub struct VerifyPlan {
    /// The ONNX and the network.
    pub export: Arc<ExportPlan>,
    /// The images.
    pub dataset: Arc<DatasetPlan>,
    /// Largest difference between two logits that is accepted.
    pub tolerance: f64,
    /// As written.
    pub config: VerifyConfig,
    /// Where the result goes.
    pub file: PathBuf,
}

impl VerifyPlan {
    pub(super) fn settings(&self) -> Value {
        // What was exported is an input.
        let Self {
            export: _,
            dataset,
            tolerance,
            config,
            file: _,
        } = self;
        let VerifyConfig {
            model: _,
            dataset: _,
            tolerance: _,
            images,
            after: _,
        } = config;
        json!({ "dataset": dataset.settings(), "tolerance": tolerance, "images": images })
    }
}

impl Planner<'_> {
    pub(super) fn verify(
        &self,
        name: &str,
        config: &VerifyConfig,
    ) -> Result<VerifyPlan, ConfigError> {
        let export = self.export_of(&config.model)?;
        Ok(VerifyPlan {
            dataset: self.images(config.dataset.as_ref(), &export)?,
            export,
            tolerance: self.tolerance(config)?,
            config: config.clone(),
            file: self.config.output.join(name).join("verification.json"),
        })
    }

    fn tolerance(&self, config: &VerifyConfig) -> Result<f64, ConfigError> {
        match &config.tolerance {
            None => Ok(TOLERANCE),
            Some(tolerance) if tolerance.value > 0.0 && tolerance.value.is_finite() => {
                Ok(tolerance.value)
            }
            Some(tolerance) => Err(self.document.invalid(
                tolerance.referenced,
                format!("`tolerance`: {} is not a positive number", tolerance.value),
                None,
            )),
        }
    }
}
