//! `pipeline status`: what is up to date, and why the rest is not.

use output::print_json;
use pipeline::lock::Reason;
use pipeline::plan::Stage;
use pipeline::run::Pipeline;
use pipeline::sweep::Sweep;
use runtime::text::{padded, widest};
use serde::Serialize;

/// Say of each stage whether it is up to date
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: crate::Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A stage, for programs.
#[derive(Serialize)]
pub(crate) struct State {
    /// The run of a `matrix` that it is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    stage: String,
    kind: &'static str,
    up_to_date: bool,
    /// Why it has to run.
    reason: Option<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let sweep = Sweep::open(&args.target.file, &args.target.overrides)?;
    let runs: Vec<(Option<String>, Pipeline)> = match sweep {
        Some(sweep) => {
            let runs = sweep.runs.into_iter();
            runs.map(|run| (Some(run.name), run.pipeline)).collect()
        }
        None => vec![(
            None,
            Pipeline::open(&args.target.file, &args.target.overrides)?,
        )],
    };
    if args.json {
        let states = runs
            .iter()
            .flat_map(|(name, run)| states(name.as_deref(), run));
        return print_json(&states.collect::<Vec<_>>());
    }
    let mut text = String::new();
    for (name, pipeline) in &runs {
        if let Some(name) = name {
            text += &format!("{name}\n");
        }
        text += &table(pipeline);
    }
    output::write(text)
}

impl State {
    /// Of `stage` in a run of a `matrix` or of the pipeline itself, with the
    /// reason if it has to run.
    pub(crate) fn of(run: Option<&str>, stage: &Stage, reason: Option<Reason>) -> Self {
        Self {
            run: run.map(str::to_owned),
            stage: stage.name.clone(),
            kind: stage.action.kind(),
            up_to_date: reason.is_none(),
            reason: reason.map(|reason| reason.to_string()),
        }
    }
}

fn states(run: Option<&str>, pipeline: &Pipeline) -> Vec<State> {
    let status = pipeline.status().into_iter();
    status
        .map(|(stage, reason)| State::of(run, stage, reason))
        .collect()
}

/// A line for each stage.
fn table(pipeline: &Pipeline) -> String {
    let status = pipeline.status();
    let width = widest(status.iter().map(|(stage, _)| stage.name.as_str()));
    let mut text = String::new();
    for (stage, reason) in status {
        let state = match reason {
            None => "up to date".to_owned(),
            Some(reason) => format!("has to run: {reason}"),
        };
        text += &format!(
            "{}  {:7}  {state}\n",
            padded(&stage.name, width),
            stage.action.kind()
        );
    }
    text
}
