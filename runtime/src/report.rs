//! An evaluation as text for people.

use std::fmt::{self, Formatter};

use crate::confusion::{ClassMeasures, Confusion};
use crate::evaluate::Evaluation;

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let accuracy = 100.0 * self.accuracy;
        writeln!(
            f,
            "accuracy   {accuracy:.2}% ({} of {})",
            self.correct, self.total
        )?;
        writeln!(f, "loss       {:.4}", self.loss)?;
        writeln!(f, "provider   {}", self.provider)?;
        writeln!(
            f,
            "speed      {:.0} images/s ({:.2} s, batches of {})",
            self.images_per_second, self.seconds, self.batch
        )?;
        writeln!(f)?;
        write_classes(f, &self.classes)?;
        writeln!(f)?;
        write_confusion(f, &self.classes, &self.confusion)
    }
}

fn write_classes(f: &mut Formatter<'_>, classes: &[ClassMeasures]) -> fmt::Result {
    let width = name_width(classes).max("class".len());
    writeln!(f, "{:width$}  precision  recall      F1  images", "class")?;
    for class in classes {
        writeln!(
            f,
            "{}  {:>9}  {:>6}  {:>6}  {:>6}",
            pad(&class.class, width),
            percent(class.precision),
            percent(class.recall),
            percent(class.f1),
            class.support
        )?;
    }
    Ok(())
}

/// Zeros are dots, so that the mistakes stand out.
fn write_confusion(
    f: &mut Formatter<'_>,
    classes: &[ClassMeasures],
    confusion: &Confusion,
) -> fmt::Result {
    writeln!(
        f,
        "confusion matrix (row: true class, column: predicted class)"
    )?;
    let names = name_width(classes);
    let numbers = classes.len().saturating_sub(1).to_string().len();
    let largest = confusion
        .rows()
        .iter()
        .flatten()
        .max()
        .copied()
        .unwrap_or(0);
    let cell = largest.to_string().len().max(numbers) + 1;
    write!(f, "{:1$}", "", names + numbers + 2)?;
    (0..classes.len()).try_for_each(|column| write!(f, "{column:>cell$}"))?;
    writeln!(f)?;
    for (index, (class, row)) in classes.iter().zip(confusion.rows()).enumerate() {
        write!(f, "{}  {index:>numbers$}", pad(&class.class, names))?;
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

fn name_width(classes: &[ClassMeasures]) -> usize {
    let widths = classes.iter().map(|class| class.class.chars().count());
    widths.max().unwrap_or(0)
}

fn pad(text: &str, width: usize) -> String {
    format!("{text:width$}")
}

fn percent(part: Option<f64>) -> String {
    part.map_or_else(|| "–".to_owned(), |part| format!("{:.2}%", 100.0 * part))
}
