//! A pipeline that can run: every reference resolved, every network's shapes
//! inferred, every setting checked, before anything is done.

mod dataset;
mod eval;
mod export;
mod order;
mod outputs;
mod planner;
mod report;
mod train;
mod verify;

use std::path::PathBuf;
use std::sync::Arc;

use artifact::Sha256;

pub use self::dataset::{DatasetFormat, DatasetPlan};
pub use self::eval::EvalPlan;
pub use self::export::ExportPlan;
use self::order::order;
use self::planner::Planner;
pub use self::report::ReportPlan;
pub use self::train::{InitialWeights, SETTINGS, TrainPlan};
pub use self::verify::VerifyPlan;
use crate::config::{Config, ConfigError, Document};

/// A pipeline that can run.
#[derive(Debug)]
pub struct Plan {
    /// Folder of the results.
    pub output: PathBuf,
    /// The stages, each after those that it depends on.
    pub stages: Vec<Stage>,
}

/// One stage.
#[derive(Debug)]
pub struct Stage {
    /// As in the file.
    pub name: String,
    /// Indices of the stages that must have run before.
    pub depends: Vec<usize>,
    /// What it does.
    pub action: Action,
}

/// What a stage does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Brings a dataset.
    Dataset(Arc<DatasetPlan>),
    /// Trains a network.
    Train(Arc<TrainPlan>),
    /// Exports it.
    Export(Arc<ExportPlan>),
    /// Proves that the ONNX answers as the network does.
    Verify(VerifyPlan),
    /// Evaluates the ONNX.
    Eval(EvalPlan),
    /// Writes what was done, and came of it, as an HTML page.
    Report(Box<ReportPlan>),
}

impl Action {
    /// The kind, as written in the file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dataset(_) => "dataset",
            Self::Train(_) => "train",
            Self::Export(_) => "export",
            Self::Verify(_) => "verify",
            Self::Eval(_) => "eval",
            Self::Report(_) => "report",
        }
    }

    /// SHA-256 of all settings that the outputs depend on.
    pub fn settings(&self) -> Sha256 {
        let settings = match self {
            Self::Dataset(plan) => plan.settings(),
            Self::Train(plan) => plan.settings(),
            Self::Export(plan) => plan.settings(),
            Self::Verify(plan) => plan.settings(),
            Self::Eval(plan) => plan.settings(),
            Self::Report(plan) => plan.settings(),
        };
        Sha256::of_bytes(settings.to_string().as_bytes())
    }
}

/// Checks the whole pipeline.
///
/// # Errors
///
/// The first thing that is impossible, with its place in the file.
pub fn plan(document: &Document) -> Result<Plan, ConfigError> {
    let config: Config = document.parse()?;
    let order = order(document, &config)?;
    let mut planner = Planner {
        document,
        config: &config,
        stages: Vec::with_capacity(order.len()),
    };
    for index in order {
        planner.add(index)?;
    }
    planner.check_outputs()?;
    Ok(Plan {
        output: config.output.clone(),
        stages: planner.stages,
    })
}

/// As [`plan`], of a document that was made of `file`: what is wrong with the file
/// itself is told with its own lines.
pub(crate) fn plan_of(document: &Document, file: &Document) -> Result<Plan, ConfigError> {
    plan(document).map_err(|error| {
        let own = plan(file).err();
        own.filter(|own| own.is_about_the_same(&error))
            .unwrap_or(error)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;

    fn planned(stages: &str) -> Result<Plan, ConfigError> {
        let yaml = format!("output: runs\nstages:\n{stages}");
        plan(&Document::new(Path::new("pipeline.yaml"), yaml))
    }

    const STAGES: [&str; 5] = [
        "  score: { eval: { model: onnx, after: [proof] } }\n",
        "  proof: { verify: { model: onnx } }\n",
        "  onnx: { export: { train: fit } }\n",
        "  fit: { train: { dataset: mnist, model: lenet5 } }\n",
        "  mnist: { dataset: { name: mnist } }\n",
    ];

    #[test]
    fn stages_stand_after_those_that_they_refer_to() {
        let plan = planned(&STAGES.concat()).unwrap();
        let names: Vec<&str> = plan.stages.iter().map(|stage| &*stage.name).collect();
        assert_eq!(names, ["mnist", "fit", "onnx", "proof", "score"]);
        let depends: Vec<&[usize]> = plan.stages.iter().map(|stage| &*stage.depends).collect();
        assert_eq!(depends, [&[][..], &[0], &[1], &[2], &[2, 3]]);
    }

    #[test]
    fn report_shows_the_proof_of_its_onnx_wherever_that_stands() {
        let page = "  page: { report: { eval: score } }\n";
        let [score, proof, onnx, fit, mnist] = STAGES;
        let score = &score.replace(", after: [proof]", "");
        let plan = planned(&[page, score, proof, onnx, fit, mnist].concat()).unwrap();
        let names: Vec<&str> = plan.stages.iter().map(|stage| &*stage.name).collect();
        assert_eq!(names, ["mnist", "fit", "onnx", "score", "proof", "page"]);
        assert_eq!(plan.stages[5].depends, [0, 1, 2, 3, 4]);
        let Action::Report(report) = &plan.stages[5].action else {
            panic!("no report");
        };
        assert!(report.verify.is_some());
    }

    #[test]
    fn cycle_is_found_wherever_it_is_entered() {
        let [score, proof, onnx, fit, mnist] = STAGES;
        let mnist = mnist.replace("name: mnist", "name: mnist, after: [proof]");
        for stages in [
            [score, proof, onnx, fit, &mnist],
            [&mnist, fit, onnx, proof, score],
            [fit, score, &mnist, onnx, proof],
        ] {
            let error = planned(&stages.concat()).unwrap_err().to_string();
            assert!(error.contains("the stages go in a circle: "), "{error}");
            assert!(!error.contains("score →"), "{error}");
        }
    }

    #[test]
    fn settings_digest_changes_with_what_is_made_and_with_nothing_else() {
        let digest = |train: &str| {
            let stages = STAGES.concat().replace("model: lenet5", train);
            planned(&stages).unwrap().stages[1].action.settings()
        };
        let plain = digest("model: lenet5");
        assert_eq!(digest("model:   lenet5, seed: 1, log_every: 5"), plain);
        let others = ["cnn-10-20", "lenet5, seed: 2", "lenet5, normalize: unit"];
        assert!(
            others
                .iter()
                .all(|model| digest(&format!("model: {model}")) != plain)
        );
    }

    #[test]
    fn own_images_for_a_model_must_have_its_shape_and_classes() {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../dataset/fixtures/mnist");
        let digits = format!(
            "  digits: {{ dataset: {{ name: d, dir: {data}, \
             classes: [a, b, c, d, e, f, g, h, i, j, k] }} }}\n"
        );
        let stages = STAGES.concat().replace("after: [proof]", "dataset: digits");
        let error = planned(&(stages + &digits)).unwrap_err().to_string();
        assert!(error.contains("in 11 classes"), "{error}");
    }
}
