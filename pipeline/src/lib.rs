//! Runs the stages of a pipeline.yaml: dataset, train, export, verify, eval,
//! report.
//!
//! [`config`] reads the file as typed, [`plan`] checks all of it and resolves
//! every reference, [`run`] then runs what is not up to date by the [`lock`]
//! file; stages cannot meet a bad setting. The only crate that knows all the
//! others.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod config;
pub mod data;
pub mod history;
pub mod interrupt;
pub mod lock;
mod paths;
pub mod plan;
pub mod results;
pub mod run;
pub mod run_lock;
mod stages;
pub mod sweep;
pub mod table;
