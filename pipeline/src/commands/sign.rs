//! `pipeline sign`: a signature that says who made a model.

use std::path::{Path, PathBuf};

use artifact::Sha256;
use output::{message, print_json};
use serde::Serialize;
use signing::{PrivateKey, sign};

/// Sign a model with a key of your own (OpenSSF model signing)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model: a file, or a folder with all its files but git's own
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// Your private key on the curve P-256, in PEM
    #[arg(long, value_name = "PRIVATE.pem")]
    key: PathBuf,
    /// Where to write the signature [default: MODEL.onnx.sig]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was signed, for programs.
#[derive(Serialize)]
struct Signed<'a> {
    #[serde(serialize_with = "output::path")]
    model: &'a Path,
    #[serde(serialize_with = "output::path")]
    signature: &'a Path,
    /// The SHA-256 of the public key's PEM.
    key: Sha256,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let output = match &args.output {
        Some(output) => output.clone(),
        None => signing::usual_path(&args.model),
    };
    signing::check_place(&output, &args.model, &args.key)?;
    let key = PrivateKey::read(&args.key)?;
    sign(&args.model, &output, &key)?.write(&output)?;
    if args.json {
        return print_json(&Signed {
            model: &args.model,
            signature: &output,
            key: key.public().digest(),
        });
    }
    message!(
        "wrote {}; whoever has your public key can check it with\n  \
         runtime verify-signature {} --signature {0} --key PUBLIC.pem",
        output.display(),
        args.model.display()
    );
    Ok(())
}
