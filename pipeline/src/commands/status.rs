//! `pipeline status`: what is up to date, and why the rest is not.

use pipeline::run::Pipeline;
use pipeline::sweep::Sweep;

/// Say of each stage whether it is up to date
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: crate::Target,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(sweep) = Sweep::open(&args.target.file, &args.target.overrides)? {
        for run in &sweep.runs {
            println!("{}", run.name);
            print(&run.pipeline);
        }
        return Ok(());
    }
    print(&Pipeline::open(&args.target.file, &args.target.overrides)?);
    Ok(())
}

fn print(pipeline: &Pipeline) {
    let status = pipeline.status();
    let width = status.iter().map(|(stage, _)| stage.name.len()).max();
    for (stage, reason) in status {
        let state = match reason {
            None => "up to date".to_owned(),
            Some(reason) => format!("has to run: {reason}"),
        };
        println!(
            "{:width$}  {:7}  {state}",
            stage.name,
            stage.action.kind(),
            width = width.unwrap_or_default()
        );
    }
}
