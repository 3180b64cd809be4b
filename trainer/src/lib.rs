//! Fits a network to a dataset with Burn and saves its weights.
//!
//! [`train`] takes a [`Job`] (a network, images, [`Settings`]) and writes
//! `best.safetensors`, `last.safetensors`, `metrics.jsonl` and `summary.json`
//! into a folder, each whole or not at all. Their bytes depend on the settings,
//! the data and the device alone, however often the training was interrupted:
//! the order and the changes of the images of epoch e follow from the seed and e, the random numbers of step
//! s from the seed and s, and the rest is in a checkpoint.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod checkpoint;
mod classifier;
mod device;
mod error;
mod history;
mod loader;
mod optimizer;
mod progress;
mod schedule;
mod settings;
mod strategy;
mod train;
mod untrained;
mod view;
mod weights;

pub use checkpoint::{CheckpointError, check_checkpoint, interrupted};
pub use device::{DeviceName, resolve as resolve_device};
pub use error::Error;
pub use history::{EpochRecord, EpochTiming, Timing};
pub use loader::{Batch, Batches, Mixed};
pub use optimizer::Optimizer;
pub use schedule::Schedule;
pub use settings::{Checkpointing, EarlyStopping, Settings, Validation};
pub use train::{BEST, Job, LAST, METRICS, SUMMARY, Summary, TIMING, Versions, train};
pub use weights::{
    TensorProblem, WeightsMatch, WeightsPair, load_weights, match_weights, save_weights,
};
