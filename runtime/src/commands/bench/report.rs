//! What was measured, for people and for programs.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use runtime::bench::{Latency, Throughput};
use runtime::text::{bar, columns};
use runtime::{ActiveProvider, Library};
use serde::Serialize;

use super::Args;

/// The characters of the bar of the fastest, in a terminal of 80 columns.
const BAR: usize = 24;
/// The columns before the bars, and one behind them.
const BEFORE_BAR: usize = 56;

/// All measurements of a model.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(serialize_with = "output::path")]
    model: PathBuf,
    provider: ActiveProvider,
    onnxruntime: String,
    processors: NonZeroUsize,
    warmup: usize,
    pub(super) latency: Vec<LatencyRow>,
    pub(super) throughput: Vec<ThroughputRow>,
}

/// The latency with a number of threads.
#[derive(Debug, Serialize)]
pub(super) struct LatencyRow {
    pub(super) threads: NonZeroUsize,
    pub(super) batch: NonZeroUsize,
    pub(super) runs: usize,
    pub(super) milliseconds: Latency,
}

/// The throughput with a number of threads at a batch size.
#[derive(Debug, Serialize)]
pub(super) struct ThroughputRow {
    pub(super) threads: NonZeroUsize,
    pub(super) batch: NonZeroUsize,
    pub(super) runs: usize,
    pub(super) images_per_second: Throughput,
}

impl Report {
    pub(super) fn new(args: &Args, library: &Library, provider: ActiveProvider) -> Self {
        Self {
            model: args.model.clone(),
            provider,
            onnxruntime: library.version().to_owned(),
            processors: processors(),
            warmup: args.warmup,
            latency: Vec::new(),
            throughput: Vec::new(),
        }
    }
}

/// The processors that this process may use.
pub(super) fn processors() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "model      {}", self.model.display())?;
        writeln!(
            f,
            "provider   {} (ONNX Runtime {}, {} processors)",
            self.provider, self.onnxruntime, self.processors
        )?;
        let batch = self.latency.first().map_or(1, |row| row.batch.get());
        writeln!(f, "\nlatency at batch {batch}, in ms")?;
        writeln!(
            f,
            "threads      p50      p90      p99      min      max    runs"
        )?;
        for row in &self.latency {
            let times = row.milliseconds;
            write!(f, "{:>7}", row.threads)?;
            for time in [times.p50, times.p90, times.p99, times.min, times.max] {
                write!(f, "  {time:>7.3}")?;
            }
            writeln!(f, "  {:>6}", row.runs)?;
        }
        writeln!(f, "\nthroughput, in images/s")?;
        writeln!(f, "threads   batch    median       p10       p90    runs")?;
        let rates = self.throughput.iter();
        let rates = rates.map(|row| row.images_per_second.median);
        let fastest = rates.fold(f64::MIN_POSITIVE, f64::max);
        let length = columns().saturating_sub(BEFORE_BAR).min(BAR) as f64;
        for row in &self.throughput {
            let rate = row.images_per_second;
            write!(f, "{:>7}  {:>6}", row.threads, row.batch)?;
            for rate in [rate.median, rate.low, rate.high] {
                write!(f, "  {:>8.0}", rate)?;
            }
            let bar = bar(rate.median / fastest, length);
            writeln!(f, "  {:>6}  {bar}", row.runs)?;
        }
        Ok(())
    }
}
