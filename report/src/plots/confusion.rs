//! Which class was taken for which.

use kuva::plot::{ColorMap, Heatmap};
use kuva::render::color::Color;
use kuva::render::layout::{ComputedLayout, Layout};
use kuva::render::plots::Plot as Drawn;
use kuva::render::render::{Primitive, Scene, TextAnchor, render_multiple};

use super::Plot;
use super::look::{Axis, Look, class_labels, fit, text_width};
use crate::run::Evaluation;
use crate::text::{grouped, percent};

/// Width of the matrix.
const SIDE: f64 = 340.0;
/// Its size for many classes.
const LARGE_SIDE: f64 = 720.0;
/// The most classes of which cells without images say so, too: a page is slow with tens
/// of thousands of texts.
const TIPPED: usize = 64;
/// Of the counts; smaller ones are left out.
const SIZES: [u32; 6] = [12, 11, 10, 9, 8, 7];

/// Counts by true class (row) and predicted class (column), shaded by their
/// part of the row.
pub(super) fn confusion(evaluation: &Evaluation<'_>) -> Plot {
    Plot::new("confusion", "Confusion matrix", |look| {
        draw(look, evaluation)
    })
}

fn draw(look: &Look, evaluation: &Evaluation<'_>) -> Scene {
    let classes = evaluation.classes.len();
    let side = if classes <= 16 { SIDE } else { LARGE_SIDE };
    let layout = layout(look, evaluation, side);
    let computed = ComputedLayout::from_layout(&layout);
    let mut scene = render_multiple(vec![Drawn::Heatmap(heatmap(look, evaluation))], layout);
    ungroup_untitled(&mut scene.elements);
    counts(
        look,
        evaluation,
        &computed,
        side / classes as f64,
        &mut scene,
    );
    scene
}

/// Takes away the groups whose title is empty, and leaves what is in them.
fn ungroup_untitled(elements: &mut Vec<Primitive>) {
    let mut is_within = false;
    elements.retain(|element| match element {
        Primitive::GroupStart {
            title: Some(title), ..
        } if title.is_empty() => {
            is_within = true;
            false
        }
        Primitive::GroupEnd if is_within => {
            is_within = false;
            false
        }
        _ => true,
    });
}

/// Axes around a square of `side`.
fn layout(look: &Look, evaluation: &Evaluation<'_>, side: f64) -> Layout {
    let classes = evaluation.classes.len();
    let cell = side / classes as f64;
    let names = || evaluation.classes.iter().map(|class| class.name.as_str());
    let labels = class_labels(names(), cell);
    let range = (0.5, classes as f64 + 0.5);
    let axis = |name| Axis { name, range };
    let mut layout = look.layout(axis("predicted class"), axis("true class"));
    if !fit(&labels, cell) {
        layout = layout.with_x_tick_rotate(-45.0);
    }
    // Rows are counted from below.
    let rows = labels.iter().rev().cloned().collect();
    layout = layout
        .with_x_categories(labels)
        .with_y_categories(rows)
        .with_show_grid(false);
    let around = ComputedLayout::from_layout(&layout);
    layout
        .with_width(side + around.margin_left + around.margin_right)
        .with_height(side + around.margin_top + around.margin_bottom)
}

/// The cells: positive values are right answers, negative ones wrong.
fn heatmap(look: &Look, evaluation: &Evaluation<'_>) -> Heatmap {
    let rows = evaluation.confusion.iter().enumerate().rev();
    let shades: Vec<Vec<f64>> = rows
        .clone()
        .map(|(row, counts)| shades(row, counts))
        .collect();
    let all = || shades.iter().flatten().copied();
    let (low, high) = (
        all().fold(f64::INFINITY, f64::min),
        all().fold(f64::MIN, f64::max),
    );
    let colors = Shades {
        good: look.tints(look.good),
        bad: look.tints(look.bad),
    };
    let tips = rows.flat_map(|(row, counts)| tips(evaluation, row, counts));
    Heatmap::new()
        .with_tooltip_labels(tips.collect::<Vec<_>>())
        // kuva hands over the value's place between the lowest and the highest.
        .with_color_map(ColorMap::Custom(std::sync::Arc::new(move |place| {
            colors.of(low + place * (high - low))
        })))
        .with_data(shades)
}

