//! How plots look, and what they have in common.

use std::collections::BTreeSet;
use std::sync::Arc;

use kuva::TickFormat;
use kuva::plot::{LegendEntry, LegendPosition, LegendShape};
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::render::{Scene, render_multiple};
use kuva::render::theme::Theme;

use crate::text::shortened;

/// Width of a plot: it fits a telephone without becoming small.
pub(super) const WIDTH: f64 = 390.0;
/// Height of a plot.
pub(super) const HEIGHT: f64 = 300.0;
/// Of the writing at ticks.
pub(super) const TICK_SIZE: u32 = 11;

/// Colours, and the title where nothing else says what is drawn.
pub(super) struct Look {
    /// Writing and axes.
    pub(super) ink: &'static str,
    /// Writing and lines of less weight.
    pub(super) muted: &'static str,
    /// Grid lines.
    pub(super) grid: &'static str,
    /// The ground.
    pub(super) surface: &'static str,
    /// Of up to three series.
    pub(super) series: [&'static str; 3],
    /// What is right.
    pub(super) good: &'static str,
    /// What is wrong.
    pub(super) bad: &'static str,
    title: Option<String>,
}

/// For the page, whose style sheet knows these variables.
pub(super) fn page() -> Look {
    Look {
        ink: "var(--ink)",
        muted: "var(--muted)",
        grid: "var(--grid)",
        surface: "var(--surface)",
        series: ["var(--first)", "var(--second)", "var(--third)"],
        good: "var(--good)",
        bad: "var(--bad)",
        title: None,
    }
}

/// For files, which may be looked at on any ground.
pub(super) fn file(title: &str) -> Look {
    Look {
        ink: "#1c2430",
        muted: "#5d6877",
        grid: "#e3e7ec",
        surface: "#ffffff",
        series: ["#2563c9", "#d9620f", "#2c8a57"],
        good: "#2563c9",
        bad: "#d9480f",
        title: Some(title.to_owned()),
    }
}

impl Look {
    /// An empty plot with the names of its axes.
    pub(super) fn layout(&self, x: Axis<'_>, y: Axis<'_>) -> Layout {
        let layout = Layout::new(x.range, y.range)
            .with_width(WIDTH)
            .with_height(HEIGHT)
            .with_theme(self.theme())
            .with_label_size(12)
            .with_tick_size(TICK_SIZE)
            .with_body_size(12)
            .with_x_label(x.name)
            .with_y_label(y.name);
        match &self.title {
            Some(title) => layout.with_title(title.clone()).with_title_size(14),
            None => layout,
        }
    }

    /// What is drawn, where nothing else says it.
    pub(super) fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    fn theme(&self) -> Theme {
        Theme {
            background: self.background().to_owned(),
            axis_color: self.muted.to_owned(),
            grid_color: self.grid.to_owned(),
            tick_color: self.muted.to_owned(),
            text_color: self.ink.to_owned(),
            ..Theme::light()
        }
    }

    /// What the plot stands on: the page has a ground of its own.
    pub(super) fn background(&self) -> &'static str {
        match self.title {
            Some(_) => self.surface,
            None => "none",
        }
    }

    /// `share` of `color`, and the rest of the ground.
    pub(super) fn tint(&self, color: &str, share: f64) -> String {
        match (rgb(color), rgb(self.surface)) {
            (Some(color), Some(ground)) => {
                let mix = |c: usize| {
                    let (color, ground) = (f64::from(color[c]), f64::from(ground[c]));
                    (ground + share * (color - ground)).round() as u8
                };
                format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
            }
            _ => format!(
                "color-mix(in srgb, {color} {:.0}%, {})",
                100.0 * share,
                self.surface
            ),
        }
    }
}

/// `#rrggbb`.
fn rgb(color: &str) -> Option<[u8; 3]> {
    let digits = color.strip_prefix('#')?;
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    Some([byte(0)?, byte(2)?, byte(4)?])
}

/// An axis: its name, with the unit, and its range.
#[derive(Clone, Copy)]
pub(super) struct Axis<'a> {
    pub(super) name: &'a str,
    pub(super) range: (f64, f64),
}

