//! The command line: `runtime eval`, `predict`, `inspect` and the others.
//!
//! Data goes to stdout, everything for people to stderr. The exit code is 0 on
//! success, 1 for an error that the user can fix, 2 for one that is unexpected.

mod commands;
mod diagnostics;
mod output;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{eval, inspect, predict, setup};

/// Runs and evaluates ONNX image classifiers through ONNX Runtime.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Eval(eval::Args),
    Predict(predict::Args),
    Inspect(inspect::Args),
    Setup(setup::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return runtime::cli::usage(&error),
    };
    let result = match &cli.command {
        Command::Eval(args) => eval::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Setup(args) => setup::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => diagnostics::report(&error),
    }
}
