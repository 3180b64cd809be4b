//! An evaluation as text for people.

use std::fmt::{self, Formatter};

use crate::confusion::{ClassMeasures, Confusion};
use crate::evaluate::Evaluation;
use crate::text::{grouped, padded, widest};

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
    let names = classes.iter().map(|class| class.class.as_str());
    let width = widest(names.chain(["class"]));
    writeln!(f, "{:width$}  precision  recall      F1  images", "class")?;
    for measures in classes {
        let support = measures.support;
        let class = padded(&measures.class, width);
        let [precision, recall, f1] =
            [measures.precision, measures.recall, measures.f1].map(percent);
        writeln!(
            f,
            "{class}  {precision:>9}  {recall:>6}  {f1:>6}  {support:>6}"
        )?;
    }
    Ok(())
}

/// A confusion matrix of more classes is too wide to be read.
const MOST_COLUMNS: usize = 30;

/// Columns are numbered, as names are too long for them; so are rows, unless
/// the names are those numbers. Zeros are dots, so that the mistakes stand out.
fn write_confusion(
    f: &mut Formatter<'_>,
    classes: &[ClassMeasures],
    confusion: &Confusion,
) -> fmt::Result {
    if classes.len() > MOST_COLUMNS {
        let count = classes.len();
        return writeln!(f, "confusion matrix of {count} classes: only in the JSON");
    }
    writeln!(
        f,
        "confusion matrix (row: true class, column: predicted class)"
    )?;
    let titles = row_titles(classes);
    let width = widest(titles.iter().map(String::as_str));
    let counts = confusion.rows().iter().flatten().copied();
    let largest = counts.chain([classes.len() as u64]).max().unwrap_or(0);
    let cell = largest.to_string().len() + 1;
    write!(f, "{:width$} ", "")?;
    (0..classes.len()).try_for_each(|column| write!(f, "{column:>cell$}"))?;
    writeln!(f)?;
    for (title, row) in titles.iter().zip(confusion.rows()) {
        write!(f, "{} ", padded(title, width))?;
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

fn percent(part: Option<f64>) -> String {
    part.map_or_else(|| "–".to_owned(), |part| format!("{:.2}%", 100.0 * part))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` classes of such a name, of which nothing was found.
    fn shown(count: usize, name: impl Fn(usize) -> String) -> String {
        let class = |index| ClassMeasures {
            class: name(index),
            precision: None,
            recall: None,
            f1: None,
            support: 0,
        };
        let classes: Vec<_> = (0..count).map(class).collect();
        let confusion = Confusion::new(count);
        fmt::from_fn(|f| {
            write_classes(f, &classes)?;
            write_confusion(f, &classes, &confusion)
        })
        .to_string()
    }

    #[test]
    fn names_of_any_script_stand_in_columns() {
        let text = shown(2, |index| ["日本", "plain"][index].to_owned());
        let ends = text.lines().take(3).map(crate::text::width);
        assert_eq!(ends.collect::<Vec<_>>(), [40; 3], "{text}");
        assert!(text.contains("0  日本   · ·"), "{text}");
        assert!(text.contains("1  plain  · ·"), "{text}");
    }

    #[test]
    fn matrix_that_nobody_can_read_is_left_to_the_json() {
        let text = shown(120, |index| format!("class {index}"));
        assert!(text.ends_with("confusion matrix of 120 classes: only in the JSON\n"));
        assert!(text.lines().all(|line| line.len() < 80));
    }
}
