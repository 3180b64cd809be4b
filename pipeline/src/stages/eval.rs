//! `eval`: how well the ONNX does on the test images.

use artifact::Sha256;
use dataset::Part;
use output::message;
use runtime::{Evaluation, Library, ModelMetadata, Session, SessionOptions, evaluate, library};
use serde::Serialize;

use crate::plan::EvalPlan;
use crate::stages::{Context, show};

pub(super) fn run(plan: &EvalPlan, context: &Context) -> anyhow::Result<()> {
    let library = library::load(context.ort_lib.as_deref())?;
    let mut session = session(plan, &library)?;
    if let Some(reason) = session.fallback() {
        message!("  note: running on the CPU, as CUDA cannot run: {reason}");
    }
    let metadata = ModelMetadata::of_model(session.model())?;
    let test = plan.dataset.load(Part::Test)?;
    let mut evaluation = evaluate(&mut session, &metadata, &test, plan.config.batch)?;
    let shown = format!("{evaluation}\n");
    evaluation.speed = None;
    let evaluated = Evaluated {
        dataset: &plan.dataset.name,
        weights: metadata.sources.weights,
        evaluation: &evaluation,
    };
    artifact::write_json(&plan.file, &evaluated)?;
    match context.brief {
        true => message!("  accuracy {:.2}%", 100.0 * evaluation.accuracy),
        false => show(shown),
    }
    Ok(())
}

/// What was found, on which images, and of which weights.
#[derive(Serialize)]
struct Evaluated<'a> {
    dataset: &'a str,
    weights: Option<Sha256>,
    #[serde(flatten)]
    evaluation: &'a Evaluation,
}

/// The ONNX, ready to run as the plan says.
pub(super) fn session(
    plan: &EvalPlan,
    library: &Library,
) -> Result<Session, runtime::SessionError> {
    let options = SessionOptions {
        provider: plan.config.provider.into(),
        threads: plan.config.threads,
    };
    Session::open(library, &plan.export.file, &options)
}
