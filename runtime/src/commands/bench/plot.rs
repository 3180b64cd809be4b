//! The throughput as a plot, in SVG or PNG.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use kuva::plot::LinePlot;
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;

use super::report::ThroughputRow;

/// Pixels of the PNG for each unit of the plot.
const SCALE: f32 = 2.0;

/// A line for each number of threads; told apart by the colour-blind, too
/// (Okabe and Ito).
const COLOURS: [&str; 6] = [
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
];

/// Where a plot is written, and how.
#[derive(Debug, Clone)]
pub(super) struct File {
    path: PathBuf,
    format: Format,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Svg,
    Png,
}

impl File {
    /// By the ending of its name.
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let path = PathBuf::from(path);
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        let format = match ending.as_ref().and_then(|ending| ending.to_str()) {
            Some("svg") => Format::Svg,
            Some("png") => Format::Png,
            _ => return Err("the file's name must end in .svg or .png".to_owned()),
        };
        Ok(Self { path, format })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&self, rows: &[ThroughputRow]) -> anyhow::Result<()> {
        let (plots, layout) = plot(rows);
        let bytes = match self.format {
            Format::Svg => kuva::render_to_svg(plots, layout).into_bytes(),
            Format::Png => kuva::render_to_png(plots, layout, SCALE)
                .map_err(|reason| anyhow!("the plot cannot be drawn: {reason}"))?,
        };
        Ok(artifact::write_bytes(&self.path, &bytes)?)
    }
}

/// Batch size against images per second, with bars from p10 to p90.
fn plot(rows: &[ThroughputRow]) -> (Vec<Plot>, Layout) {
    let mut lines: BTreeMap<NonZeroUsize, Vec<&ThroughputRow>> = BTreeMap::new();
    for row in rows {
        lines.entry(row.threads).or_default().push(row);
    }
    let lines = lines.iter().zip(COLOURS.iter().cycle());
    let plots: Vec<Plot> = lines
        .map(|((&threads, rows), colour)| line(threads, rows, colour).into())
        .collect();
    let layout = Layout::auto_from_plots(&plots)
        .with_title("Throughput")
        .with_x_label("images in a batch")
        .with_y_label("images per second (median; bars: p10 to p90)")
        .with_log_x()
        .with_y_axis_min(0.0);
    (plots, layout)
}

fn line(threads: NonZeroUsize, rows: &[&ThroughputRow], colour: &str) -> LinePlot {
    let points = rows.iter().map(|row| {
        let rate = row.images_per_second;
        (row.batch.get() as f64, rate.median)
    });
    let errors = rows.iter().map(|row| {
        let rate = row.images_per_second;
        (rate.median - rate.low, rate.high - rate.median)
    });
    let name = match threads.get() {
        1 => "1 thread".to_owned(),
        n => format!("{n} threads"),
    };
    LinePlot::new()
        .with_data(points)
        .with_y_err_asymmetric(errors)
        .with_color(colour)
        .with_stroke_width(2.0)
        .with_legend(name)
}
