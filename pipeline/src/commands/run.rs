//! `pipeline run`: runs what is not up to date.

use std::path::PathBuf;

use clap::ValueEnum;
use output::{message, print, print_json};
use pipeline::interrupt::Interrupts;
use pipeline::lock::Reason;
use pipeline::plan::Stage;
use pipeline::results;
use pipeline::run::{Options, Outcome, Pipeline};
use pipeline::sweep::Sweep;
use serde::Serialize;
use serde_json::value::RawValue;

use super::status::State;

/// Run the stages that are not up to date
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: crate::Target,
    /// Only this stage and those before it
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,
    /// Run what is up to date, too: the stage given with --stage, or all
    #[arg(long)]
    force: bool,
    /// Whether a training that was interrupted goes on from its last checkpoint
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    resume: Resume,
    /// Begin trainings anew: `--resume never`
    #[arg(long, conflicts_with = "resume")]
    fresh: bool,
    /// Wait for another run of this pipeline to end
    #[arg(long)]
    wait: bool,
    /// Say what would run and why, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// ONNX Runtime's library [default: searched for, else fetched once]
    #[arg(long, value_name = "PATH")]
    ort_lib: Option<PathBuf>,
    /// Print what became of the stages as JSON; of a `matrix`, the results of its runs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Resume {
    /// Where there is one
    Auto,
    /// It begins anew
    Never,
}

/// What became of a stage, with what it found.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    /// As it stands in the file, digit by digit.
    results: Option<Box<RawValue>>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let sweep = Sweep::open(&args.target.file, &args.target.overrides)?;
    let options = Options {
        stage: args.stage.clone(),
        force: args.force,
        fresh: args.fresh || args.resume == Resume::Never,
        wait: args.wait,
        brief: args.json || sweep.is_some(),
        ort_lib: args.ort_lib.clone(),
        interrupts: Interrupts::watch()?,
    };
    if let Some(mut sweep) = sweep {
        if args.dry_run {
            let runs = sweep.runs.iter();
            let runs = runs.map(|run| (Some(run.name.as_str()), &run.pipeline));
            return dry_run(runs, &options, args.json);
        }
        sweep.run(&options)?;
        let results = sweep.results()?;
        print(&results, args.json)?;
        return Ok(results.check()?);
    }
    let mut pipeline = Pipeline::open(&args.target.file, &args.target.overrides)?;
    if args.dry_run {
        return dry_run([(None, &pipeline)], &options, args.json);
    }
    let outcomes = pipeline.run(&options)?;
    if !outcomes.iter().any(|outcome| outcome.ran) {
        message!("nothing to do: everything is up to date");
    }
    match args.json {
        true => print_json(&told(&outcomes)?),
        false => Ok(()),
    }
}

fn told(outcomes: &[Outcome]) -> Result<Vec<Told<'_>>, results::Error> {
    let told = outcomes.iter().map(|outcome| {
        let results = outcome.results.as_deref();
        let results = results.map(|path| results::verbatim(path, 2));
        Ok(Told {
            outcome,
            results: results.transpose()?,
        })
    });
    told.collect()
}

/// Says of each pipeline what would run.
fn dry_run<'a>(
    pipelines: impl IntoIterator<Item = (Option<&'a str>, &'a Pipeline)>,
    options: &Options,
    json: bool,
) -> anyhow::Result<()> {
    let mut states = Vec::new();
    let mut text = String::new();
    for (run, pipeline) in pipelines {
        let pending = pipeline.pending(options)?;
        if json {
            let pending = pending.into_iter();
            states.extend(pending.map(|(stage, reason)| State::of(run, stage, Some(reason))));
            continue;
        }
        if let Some(run) = run {
            text += &format!("{run}\n");
        }
        text += &would_run(&pending);
    }
    match json {
        true => print_json(&states),
        false => output::write(text),
    }
}

/// A line for each stage.
fn would_run(pending: &[(&Stage, Reason)]) -> String {
    if pending.is_empty() {
        return "nothing would run: everything is up to date\n".to_owned();
    }
    let line = |(stage, reason): &(&Stage, Reason)| format!("{} would run: {reason}\n", stage.name);
    pending.iter().map(line).collect()
}
