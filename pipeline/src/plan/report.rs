//! The plan of a report.

use std::path::PathBuf;
use std::sync::Arc;

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
    /// The proof that ran before the evaluation, if one did.
    pub verify: Option<VerifyPlan>,
    /// Folder of the results.
    pub folder: PathBuf,
}

impl ReportPlan {
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
        let mut before = self.before(&config.eval.value).into_iter();
        let verify = before.find_map(|index| match &self.stages[index].action {
            Action::Verify(plan) if Arc::ptr_eq(&plan.export, &eval.export) => Some(plan.clone()),
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
