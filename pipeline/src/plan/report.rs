//! The plan of a report.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::planner::Planner;
use super::{Action, EvalPlan, TrainPlan, VerifyPlan};
use crate::config::{ConfigError, ReportConfig};

/// A report.
#[derive(Clone, Debug)]
pub struct ReportPlan {
    /// Its heading: the name of the folder of results.
    pub title: String,
    /// The evaluation, and with it the ONNX, the training and the images.
    pub eval: EvalPlan,
    /// The proof of the same ONNX, if there is one.
    pub verify: Option<VerifyPlan>,
    /// Folder of the results.
    pub folder: PathBuf,
}

impl ReportPlan {
    pub(super) fn settings(&self) -> Value {
        let Self {
            title,
            eval,
            verify,
            folder: _,
        } = self;
        json!({
            "title": title, "train": self.train().settings(), "weights": eval.export.weights,
            "eval": eval.settings(),
            "verify": verify.as_ref().map(VerifyPlan::settings),
        })
    }

    /// The training.
    pub fn train(&self) -> &TrainPlan {
        &self.eval.export.train
    }
}

impl Planner<'_> {
    pub(super) fn report(
        &self,
        name: &str,
        config: &ReportConfig,
    ) -> Result<ReportPlan, ConfigError> {
        let Some(Action::Eval(eval)) = self.action(&config.eval) else {
            return Err(self.wrong_kind(&config.eval, "eval"));
        };
        let mut proofs = self.proofs(config).into_iter();
        let verify = proofs.find_map(|index| match &self.stages[index].action {
            Action::Verify(plan) => Some(plan.clone()),
            _ => None,
        });
        let output = &self.config.output;
        let title = output.file_name().unwrap_or(output.as_os_str());
        Ok(ReportPlan {
            title: title.to_string_lossy().into_owned(),
            eval: eval.clone(),
            verify,
            folder: output.join(name),
        })
    }
}
