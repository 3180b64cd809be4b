//! The page: everything in one file, which asks nothing of any network.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::calibration::{BINS, Calibration};
use crate::mistakes::{Mistake, most_confident};
use crate::picture::data_url;
use crate::plots::Plot;
use crate::run::{Epoch, Run, Sample, Times, Verification};
use crate::text::{grouped, percent, percent_or_dash, scientific};
use crate::{ClassMeasures, Error};

const STYLE: &str = include_str!("../templates/style.css");
const SCRIPT: &str = include_str!("../templates/script.js");
/// Between these stands what is never the same twice; the template has them.
const TIMES: [&[u8]; 2] = [b"<!-- times -->", b"<!-- end of times -->"];
/// How many mistakes are shown.
const MISTAKES: usize = 24;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    run: &'a Run<'a>,
    /// Of the script, the only one that the page may run.
    script_digest: String,
    style: &'static str,
    script: &'static str,
    summary: Vec<(&'static str, String)>,
    /// Whether there is an epoch, and not only what was before the first.
    trained: bool,
    epochs: Vec<[String; 7]>,
    classes: Vec<[String; 5]>,
    calibration_error: String,
    bins: usize,
    mistake_count: String,
    mistakes: Vec<Tile>,
    samples: Vec<Tile>,
    times: Vec<(&'static str, String)>,
    verification: Option<Vec<(&'static str, String)>>,
    plots: &'a [Plot],
}

/// An image with what is said of it.
struct Tile {
    url: String,
    lines: Vec<String>,
    about: String,
}

/// The whole page.
pub(crate) fn render(
    run: &Run<'_>,
    calibration: &Calibration,
    plots: &[Plot],
) -> Result<String, Error> {
    let evaluation = &run.evaluation;
    let mistakes = most_confident(evaluation, MISTAKES);
    let wrong = evaluation.answers().count() as u64 - right(run);
    let page = Page {
        run,
        script_digest: STANDARD.encode(Sha256::digest(SCRIPT)),
        style: STYLE,
        script: SCRIPT,
        summary: summary(run, calibration),
        trained: run.history.iter().any(|epoch| epoch.epoch > 0),
        epochs: run.history.iter().map(|epoch| row(run, epoch)).collect(),
        classes: evaluation.classes.iter().map(class_row).collect(),
        calibration_error: percent(calibration.error),
        bins: BINS,
        mistake_count: grouped(wrong),
        mistakes: tiles(mistakes.iter().map(|mistake| mistake_tile(run, mistake)))?,
        samples: tiles(run.samples.iter().map(|sample| sample_tile(run, sample)))?,
        times: times(&run.times),
        verification: run.verification.as_ref().map(verification),
        plots,
    };
    Ok(page.render()?)
}

/// The page without its times.
pub(crate) fn without_times(page: &[u8]) -> Vec<u8> {
    let find = |mark: &[u8]| page.windows(mark.len()).position(|window| window == mark);
    match TIMES.map(find) {
        [Some(start), Some(end)] if start < end => [&page[..start], &page[end..]].concat(),
        _ => page.to_vec(),
    }
}

impl Page<'_> {
    /// The plot of that name, as an element of the page.
    fn plot(&self, name: &str) -> String {
        let plot = self.plots.iter().find(|plot| plot.name == name);
        plot.map_or_else(String::new, Plot::element)
    }
}

fn right(run: &Run<'_>) -> u64 {
    let rows = run.evaluation.confusion.iter().enumerate();
    rows.map(|(class, counts)| counts[class]).sum()
}

fn summary(run: &Run<'_>, calibration: &Calibration) -> Vec<(&'static str, String)> {
    let evaluation = &run.evaluation;
    let parameters = grouped(run.parameters as u64);
    let mut summary = vec![
        ("accuracy", percent(evaluation.accuracy)),
        ("loss (nats)", format!("{:.4}", evaluation.loss)),
        ("calibration error", percent(calibration.error)),
        ("test images", grouped(evaluation.images.len() as u64)),
        ("parameters", parameters),
    ];
    if let Some(verification) = run.verification {
        let difference = scientific(verification.max_difference);
        summary.push(("ONNX and Burn differ by", difference));
    }
    summary
}

/// Of the table of epochs; the first cell marks the epoch that was exported.
fn row(run: &Run<'_>, epoch: &Epoch) -> [String; 7] {
    let exported = epoch.epoch == run.exported_epoch;
    [
        if exported { "exported" } else { "" }.to_owned(),
        epoch.epoch.to_string(),
        format!("{:.4}", epoch.train_loss),
        percent(epoch.train_accuracy),
        format!("{:.4}", epoch.validation_loss),
        percent(epoch.validation_accuracy),
        scientific(epoch.learning_rate),
    ]
}

fn class_row(class: &ClassMeasures) -> [String; 5] {
    [
        class.name.clone(),
        percent_or_dash(class.precision),
        percent_or_dash(class.recall),
        percent_or_dash(class.f1),
        grouped(class.support),
    ]
}

fn tiles(tiles: impl Iterator<Item = Result<Tile, Error>>) -> Result<Vec<Tile>, Error> {
    tiles.collect()
}

fn mistake_tile(run: &Run<'_>, mistake: &Mistake) -> Result<Tile, Error> {
    let name = |class: usize| run.evaluation.classes[class].name.as_str();
    let said = format!(
        "{} {}",
        name(mistake.predicted),
        percent(mistake.confidence)
    );
    let is = format!(
        "is {} {}",
        name(mistake.label),
        percent(mistake.probability)
    );
    Ok(Tile {
        url: data_url(&run.evaluation.picture(mistake.image))?,
        about: format!("test image {}: {said}, {is}", mistake.image),
        lines: vec![said, is, format!("image {}", mistake.image)],
    })
}

fn sample_tile(run: &Run<'_>, sample: &Sample<'_>) -> Result<Tile, Error> {
    let name = &run.evaluation.classes[usize::from(sample.label)].name;
    Ok(Tile {
        url: data_url(sample)?,
        about: name.clone(),
        lines: vec![name.clone()],
    })
}

fn times(times: &Times) -> Vec<(&'static str, String)> {
    let speed = |speed: f64| format!("{} images/s", grouped(speed.round() as u64));
    let speeds = &times.training_images_per_second;
    let mean = speeds.iter().sum::<f64>() / speeds.len().max(1) as f64;
    let training = (!speeds.is_empty()).then_some(mean);
    [
        (
            "training",
            times.training_seconds.map(|s| format!("{s:.1} s")),
        ),
        ("training, mean of the epochs", training.map(speed)),
        ("evaluation", times.evaluated_images_per_second.map(speed)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

fn verification(verification: &Verification) -> Vec<(&'static str, String)> {
    let grouped = |images: usize| grouped(images as u64);
    vec![
        (
            "images, all with equal labels",
            grouped(verification.images),
        ),
        (
            "largest difference of two logits",
            scientific(verification.max_difference),
        ),
        ("accepted", scientific(verification.tolerance)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_left_out_and_nothing_else() {
        let page = |times| format!("a<!-- times -->{times}<!-- end of times -->b").into_bytes();
        assert_eq!(without_times(&page("1 s")), without_times(&page("2 s")));
        assert_eq!(without_times(b"a"), b"a");
        let without = without_times(&page("1 s"));
        assert_eq!(without, b"a<!-- end of times -->b");
    }
}
