//! `pipeline runs`: what has been trained.

use std::path::PathBuf;

use output::{message, print};
use pipeline::history::History;

/// List the runs in folders of results
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folders; those within them count, too
    #[arg(value_name = "FOLDER", default_value = "runs")]
    folders: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let history = History::under(&args.folders)?;
    if history.runs.is_empty() && !args.json {
        message!("no run is there yet");
        return Ok(());
    }
    print(&history, args.json)
}
