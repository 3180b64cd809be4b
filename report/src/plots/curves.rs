//! What the training achieved, epoch by epoch.

use kuva::TickFormat;
use kuva::plot::{LegendShape, LinePlot, ScatterPlot};
use kuva::render::plots::Plot as Drawn;
use kuva::render::render::Scene;

use super::Plot;
use super::look::{Axis, Look, percent_ticks, render, widened, with_legend};
use crate::run::Epoch;
use crate::text::{percent, scientific};

/// One line of a plot: its name and its value in each epoch.
struct Series {
    name: &'static str,
    value: fn(&Epoch) -> f64,
}

/// Training and validation loss.
pub(super) fn loss(history: &[Epoch]) -> Plot {
    let series = [
        Series {
            name: "training",
            value: |epoch| epoch.train_loss,
        },
        Series {
            name: "validation",
            value: |epoch| epoch.validation_loss,
        },
    ];
    let highest = values(history, &series).fold(0.0, f64::max);
    let axis = Axis {
        name: "cross-entropy (nats)",
        range: (0.0, highest),
    };
    let format = |value: f64| format!("{value:.4}");
    Plot::new("loss", "Loss", |look| {
        draw(look, history, &series, axis, TickFormat::Auto, format)
    })
}

/// Training and validation accuracy.
pub(super) fn accuracy(history: &[Epoch]) -> Plot {
    let series = [
        Series {
            name: "training",
            value: |epoch| epoch.train_accuracy,
        },
        Series {
            name: "validation",
            value: |epoch| epoch.validation_accuracy,
        },
    ];
    let lowest = values(history, &series).fold(1.0, f64::min);
    let axis = Axis {
        name: "accuracy (%)",
        range: (lowest.min(0.99), 1.0),
    };
    Plot::new("accuracy", "Accuracy", |look| {
        draw(look, history, &series, axis, percent_ticks(), percent)
    })
}

/// The learning rate.
pub(super) fn learning_rate(history: &[Epoch]) -> Plot {
    let series = [Series {
        name: "learning rate",
        value: |epoch| epoch.learning_rate,
    }];
    let highest = values(history, &series).fold(0.0, f64::max);
    let axis = Axis {
        name: "learning rate (of the last step)",
        range: (0.0, if highest > 0.0 { highest } else { 1.0 }),
    };
    Plot::new("learning-rate", "Learning rate", |look| {
        draw(look, history, &series, axis, TickFormat::Auto, scientific)
    })
}

fn values(history: &[Epoch], series: &[Series]) -> impl Iterator<Item = f64> {
    history
        .iter()
        .flat_map(move |epoch| series.iter().map(|series| (series.value)(epoch)))
        .filter(|value| value.is_finite())
}

/// Lines with a point for each epoch, which tells all values of the epoch.
fn draw(
    look: &Look,
    history: &[Epoch],
    series: &[Series],
    y: Axis<'_>,
    ticks: TickFormat,
    format: fn(f64) -> String,
) -> Scene {
    let tip = |epoch: &Epoch| {
        let value =
            |series: &Series| format!("\n{}: {}", series.name, format((series.value)(epoch)));
        format!(
            "epoch {}{}",
            epoch.epoch,
            series.iter().map(value).collect::<String>()
        )
    };
    let tips: Vec<String> = history.iter().map(tip).collect();
    let mut drawn: Vec<Drawn> = Vec::new();
    for (series, color) in series.iter().zip(look.series) {
        let point = |epoch: &Epoch| (epoch.epoch as f64, (series.value)(epoch));
        let points: Vec<(f64, f64)> = history.iter().map(point).collect();
        let line = LinePlot::new().with_data(points.clone());
        drawn.push(line.with_color(color).with_stroke_width(2.0).into());
        let marks = ScatterPlot::new().with_data(points).with_color(color);
        drawn.push(
            marks
                .with_size(3.0)
                .with_tooltip_labels(tips.clone())
                .into(),
        );
    }
    let epochs = || history.iter().map(|epoch| epoch.epoch as f64);
    let x = Axis {
        name: "epoch",
        range: (
            epochs().fold(f64::INFINITY, f64::min),
            epochs().fold(0.0, f64::max),
        ),
    };
    let [(left, right), (low, high)] = [x, y].map(|axis| widened(axis.range));
    let layout = look
        .layout(x, y)
        .with_x_axis_min(left)
        .with_x_axis_max(right)
        .with_y_axis_min(low)
        .with_y_axis_max(high)
        .with_x_tick_step(step(history.len()))
        .with_y_tick_format(ticks);
    let entry = |(series, color): (&Series, &'static str)| (series.name, color, LegendShape::Line);
    let entries: Vec<_> = series.iter().zip(look.series).map(entry).collect();
    let layout = match entries.len() {
        1 => layout,
        _ => with_legend(layout, &entries),
    };
    render(drawn, layout)
}

/// Epochs between two ticks: 1, 2 or 5 times a power of ten, at most ten ticks.
fn step(epochs: usize) -> f64 {
    let steps = (0..).flat_map(|power| [1, 2, 5].map(|m| m * 10_usize.saturating_pow(power)));
    let mut enough = steps.skip_while(|step| epochs / step > 10);
    enough.next().unwrap_or(epochs) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stand_at_whole_epochs() {
        assert_eq!(
            [1, 10, 12, 40, 100, 3000].map(step),
            [1.0, 1.0, 2.0, 5.0, 10.0, 500.0]
        );
    }
}
