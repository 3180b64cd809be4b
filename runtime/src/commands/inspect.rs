//! `runtime inspect`: what is in a model, and whether it is what it says.

use std::path::PathBuf;

use onnx::proto::ModelProto;
use runtime::check::{Check, Files};
use runtime::{Inspection, ModelMetadata};

/// Show what is in a model: inputs, outputs, versions, operators, metadata
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// Compare the SHA-256 in the metadata with the graph's initializers, and with the files given; constants within nodes have none
    #[arg(long)]
    check: bool,
    /// The file of weights that the model was made from
    #[arg(long, value_name = "FILE", requires = "check")]
    weights: Option<PathBuf>,
    /// The folder of the dataset [default: the published one, where it is one]
    #[arg(long, value_name = "DIR", requires = "check")]
    data: Option<PathBuf>,
    /// The settings of the training, settings.json beside the weights
    #[arg(long, value_name = "FILE", requires = "check")]
    settings: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let model = onnx::read(&args.model)?;
    match args.check {
        true => check(&model, args),
        false => output::print(&Inspection::of(&model), args.json),
    }
}

fn check(model: &ModelProto, args: &Args) -> anyhow::Result<()> {
    let metadata = ModelMetadata::of_model(model)?;
    let files = Files {
        weights: args.weights.clone(),
        data: args.data.clone(),
        settings: args.settings.clone(),
    };
    let check = Check::of(model, &metadata, &files)?;
    output::print(&check, args.json)?;
    Ok(check.verdict()?)
}
