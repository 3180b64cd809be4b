//! `pipeline schema`: the JSON Schema of pipeline.yaml, for editors.

use output::print_json;

/// Print the JSON Schema of pipeline.yaml, for editors
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    print_json(&pipeline::config::schema())
}