/// A range with place for the points at its ends.
pub(super) fn widened((low, high): (f64, f64)) -> (f64, f64) {
    let edge = if high > low { 0.04 * (high - low) } else { 0.5 };
    (low - edge, high + edge)
}

/// What kuva leaves empty below a legend.
const BELOW_LEGEND: f64 = 20.0;

/// Draws `plots`, without what a legend leaves empty.
pub(super) fn render(plots: Vec<Plot>, layout: Layout) -> Scene {
    let has_legend = layout.legend_entries.is_some();
    let mut scene = render_multiple(plots, layout);
    if has_legend {
        scene.height -= BELOW_LEGEND;
    }
    scene
}

/// The legend, below the plot.
pub(super) fn with_legend(layout: Layout, entries: &[(&str, &str, LegendShape)]) -> Layout {
    let entry = |&(label, color, shape): &(&str, &str, LegendShape)| LegendEntry {
        label: label.to_owned(),
        color: color.to_owned(),
        shape,
        dasharray: None,
    };
    let height = layout.height.unwrap_or(HEIGHT);
    layout
        .with_height(height + BELOW_LEGEND)
        .with_legend_entries(entries.iter().map(entry).collect())
        .with_legend_position(LegendPosition::OutsideBottomColumns)
        .with_legend_box(false)
}

/// 0 to 1 in per cent, with as many decimals as it takes.
pub(super) fn percent_ticks() -> TickFormat {
    TickFormat::Custom(Arc::new(|part| {
        let text = format!("{:.2}", 100.0 * part);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        format!("{text}%")
    }))
}

/// Text that is drawn as it is: between dollars, kuva would read mathematics.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "\\$")
}

/// Class names as labels of an axis: shortened, with their numbers before them
/// if they are not told apart then, and only as many as there is place for, each
/// with `pixels`.
pub(super) fn class_labels<'a>(names: impl Iterator<Item = &'a str>, pixels: f64) -> Vec<String> {
    let every = (f64::from(TICK_SIZE + 3) / pixels).ceil().max(1.0) as usize;
    let names: Vec<&str> = names.collect();
    let short = names.iter().map(|name| shortened(name, LABEL));
    let distinct = short.collect::<BTreeSet<_>>().len() == names.len();
    let label = |(index, name): (usize, &&str)| match (index % every, distinct) {
        (0, true) => literal(&shortened(name, LABEL)),
        (0, false) => literal(&shortened(&format!("{index} {name}"), LABEL)),
        _ => String::new(),
    };
    names.iter().enumerate().map(label).collect()
}

/// The most characters of a label.
const LABEL: usize = 14;

/// Whether labels fit side by side, each in `pixels`.
pub(super) fn fit(labels: &[String], pixels: f64) -> bool {
    labels
        .iter()
        .all(|label| text_width(label, TICK_SIZE) < pixels)
}

/// Width of a text, generously, in a sans-serif such as DejaVu Sans.
pub(super) fn text_width(text: &str, size: u32) -> f64 {
    0.65 * f64::from(size) * text.chars().count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tints_lie_between_the_ground_and_the_colour() {
        let look = file("");
        assert_eq!(look.tint("#000000", 0.0), look.surface);
        assert_eq!(look.tint("#2563c9", 1.0), "#2563c9");
        assert_eq!(look.tint("#000000", 0.5), "#808080");
        assert_eq!(
            page().tint("var(--good)", 0.25),
            "color-mix(in srgb, var(--good) 25%, var(--surface))"
        );
    }

    #[test]
    fn labels_are_thinned_where_they_would_overlap() {
        let labels = class_labels(["a", "b", "c", "d"].into_iter(), 7.0);
        assert_eq!(labels, ["a", "", "c", ""]);
        assert_eq!(class_labels(["$x$"].into_iter(), 40.0), ["\\$x\\$"]);
    }

    #[test]
    fn names_that_begin_alike_are_told_apart_by_their_numbers() {
        let names = ["golden retriever, young", "golden retriever, old"];
        let labels = class_labels(names.into_iter(), 40.0);
        assert_eq!(labels, ["0 golden retr…", "1 golden retr…"]);
    }
}
