//! `pipeline run`: runs what is not up to date.

use std::path::PathBuf;

use pipeline::interrupt::Interrupts;
use pipeline::run::{Options, Pipeline};
use pipeline::sweep::Sweep;
use runtime::output::print;

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
    /// Begin trainings anew; by default one that was interrupted goes on from its last checkpoint
    #[arg(long)]
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
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let sweep = Sweep::open(&args.target.file, &args.target.overrides)?;
    let options = Options {
        stage: args.stage.clone(),
        force: args.force,
        fresh: args.fresh,
        wait: args.wait,
        brief: sweep.is_some(),
        ort_lib: args.ort_lib.clone(),
        interrupts: Interrupts::watch()?,
    };
    if let Some(mut sweep) = sweep {
        if args.dry_run {
            for run in &sweep.runs {
                println!("{}", run.name);
                print_pending(&run.pipeline, &options)?;
            }
            return Ok(());
        }
        sweep.run(&options)?;
        return print(&sweep.results()?, false);
    }
    let mut pipeline = Pipeline::open(&args.target.file, &args.target.overrides)?;
    if args.dry_run {
        return print_pending(&pipeline, &options);
    }
    if pipeline.run(&options)? == 0 {
        eprintln!("nothing to do: everything is up to date");
    }
    Ok(())
}

fn print_pending(pipeline: &Pipeline, options: &Options) -> anyhow::Result<()> {
    let pending = pipeline.pending(options)?;
    for (stage, reason) in &pending {
        println!("{} would run: {reason}", stage.name);
    }
    if pending.is_empty() {
        println!("nothing would run: everything is up to date");
    }
    Ok(())
}
