//! `pipeline init`: a commented pipeline.yaml to start from.

use std::path::PathBuf;

use output::message;

/// Write a commented pipeline.yaml to start from
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to write it
    #[arg(value_name = "FILE", default_value = "pipeline.yaml")]
    file: PathBuf,
}

/// A file that is already there.
#[derive(Debug, thiserror::Error)]
#[error("{} is already there; give another name, or remove it first", .0.display())]
pub(crate) struct Exists(PathBuf);

/// The file that is written.
const TEMPLATE: &str = include_str!("../../template.yaml");

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.file.exists() {
        return Err(Exists(args.file.clone()).into());
    }
    artifact::write_bytes(&args.file, TEMPLATE.as_bytes())?;
    message!(
        "wrote {}; run it with `pipeline run {0}`",
        args.file.display()
    );
    Ok(())
}
