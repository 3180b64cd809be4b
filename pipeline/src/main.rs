//! The command line: `pipeline run`, `status`, `dag`, `init` and others.
//!
//! Results go to stdout, everything for people to stderr. The exit code is 0
//! on success, 1 for an error, 2 for a panic, which is a bug, and 130 for a
//! training that Ctrl-C stopped.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod commands;
mod diagnostics;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pipeline::config::Override;
use runtime::shell::{Completions, Man};

use commands::{dag, data, diff, init, model, run, runs, schema, sign, status, sweep};

/// Trains a network, exports it as ONNX, proves and measures the ONNX, and
/// reports on it, as a YAML file describes it.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Status(status::Args),
    Dag(dag::Args),
    Data(data::Args),
    Init(init::Args),
    Model(model::Args),
    Schema(schema::Args),
    Sweep(sweep::Args),
    Runs(runs::Args),
    Diff(diff::Args),
    Sign(sign::Args),
    Completions(Completions),
    Man(Man),
}

/// Which pipeline.
#[derive(Debug, clap::Args)]
struct Target {
    /// The pipeline
    #[arg(value_name = "FILE", default_value = "pipeline.yaml")]
    file: PathBuf,
    /// Another value for a setting, such as train.epochs=3
    #[arg(long = "set", value_name = "STAGE.SETTING=VALUE")]
    overrides: Vec<Override>,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return runtime::cli::usage(&error),
    };
    // Training allocates the same sizes in every step.
    kernels::keep_freed_memory();
    let result = std::panic::catch_unwind(|| match &cli.command {
        Command::Run(args) => run::run(args),
        Command::Status(args) => status::run(args),
        Command::Dag(args) => dag::run(args),
        Command::Data(args) => data::run(args),
        Command::Init(args) => init::run(args),
        Command::Model(args) => model::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Sweep(args) => sweep::run(args),
        Command::Runs(args) => runs::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Sign(args) => sign::run(args),
        Command::Completions(args) => args.run::<Cli>(),
        Command::Man(args) => args.run::<Cli>().map_err(Into::into),
    });
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => diagnostics::report(&error),
        Err(_) => diagnostics::panicked(),
    }
}
