//! Whether the network is right as often as it is sure.

use kuva::plot::{Histogram, LegendShape, LinePlot};
use kuva::render::plots::Plot as Drawn;
use kuva::render::render::Scene;

use super::Plot;
use super::look::{Axis, Look, percent_ticks, render, with_legend};
use crate::calibration::{Bin, Calibration};
use crate::text::{grouped, percent};

const CONFIDENCE: Axis<'_> = Axis {
    name: "confidence: probability of the predicted class (%)",
    range: (0.0, 1.0),
};

/// The accuracy of images of each confidence, beside that of a network that is
/// right as often as it is sure.
pub(super) fn reliability(calibration: &Calibration) -> Plot {
    let y = Axis {
        name: "accuracy (%)",
        range: (0.0, 1.0),
    };
    Plot::new("reliability", "Reliability diagram", |look| {
        let bars = bars(look.series[0], calibration, |bin| bin.accuracy);
        let ideal = LinePlot::new()
            .with_data([(0.0, 0.0), (1.0, 1.0)])
            .with_color(look.series[1])
            .with_stroke_width(1.5)
            .with_dashed();
        let legend = [
            ("accuracy", look.series[0], LegendShape::Rect),
            ("as right as sure", look.series[1], LegendShape::Line),
        ];
        draw(look, vec![bars, ideal.into()], y, &legend)
    })
}

/// How many images there are of each confidence.
pub(super) fn confidence(calibration: &Calibration) -> Plot {
    let total: usize = calibration.bins.iter().map(|bin| bin.images).sum();
    let part = move |bin: &Bin| bin.images as f64 / total as f64;
    let y = Axis {
        name: "part of the images (%)",
        range: (0.0, 1.0),
    };
    Plot::new("confidence", "Confidence", |look| {
        let bars = bars(look.series[0], calibration, part);
        draw(look, vec![bars], y, &[])
    })
}

fn draw(
    look: &Look,
    drawn: Vec<Drawn>,
    y: Axis<'_>,
    legend: &[(&str, &str, LegendShape)],
) -> Scene {
    let layout = look
        .layout(CONFIDENCE, y)
        .with_x_axis_min(0.0)
        .with_x_axis_max(1.0)
        .with_y_axis_min(0.0)
        .with_y_axis_max(1.0)
        .with_x_tick_format(percent_ticks())
        .with_y_tick_format(percent_ticks());
    match legend.is_empty() {
        true => render(drawn, layout),
        false => render(drawn, with_legend(layout, legend)),
    }
}

/// A bar for each bin that has images.
fn bars(color: &str, calibration: &Calibration, height: impl Fn(&Bin) -> f64) -> Drawn {
    let bins = &calibration.bins;
    let edges = bins.iter().map(|bin| bin.low).chain([1.0]).collect();
    Histogram::from_bins(edges, bins.iter().map(height).collect())
        .with_color(color)
        .with_tooltip_labels(bins.iter().map(tip))
        .into()
}

fn tip(bin: &Bin) -> String {
    format!(
        "confidence {:.1}–{:.1}%\n{} images\naccuracy: {}\nmean confidence: {}",
        100.0 * bin.low,
        100.0 * bin.high,
        grouped(bin.images as u64),
        percent(bin.accuracy),
        percent(bin.confidence)
    )
}
