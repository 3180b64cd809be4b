//! What can go wrong while training.

use std::path::PathBuf;

use crate::TensorProblem;

/// A training that could not start or did not finish.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting has an impossible value.
    #[error("`{setting}`: {problem}")]
    Setting {
        /// Name of the setting, as in the YAML.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The device was not compiled in.
    #[error(
        "device `{device}` is not in this build; build `pipeline` with `--features {device}`, or \
         choose `auto` or `cpu`"
    )]
    DeviceNotCompiled {
        /// Name of the device.
        device: &'static str,
    },
    /// The device is compiled in, but this machine has none.
    #[error("no {device} device was found on this machine: {reason}")]
    DeviceNotFound {
        /// Name of the device.
        device: &'static str,
        /// What to look at.
        reason: &'static str,
    },
    /// A file could not be written or read.
    #[error(transparent)]
    File(#[from] artifact::Error),
    /// A file is not weights of any network.
    #[error("{path} is no file of weights, or is damaged: {problem}", path = path.display())]
    NotWeights {
        /// The file.
        path: PathBuf,
        /// What reading it said.
        problem: String,
    },
    /// The weights are those of another network.
    #[error(
        "{path} holds the weights of another network:{}", list(problems), path = path.display()
    )]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// Missing, unexpected and misshapen tensors.
        problems: Vec<TensorProblem>,
    },
    /// The loss or a weight became infinite or not a number.
    #[error(
        "the loss is no longer a finite number in epoch {epoch}; lower the learning rate, or add \
         a warm-up"
    )]
    Diverged {
        /// Epoch, counted from 1.
        epoch: usize,
    },
    /// The training was asked to stop; it goes on from its checkpoint.
    #[error(
        "interrupted in epoch {epoch} after {steps} steps of it; the same command, without `--force` or \
         `--fresh`, goes on from there"
    )]
    Interrupted {
        /// Epoch, counted from 1.
        epoch: usize,
        /// Steps of this epoch that are done.
        steps: usize,
    },
    /// The results' folder has the checkpoint of an unfinished training of
    /// something else.
    #[error(
        "{folder} has a checkpoint of an unfinished training that differs: {differences}",
        folder = folder.display()
    )]
    OtherTraining {
        /// Folder of the results.
        folder: PathBuf,
        /// Settings that differ, with both values.
        differences: String,
    },
    /// Burn reported a failure of the device.
    #[error("training stopped: {0}")]
    Burn(String),
}

/// A line for each.
fn list(problems: &[TensorProblem]) -> String {
    let lines = problems.iter().map(|problem| format!("\n  {problem}"));
    lines.collect()
}
