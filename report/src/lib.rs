//! A run as one HTML page that needs no network, and its plots as SVG and PNG
//! files.
//!
//! [`write()`] takes a plain description of the run, a [`Run`], and writes the
//! [`FILES`] into a folder, each whole or not at all. Equal runs give equal
//! bytes. What a run took in time is never the same twice: it stands in one
//! section of the page, which [`digest`] leaves out.
//!
//! Architecture invariant: this crate knows neither Burn nor ONNX Runtime nor
//! the ONNX format.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod calibration;
mod mistakes;
mod page;
mod picture;
mod plots;
mod run;
mod text;

pub use calibration::{Bin, Calibration};
pub use run::{
    ClassMeasures, Epoch, Evaluation, Graph, Link, Node, Run, Sample, Section, Times, Verification,
};

use std::fs;
use std::path::{Path, PathBuf};

use artifact::Sha256;

/// The page.
pub const PAGE: &str = "report.html";

/// All files of a report: the page, and each plot as SVG and PNG.
pub const FILES: [&str; 17] = [
    PAGE,
    "plots/accuracy.png",
    "plots/accuracy.svg",
    "plots/classes.png",
    "plots/classes.svg",
    "plots/confidence.png",
    "plots/confidence.svg",
    "plots/confusion.png",
    "plots/confusion.svg",
    "plots/graph.png",
    "plots/graph.svg",
    "plots/learning-rate.png",
    "plots/learning-rate.svg",
    "plots/loss.png",
    "plots/loss.svg",
    "plots/reliability.png",
    "plots/reliability.svg",
];

/// A report that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The description contradicts itself.
    #[error("the run cannot be shown: {0}")]
    Run(&'static str),
    /// A picture cannot be drawn.
    #[error("`{name}` cannot be drawn: {reason}")]
    Picture {
        /// Which.
        name: &'static str,
        /// Why.
        reason: String,
    },
    /// The page cannot be made.
    #[error("the page cannot be made: {0}")]
    Page(#[from] askama::Error),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] artifact::Error),
}

/// Writes the report of `run` into `folder`: the [`FILES`]. Returns the path of
/// the page.
///
/// # Errors
///
/// When the description contradicts itself or a file cannot be written.
pub fn write(run: &Run<'_>, folder: &Path) -> Result<PathBuf, Error> {
    run.check()?;
    let calibration = Calibration::of(&run.evaluation);
    let plots = plots::all(run, &calibration);
    for plot in &plots {
        let path = |kind: &str| folder.join(format!("plots/{}.{kind}", plot.name));
        artifact::write_bytes(&path("svg"), plot.svg().as_bytes())?;
        artifact::write_bytes(&path("png"), &plot.png()?)?;
    }
    let path = folder.join(PAGE);
    let page = page::render(run, &calibration, &plots)?;
    artifact::write_bytes(&path, page.as_bytes())?;
    Ok(path)
}

/// The SHA-256 of one of the [`FILES`]; of the page without what it says of
/// times, so that it is the same whenever the results are.
///
/// # Errors
///
/// When the file cannot be read.
pub fn digest(path: &Path) -> Result<Sha256, artifact::Error> {
    let bytes = fs::read(path).map_err(artifact::Error::new("read", path))?;
    let timeless = match path.file_name() {
        Some(name) if name == PAGE => page::without_times(&bytes),
        _ => bytes,
    };
    Ok(Sha256::of_bytes(&timeless))
}