/// Colours of cells, from none to all of the row.
struct Shades {
    good: Vec<String>,
    bad: Vec<String>,
}

/// How many shades of a colour there are.
const STEPS: usize = 100;

impl Look {
    fn tints(&self, color: &str) -> Vec<String> {
        let tint = |step: usize| self.tint(color, step as f64 / STEPS as f64);
        (0..=STEPS).map(tint).collect()
    }
}

impl Shades {
    fn of(&self, shade: f64) -> String {
        let tints = if shade < 0.0 { &self.bad } else { &self.good };
        let step = (shade.abs().min(1.0) * STEPS as f64).round() as usize;
        tints[step].clone()
    }
}

/// The root of each count's part of the row, so that a few mistakes among many
/// right answers can be seen; negative for mistakes.
fn shades(row: usize, counts: &[u64]) -> Vec<f64> {
    let total: u64 = counts.iter().sum();
    let shade = |(column, &count): (usize, &u64)| {
        if count == 0 {
            return 0.0;
        }
        let root = (count as f64 / total as f64).sqrt().max(0.08);
        if row == column { root } else { -root }
    };
    counts.iter().enumerate().map(shade).collect()
}

/// What each cell of a row says; nothing where there is no image among many classes.
fn tips(evaluation: &Evaluation<'_>, row: usize, counts: &[u64]) -> Vec<String> {
    let name = |class: usize| evaluation.classes[class].name.as_str();
    let total: u64 = counts.iter().sum();
    let tip = |(column, &count): (usize, &u64)| {
        if count == 0 && counts.len() > TIPPED {
            return String::new();
        }
        let part = percent(count as f64 / total.max(1) as f64);
        let (count, truth, predicted) = (grouped(count), name(row), name(column));
        format!("true class: {truth}\npredicted: {predicted}\n{count} images, {part} of the class")
    };
    counts.iter().enumerate().map(tip).collect()
}

/// Writes the counts that are not zero into the cells, where they have place.
fn counts(
    look: &Look,
    evaluation: &Evaluation<'_>,
    computed: &ComputedLayout,
    cell: f64,
    scene: &mut Scene,
) {
    let classes = evaluation.classes.len();
    let longest = evaluation.confusion.iter().flatten().max().copied();
    let longest = longest.unwrap_or_default().to_string();
    let fits = |&size: &u32| text_width(&longest, size) < cell && f64::from(size) < cell;
    let Some(size) = SIZES.into_iter().find(fits) else {
        return;
    };
    for (row, counts) in evaluation.confusion.iter().enumerate() {
        for (column, (&count, shade)) in counts.iter().zip(shades(row, counts)).enumerate() {
            if count == 0 {
                continue;
            }
            let color = if shade.abs() > 0.6 {
                look.surface
            } else {
                look.ink
            };
            scene.add(Primitive::Text {
                x: computed.map_x((column + 1) as f64),
                y: computed.map_y((classes - row) as f64) + 0.36 * f64::from(size),
                content: count.to_string(),
                size,
                anchor: TextAnchor::Middle,
                rotate: None,
                bold: false,
                color: Some(Color::from(color)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_without_a_title_are_taken_away() {
        let group = |title: &str| Primitive::GroupStart {
            transform: None,
            title: Some(title.to_owned()),
            extra_attrs: None,
        };
        let end = || Primitive::GroupEnd;
        let mut elements = vec![group(""), end(), group("a tip"), end(), group(""), end()];
        ungroup_untitled(&mut elements);
        let [Primitive::GroupStart { title, .. }, Primitive::GroupEnd] = &elements[..] else {
            panic!("{elements:?}");
        };
        assert_eq!(title.as_deref(), Some("a tip"));
    }

    #[test]
    fn mistakes_are_shaded_against_right_answers() {
        assert_eq!(shades(0, &[81, 19, 0]), [0.9, -(0.19_f64.sqrt()), 0.0]);
        assert_eq!(shades(1, &[0, 0, 0]), [0.0, 0.0, 0.0]);
    }
}
