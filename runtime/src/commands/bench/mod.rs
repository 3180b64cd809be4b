//! `runtime bench`: how fast a model runs.

#[cfg_attr(not(feature = "plot"), path = "no_plot.rs")]
mod plot;
mod report;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use output::message;
use runtime::bench::{Effort, measure};
use runtime::cli::count;
use runtime::{Library, MetadataError, ModelMetadata, Session, SessionOptions, library};

use super::eval;
use report::{LatencyRow, Report, ThroughputRow};

/// Measure latency at batch 1, and throughput over batch sizes and threads
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// Images in a batch, for the throughput
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', value_parser = count, default_values = ["1", "4", "16", "64", "256"])]
    batch: Vec<NonZeroUsize>,
    /// Threads within one operation [default: 1 and as many as there are processors]
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', value_parser = count)]
    threads: Vec<NonZeroUsize>,
    /// Runs before each measurement that are not counted
    #[arg(long, value_name = "N", default_value = "10")]
    warmup: usize,
    /// Runs of each measurement, at the most
    #[arg(long, value_name = "N", value_parser = count, default_value = "500")]
    runs: NonZeroUsize,
    /// Seconds of each measurement, at the most
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    seconds: Duration,
    /// What runs the model; `auto` is CUDA where it runs, else the CPU
    #[arg(long, value_enum, default_value_t = eval::Choice::Auto)]
    provider: eval::Choice,
    /// ONNX Runtime's library [default: searched for, else fetched once]
    #[arg(long, value_name = "PATH")]
    ort_lib: Option<PathBuf>,
    /// Write a plot of the throughput, as SVG or PNG by the file's ending
    #[arg(long, value_name = "FILE", value_parser = plot::File::parse)]
    plot: Option<plot::File>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(Duration::try_from_secs_f64);
    match seconds {
        Some(Ok(seconds)) => Ok(seconds),
        _ => Err("a number of seconds is expected".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let metadata = described(args)?;
    let library = library::load(args.ort_lib.as_deref())?;
    let mut report: Option<Report> = None;
    for threads in threads(args) {
        let mut session = open(args, &library, threads)?;
        let report = report.get_or_insert_with(|| {
            if let Some(reason) = session.fallback() {
                message!("note: running on the CPU, as CUDA cannot run: {reason}");
            }
            Report::new(args, &library, session.provider())
        });
        let input = match &metadata {
            Some(metadata) => metadata.input,
            None => session.image_shape()?,
        };
        measure_all(args, &mut session, input, threads, report)?;
    }
    // There is at least one number of threads.
    let Some(report) = report else { return Ok(()) };
    output::print(&report, args.json)?;
    if let Some(file) = &args.plot {
        file.write(&report.throughput)?;
        message!("wrote {}", file.path().display());
    }
    Ok(())
}

/// What the model says of itself, if it is one of Burnish.
fn described(args: &Args) -> anyhow::Result<Option<ModelMetadata>> {
    match ModelMetadata::of_model(&onnx::read(&args.model)?) {
        Err(MetadataError::Absent) => Ok(None),
        metadata => Ok(Some(metadata?)),
    }
}

/// The numbers of threads to measure with, no more than there are processors.
fn threads(args: &Args) -> BTreeSet<NonZeroUsize> {
    let processors = report::processors();
    let wanted = match args.threads.is_empty() {
        true => vec![NonZeroUsize::MIN, processors],
        false => args.threads.clone(),
    };
    wanted.into_iter().map(|n| n.min(processors)).collect()
}

fn open(args: &Args, library: &Library, threads: NonZeroUsize) -> anyhow::Result<Session> {
    let options = SessionOptions {
        provider: args.provider.into(),
        threads: Some(threads),
    };
    Ok(Session::open(library, &args.model, &options)?)
}

/// Adds what one number of threads gives. A model made for one batch size is
/// measured with that one alone.
fn measure_all(
    args: &Args,
    session: &mut Session,
    input: [usize; 3],
    threads: NonZeroUsize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let effort = Effort {
        warmup: args.warmup,
        runs: args.runs,
        limit: args.seconds,
    };
    let single = session.fixed_batch().unwrap_or(NonZeroUsize::MIN);
    let times = measure(session, input, single, effort)?;
    report.latency.push(LatencyRow {
        threads,
        batch: single,
        runs: times.runs(),
        milliseconds: times.latency(),
    });
    let batches: BTreeSet<_> = match session.fixed_batch() {
        Some(fixed) => [fixed].into(),
        None => args.batch.iter().copied().collect(),
    };
    for batch in batches {
        // Batch 1 has been measured.
        let times = match batch == single {
            true => times.clone(),
            false => measure(session, input, batch, effort)?,
        };
        report.throughput.push(ThroughputRow {
            threads,
            batch,
            runs: times.runs(),
            images_per_second: times.throughput(),
        });
    }
    Ok(())
}
