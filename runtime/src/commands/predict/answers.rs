//! Predictions for people and for programs.

use std::fmt;

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, Rgb, RgbImage};
use runtime::text::{bar, columns, padded, widest};
use runtime::{Prediction, Ranked, picture};
use serde::Serialize;

use super::{Args, Ready};

/// With more pictures than these, each has a line instead of bars.
const FEW: usize = 8;

/// The characters of a bar of 100%.
const BAR: f64 = 30.0;

/// The height in pixels at which pictures are shown: twelve lines.
const SHOWN: u32 = 24;

/// What a picture is taken for.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    file: String,
    label: String,
    probability: f64,
    inverted: bool,
    centered: bool,
    /// The most probable classes.
    top: Prediction,
    /// The picture, and beside it what the model sees of it.
    #[serde(skip)]
    shown: DynamicImage,
}

impl Answer {
    pub(super) fn new(ready: Ready, prediction: Prediction, input: [usize; 3]) -> Self {
        // A model names at least one class.
        let best = prediction.ranking.first();
        let (label, probability) = best
            .map(|best| (best.class.clone(), best.probability))
            .unwrap_or_default();
        Self {
            file: ready.name,
            label,
            probability,
            inverted: ready.prepared.inverted,
            centered: ready.prepared.centered,
            top: prediction,
            shown: beside(&ready.thumbnail, &seen(&ready.prepared.pixels, input)),
        }
    }
}

/// Prints answers as they come, or all together as JSON.
pub(super) struct Printer {
    json: bool,
    pictures: bool,
    top: Option<usize>,
    many: bool,
    kept: Vec<Answer>,
}

impl Printer {
    pub(super) fn new(args: &Args, pictures: usize) -> Self {
        let many = pictures > FEW;
        Self {
            json: args.json,
            pictures: !(args.no_picture || args.json || many),
            top: args.top.map(usize::from),
            many,
            kept: Vec::new(),
        }
    }

    pub(super) fn print(&mut self, mut answer: Answer) -> anyhow::Result<()> {
        let line = self.many && self.top.is_none() && !self.json;
        let top = self.top.unwrap_or(10);
        answer.top.ranking.truncate(top);
        if self.json {
            self.kept.push(answer);
            return Ok(());
        }
        if self.pictures {
            let width = answer.shown.width();
            output::ended(picture::show(&answer.shown, width).map(drop))?;
        }
        let text = if line {
            Line(&answer).to_string()
        } else {
            Bars(&answer).to_string()
        };
        output::write(&text)
    }

    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self.json {
            true => output::print_json(&self.kept),
            false => Ok(()),
        }
    }
}

/// The picture's name, its class and how sure that is.
struct Line<'a>(&'a Answer);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answer {
            file,
            label,
            probability,
            ..
        } = self.0;
        writeln!(f, "{:>7}  {label}  {file}", percent(*probability))
    }
}

/// The same, and a bar for each class.
struct Bars<'a>(&'a Answer);

impl fmt::Display for Bars<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answer { file, label, .. } = self.0;
        let done = match (self.0.inverted, self.0.centered) {
            (false, false) => "",
            (true, false) => " (dark and light exchanged)",
            (false, true) => " (centred)",
            (true, true) => " (dark and light exchanged, centred)",
        };
        writeln!(f, "{file}: {label}{done}")?;
        let ranking = &self.0.top.ranking;
        let width = widest(ranking.iter().map(|ranked| ranked.class.as_str()));
        let room = columns().saturating_sub("    100.00%  ".len() + width);
        for Ranked { class, probability } in ranking {
            let (bar, percent) = (
                bar(*probability, BAR.min(room as f64)),
                percent(*probability),
            );
            let class = padded(class, width);
            writeln!(f, "  {class}  {percent:>7}  {bar}")?;
        }
        writeln!(f)
    }
}

fn percent(probability: f64) -> String {
    format!("{:.2}%", 100.0 * probability)
}

/// What the model sees: its input [channels, height, width], as a picture.
fn seen(pixels: &[u8], [channels, height, width]: [usize; 3]) -> DynamicImage {
    let (width, height) = (width as u32, height as u32);
    if channels == 1 {
        let grey = GrayImage::from_raw(width, height, pixels.to_vec());
        return grey.unwrap_or_default().into();
    }
    let plane = pixels.len() / channels;
    let rgb = RgbImage::from_fn(width, height, |x, y| {
        let index = (y * width + x) as usize;
        Rgb(std::array::from_fn(|channel| {
            pixels[channel * plane + index]
        }))
    });
    rgb.into()
}

/// The thumbnail of a picture and what the model sees of it, side by side.
fn beside(picture: &RgbImage, seen: &DynamicImage) -> DynamicImage {
    let seen = thumbnail(seen);
    let gap = SHOWN / 6;
    let mut both = RgbImage::new(picture.width() + gap + seen.width(), SHOWN);
    imageops::replace(&mut both, picture, 0, 0);
    let right = picture.width() + gap;
    imageops::replace(&mut both, &seen, right.into(), 0);
    both.into()
}

/// The picture at a height of [`SHOWN`] and no wider than twice that.
pub(super) fn thumbnail(picture: &DynamicImage) -> RgbImage {
    let width = f64::from(picture.width()) * f64::from(SHOWN) / f64::from(picture.height());
    let width = (width.round() as u32).clamp(1, 2 * SHOWN);
    let small = picture.resize_exact(width, SHOWN, FilterType::Triangle);
    small.into_rgb8()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_colours() {
        let picture = seen(&[1, 2, 3, 4, 5, 6], [3, 1, 2]);
        assert_eq!(picture.as_bytes(), &[1, 3, 5, 2, 4, 6]);
        assert_eq!(seen(&[7, 8], [1, 1, 2]).as_bytes(), &[7, 8]);
    }
}
