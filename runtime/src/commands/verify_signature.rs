//! `runtime verify-signature`: whether a model is what its maker signed.

use std::fmt;
use std::path::PathBuf;

use artifact::Sha256;
use serde::Serialize;
use signing::{Bundle, PublicKey, Resource, verify};

/// Check that a model is what the owner of a key signed (OpenSSF model signing)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model: a file, or a folder with all its files but git's own
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// The signature [default: MODEL.onnx.sig]
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// The public key of whoever signed, in PEM
    #[arg(long, value_name = "PUBLIC.pem")]
    key: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A signature that is valid.
#[derive(Debug, Serialize)]
struct Valid {
    #[serde(serialize_with = "output::path")]
    model: PathBuf,
    #[serde(serialize_with = "output::path")]
    signature: PathBuf,
    /// The SHA-256 of the public key's PEM.
    key: Sha256,
    files: Vec<File>,
}

#[derive(Debug, Serialize)]
struct File {
    /// Its path in the folder, or `.`.
    name: String,
    sha256: Sha256,
}

impl From<Resource> for File {
    fn from(Resource { name, digest }: Resource) -> Self {
        Self {
            name,
            sha256: digest,
        }
    }
}

impl fmt::Display for Valid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} is what was signed", self.model.display())?;
        writeln!(f, "signature  {}", self.signature.display())?;
        writeln!(f, "key        {}", self.key)?;
        for (index, File { name, sha256 }) in self.files.iter().enumerate() {
            let title = if index == 0 { "files" } else { "" };
            writeln!(f, "{title:11}{sha256}  {name}")?;
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let signature = match &args.signature {
        Some(signature) => signature.clone(),
        None => signing::usual_path(&args.model),
    };
    let key = PublicKey::read(&args.key)?;
    let bundle = Bundle::read(&signature)?;
    let manifest = verify(&args.model, &signature, &bundle, &key)?;
    let valid = Valid {
        model: args.model.clone(),
        signature,
        key: key.digest(),
        files: manifest.resources().map(File::from).collect(),
    };
    output::print(&valid, args.json)
}
