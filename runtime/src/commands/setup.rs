//! `runtime setup`: gets ONNX Runtime ahead of the first use.

use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;
use output::message;
use runtime::library::{self, Build, Library};
use serde::Serialize;

/// Get ONNX Runtime, so that later commands need no network
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What ONNX Runtime shall run on
    #[arg(long, value_enum, default_value_t = Target::Cpu)]
    provider: Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The CPU
    Cpu,
    /// NVIDIA GPUs
    Cuda,
}

/// The library that is ready.
#[derive(Debug, Serialize)]
struct Ready {
    #[serde(serialize_with = "output::path")]
    library: PathBuf,
    version: String,
}

impl From<&Library> for Ready {
    fn from(library: &Library) -> Self {
        Self {
            library: library.path().to_owned(),
            version: library.version().to_owned(),
        }
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { library, version } = self;
        writeln!(f, "ONNX Runtime {version}: {}", library.display())
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let library = match args.provider {
        Target::Cpu => library::load(None)?,
        Target::Cuda => {
            let path = library::fetch(Build::Cuda)?;
            message!(
                "It also needs an NVIDIA driver, CUDA 13 and cuDNN 9. The libraries come with \
                 `python3 -m pip install 'onnxruntime-gpu[cuda,cudnn]=={}'`.",
                library::VERSION
            );
            library::load(Some(&path))?
        }
    };
    output::print(&Ready::from(&library), args.json)
}
