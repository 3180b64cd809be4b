//! How well each class is found.

use kuva::plot::scatter::MarkerShape;
use kuva::plot::{LegendShape, ScatterPlot};
use kuva::render::plots::Plot as Drawn;
use kuva::render::render::Scene;

use super::Plot;
use super::look::{
    Axis, HEIGHT, Look, WIDTH, class_labels, fit, percent_ticks, render, widened, with_legend,
};
use crate::run::{ClassMeasures, Evaluation};
use crate::text::percent;

/// Width of a class, where there are many.
const PLACE: f64 = 30.0;
/// More height, for labels that do not fit side by side.
const LABELS: f64 = 60.0;
/// No plot is wider.
const WIDEST: f64 = 1600.0;

/// One measure of all classes.
struct Series {
    name: &'static str,
    value: fn(&ClassMeasures) -> Option<f64>,
    marker: MarkerShape,
    /// Beside the middle of the class, in parts of its width.
    offset: f64,
}

const SERIES: [Series; 3] = [
    Series {
        name: "precision",
        value: |class| class.precision,
        marker: MarkerShape::Square,
        offset: -0.2,
    },
    Series {
        name: "recall",
        value: |class| class.recall,
        marker: MarkerShape::Triangle,
        offset: 0.2,
    },
    Series {
        name: "F1",
        value: |class| class.f1,
        marker: MarkerShape::Circle,
        offset: 0.0,
    },
];

/// Precision, recall and F1 of each class.
pub(super) fn classes(evaluation: &Evaluation<'_>) -> Plot {
    Plot::new("classes", "Precision, recall and F1", |look| {
        draw(look, &evaluation.classes)
    })
}

fn draw(look: &Look, classes: &[ClassMeasures]) -> Scene {
    let width = (80.0 + PLACE * classes.len() as f64).clamp(WIDTH, WIDEST);
    let place = (width - 80.0) / classes.len() as f64;
    let labels = class_labels(classes.iter().map(|class| class.name.as_str()), place);
    let values = classes
        .iter()
        .flat_map(|class| SERIES.map(|series| (series.value)(class)));
    let lowest = values.flatten().fold(1.0, f64::min);
    let x = Axis {
        name: "class",
        range: (0.5, classes.len() as f64 + 0.5),
    };
    let y = Axis {
        name: "part of the images (%)",
        range: (lowest.min(0.99), 1.0),
    };
    let mut layout = look.layout(x, y).with_width(width);
    if !fit(&labels, place) {
        layout = layout
            .with_x_tick_rotate(-45.0)
            .with_height(HEIGHT + LABELS);
    }
    let (low, high) = widened(y.range);
    layout = layout
        .with_y_axis_min(low)
        .with_y_axis_max(high)
        .with_x_categories(labels)
        .with_y_tick_format(percent_ticks());
    let styled = || SERIES.into_iter().zip(look.series);
    let entries: Vec<_> = styled()
        .map(|(series, color)| (series.name, color, LegendShape::Marker(series.marker)))
        .collect();
    let drawn = styled().map(|(series, color)| marks(&series, color, classes));
    render(drawn.collect(), with_legend(layout, &entries))
}

fn marks(series: &Series, color: &str, classes: &[ClassMeasures]) -> Drawn {
    let known = classes.iter().enumerate().filter_map(|(index, class)| {
        let value = (series.value)(class)?;
        let tip = format!("{}\n{}: {}", class.name, series.name, percent(value));
        Some((((index + 1) as f64 + series.offset, value), tip))
    });
    let (points, tips): (Vec<(f64, f64)>, Vec<String>) = known.unzip();
    ScatterPlot::new()
        .with_data(points)
        .with_color(color)
        .with_marker(series.marker)
        .with_size(4.0)
        .with_tooltip_labels(tips)
        .into()
}
