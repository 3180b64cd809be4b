//! Trains a network step by step on command, to be timed beside PyTorch.
//!
//! - `bench weights JOB FILE` writes the network's initial weights;
//! - `bench train JOB` trains, as standard input says.
//!
//! `JOB` is a [`Job`] as JSON. `train` reads one [`Command`] a line and answers each with a line of
//! JSON; `torch_step.py` beside this crate speaks the same language, and `compare.py` drives both.

mod process;
mod training;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::training::Training;

/// What to train, on what and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    /// A built-in network, or the layers of one as YAML.
    network: String,
    /// Folder of MNIST's four files.
    data: PathBuf,
    /// Images of a step.
    batch: usize,
    optimizer: trainer::Optimizer,
    rate: f64,
}

/// What `compare.py` asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    /// Loads weights to train from.
    Weights(PathBuf),
    /// Trains some steps: milliseconds and loss of each, processor milliseconds of all.
    Steps(usize),
    /// Trains one epoch of all training images from new weights and validates on the test images,
    /// as `pipeline run` does: seconds and accuracy.
    Epoch,
    /// Peak memory of this process in bytes.
    Memory,
}

fn main() -> Result<()> {
    kernels::keep_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["weights", job, file] => Training::new(parse(job)?)?.save(Path::new(file)),
        ["train", job] => serve(&mut Training::new(parse(job)?)?),
        _ => bail!("usage: bench weights JOB FILE, or bench train JOB"),
    }
}

fn parse(job: &str) -> Result<Job> {
    serde_json::from_str(job).context("the job is not what it should be")
}

/// Answers every line of standard input.
fn serve(training: &mut Training) -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let answer = answer(training, serde_json::from_str(&line?)?)?;
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn answer(training: &mut Training, command: Command) -> Result<Value> {
    Ok(match command {
        Command::Weights(file) => {
            training.load(&file)?;
            json!({})
        }
        Command::Steps(count) => {
            let before = process::processor_time()?;
            let (milliseconds, losses) = training.steps(count)?;
            let processor = process::processor_time()? - before;
            json!({
                "milliseconds": milliseconds,
                "losses": losses,
                "processor": processor.as_secs_f64() * 1e3,
            })
        }
        Command::Epoch => {
            let (seconds, accuracy) = training.epoch()?;
            json!({ "seconds": seconds, "accuracy": accuracy })
        }
        Command::Memory => json!({ "bytes": process::peak_memory()? }),
    })
}
