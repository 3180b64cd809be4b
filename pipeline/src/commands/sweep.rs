//! `pipeline sweep`: what came of the runs of a `matrix`.

use std::path::{Path, PathBuf};

use output::print;
use pipeline::sweep::Sweep;

/// Show the results of a pipeline's `matrix`, the best first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: crate::Target,
    /// As JSON, with every run
    #[arg(long)]
    json: bool,
}

/// A pipeline that has one run alone.
#[derive(Debug, thiserror::Error)]
#[error("{} has no `matrix`", .0.display())]
pub(crate) struct NoMatrix(PathBuf);

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let path: &Path = &args.target.file;
    let sweep = Sweep::open(path, &args.target.overrides)?;
    let sweep = sweep.ok_or_else(|| NoMatrix(path.to_owned()))?;
    print(&sweep.results()?, args.json)
}
