//! The command line: `runtime eval`, `predict`, `inspect` and the others.
//!
//! Data goes to stdout, everything for people to stderr. The exit code is 0 on
//! success, 1 for an error that the user can fix, 2 for one that is unexpected.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod commands;
mod diagnostics;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{bench, eval, inspect, predict, setup, verify_signature};
use runtime::shell::{Completions, Man};

/// Runs and evaluates ONNX image classifiers through ONNX Runtime.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Eval(eval::Args),
    Predict(predict::Args),
    Bench(bench::Args),
    Inspect(inspect::Args),
    VerifySignature(verify_signature::Args),
    Setup(setup::Args),
    Completions(Completions),
    Man(Man),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return runtime::cli::usage(&error),
    };
    diagnostics::outcome(|| match &cli.command {
        Command::Eval(args) => eval::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::VerifySignature(args) => verify_signature::run(args),
        Command::Setup(args) => setup::run(args),
        Command::Completions(args) => args.run::<Cli>(),
        Command::Man(args) => args.run::<Cli>().map_err(Into::into),
    })
}
