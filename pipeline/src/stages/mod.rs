//! The stages, a file each.

mod dataset;
mod eval;
mod export;
mod graph;
mod network;
mod report;
mod train;
mod verify;

use std::path::PathBuf;

use output::message;

use crate::interrupt::Interrupts;
use crate::plan::Action;

/// What stages need beside their plan.
pub(crate) struct Context {
    /// ONNX Runtime's library, where it should not be searched for.
    pub(crate) ort_lib: Option<PathBuf>,
    /// One run of many: no tables.
    pub(crate) brief: bool,
    /// Begin a training anew, whatever checkpoint there is.
    pub(crate) fresh: bool,
    /// Ctrl-C.
    pub(crate) interrupts: Interrupts,
}

/// Whether this build and this machine can run the stage at all.
pub(crate) fn check(action: &Action) -> Result<(), trainer::Error> {
    match action {
        Action::Train(plan) => trainer::resolve_device(plan.settings.device).map(drop),
        Action::Dataset(_)
        | Action::Export(_)
        | Action::Verify(_)
        | Action::Eval(_)
        | Action::Report(_) => Ok(()),
    }
}

/// Shows a result that is in a file, too: where that fails, by a full disk behind stdout, the run
/// goes on.
fn show(result: String) {
    if let Err(error) = output::write(result) {
        message!("  note: {error:#}");
    }
}

/// Runs one stage; its outputs are complete when it returns.
pub(crate) fn run(action: &Action, context: &Context) -> anyhow::Result<()> {
    match action {
        Action::Dataset(plan) => dataset::run(plan),
        Action::Train(plan) => train::run(plan, context),
        Action::Export(plan) => export::run(plan),
        Action::Verify(plan) => verify::run(plan, context),
        Action::Eval(plan) => eval::run(plan, context),
        Action::Report(plan) => report::run(plan, context),
    }
}
