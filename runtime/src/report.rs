//! An evaluation as text for people.

use std::fmt::{self, Formatter};

use crate::confusion::{ClassMeasures, Confusion};
use crate::evaluate::Evaluation;
use crate::text::grouped;

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let accuracy = 100.0 * self.accuracy;
        let (correct, total) = (grouped(self.correct), grouped(self.total));
        writeln!(f, "accuracy   {accuracy:.2}% ({correct} of {total} images)")?;
        writeln!(f, "loss       {:.4}", self.loss)?;
        writeln!(f, "provider   {}", self.provider)?;
        if let Some(speed) = self.speed {
            let (seconds, batch) = (speed.seconds, self.batch);
            let speed = grouped(speed.images_per_second.round() as u64);
            writeln!(
                f,
                "speed      {speed} images/s ({seconds:.2} s, batches of {batch})"
            )?;
        }
        writeln!(f)?;
        write_classes(f, &self.classes)?;
        writeln!(f)?;
        write_confusion(f, &self.classes, &self.confusion)
    }
}

fn write_classes(f: &mut Formatter<'_>, classes: &[ClassMeasures]) -> fmt::Result {
    let width = name_width(classes).max("class".len());
    writeln!(f, "{:width$}  precision  recall      F1  images", "class")?;
    for measures in classes {
        let ClassMeasures { class, support, .. } = measures;
        let [precision, recall, f1] =
            [measures.precision, measures.recall, measures.f1].map(percent);
        writeln!(
            f,
            "{class:width$}  {precision:>9}  {recall:>6}  {f1:>6}  {support:>6}"
        )?;
    }
    Ok(())
}

/// Columns are numbered, as names are too long for them; so are rows, unless
/// the names are those numbers. Zeros are dots, so that the mistakes stand out.
fn write_confusion(
    f: &mut Formatter<'_>,
    classes: &[ClassMeasures],
    confusion: &Confusion,
) -> fmt::Result {
    writeln!(
        f,
        "confusion matrix (row: true class, column: predicted class)"
    )?;
    let titles = row_titles(classes);
    let width = titles.iter().map(|title| title.chars().count()).max();
    let width = width.unwrap_or(0);
    let counts = confusion.rows().iter().flatten().copied();
    let largest = counts.chain([classes.len() as u64]).max().unwrap_or(0);
    let cell = largest.to_string().len() + 1;
    write!(f, "{:width$} ", "")?;
    (0..classes.len()).try_for_each(|column| write!(f, "{column:>cell$}"))?;
    writeln!(f)?;
    for (title, row) in titles.iter().zip(confusion.rows()) {
        write!(f, "{title:width$} ")?;
        for &count in row {
            match count {
                0 => write!(f, "{:>cell$}", "·")?,
                _ => write!(f, "{count:>cell$}")?,
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

/// The class of each row: its number, and its name where that is another.
fn row_titles(classes: &[ClassMeasures]) -> Vec<String> {
    let numbered = classes.iter().enumerate();
    let numbers = numbered
        .clone()
        .all(|(index, class)| class.class == index.to_string());
    let width = classes.len().saturating_sub(1).to_string().len();
    numbered
        .map(|(index, class)| match numbers {
            true => class.class.clone(),
            false => format!("{index:>width$}  {}", class.class),
        })
        .collect()
}

fn name_width(classes: &[ClassMeasures]) -> usize {
    let widths = classes.iter().map(|class| class.class.chars().count());
    widths.max().unwrap_or(0)
}

fn percent(part: Option<f64>) -> String {
    part.map_or_else(|| "–".to_owned(), |part| format!("{:.2}%", 100.0 * part))
}
