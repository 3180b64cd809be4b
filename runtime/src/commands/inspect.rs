//! `runtime inspect`: what is in a model.

use std::path::PathBuf;

use runtime::Inspection;

use crate::output;

/// Show what is in a model: inputs, outputs, versions, operators, metadata
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let model = onnx::read(&args.model)?;
    output::print(&Inspection::of(&model), args.json)
}
