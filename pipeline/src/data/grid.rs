//! Samples side by side: a PNG with their labels, or strips for a terminal,
//! which writes the labels itself.

use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use kuva::backend::png::PngBackend;
use kuva::render::render::{Primitive, Scene, TextAnchor};

use runtime::text::{padded, shortened};

use super::Sample;

/// A grid that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the grid of samples cannot be drawn: {0}")]
pub struct GridError(String);

/// Pixels that a sample's larger side takes in the PNG, at the least.
const TILE: u32 = 84;
/// Pixels between two samples.
const GAP: u32 = 10;
/// Height of a label.
const LABEL: u32 = 18;
const TEXT: u32 = 12;
/// The mean width of a character of 12 pixels, in tenths of a pixel.
const CHARACTER: u32 = 68;
/// Samples in a row of the PNG.
const ACROSS: usize = 10;

/// A PNG with the samples in rows of ten and their labels under them.
///
/// # Errors
///
/// When the text cannot be drawn or the PNG not be encoded.
pub fn png(samples: &[Sample]) -> Result<Vec<u8>, GridError> {
    let (width, height) = tile(samples, TILE);
    let across = samples.len().clamp(1, ACROSS) as u32;
    let down = samples.len().div_ceil(ACROSS).max(1) as u32;
    let place = |index: usize| {
        let (row, column) = ((index / ACROSS) as u32, (index % ACROSS) as u32);
        (
            GAP + column * (width + GAP),
            GAP + row * (height + LABEL + GAP),
        )
    };
    let size = (
        GAP + across * (width + GAP),
        GAP + down * (height + LABEL + GAP),
    );
    let fits = ((width + GAP - 2) * 10 / CHARACTER) as usize;
    let labels = samples.iter().enumerate().map(|(index, sample)| {
        let (x, y) = place(index);
        Primitive::Text {
            x: f64::from(x) + f64::from(width) / 2.0,
            y: f64::from(y + height + LABEL - 5),
            content: shortened(&sample.label, fits),
            size: TEXT,
            anchor: TextAnchor::Middle,
            rotate: None,
            bold: false,
            color: None,
        }
    });
    let mut grid = paper(size, labels.collect())?;
    for (index, sample) in samples.iter().enumerate() {
        let (x, y) = place(index);
        let picture = sample.picture.to_rgb8();
        let picture = imageops::resize(&picture, width, height, FilterType::Nearest);
        imageops::replace(&mut grid, &picture, i64::from(x), i64::from(y));
    }
    let mut bytes = Cursor::new(Vec::new());
    grid.write_to(&mut bytes, ImageFormat::Png)
        .map_err(|error| GridError(error.to_string()))?;
    Ok(bytes.into_inner())
}

/// White paper with text on it.
fn paper((width, height): (u32, u32), text: Vec<Primitive>) -> Result<RgbImage, GridError> {
    let mut scene = Scene::new(f64::from(width), f64::from(height));
    scene.background_color = Some("white".to_owned());
    scene.elements = text;
    let png = PngBackend::new()
        .with_scale(1.0)
        .render_scene(&scene)
        .map_err(GridError)?;
    let paper = image::load_from_memory_with_format(&png, ImageFormat::Png)
        .map_err(|error| GridError(error.to_string()))?;
    Ok(paper.into_rgb8())
}

/// Rows of up to `across` samples for a terminal: each a picture, and its line
/// of labels where a sample takes `columns` cells.
pub fn strips(samples: &[Sample], across: usize, columns: usize) -> Vec<(DynamicImage, String)> {
    // At least a pixel for each cell, else the terminal would not fill it.
    let (width, height) = tile(samples, columns as u32);
    let gap = width.div_ceil(8);
    let strip = |row: &[Sample]| {
        let length = row.len() as u32 * (width + gap);
        let mut strip = RgbImage::from_pixel(length, height, Rgb([255; 3]));
        for (x, sample) in (0..).step_by((width + gap) as usize).zip(row) {
            let picture = sample.picture.to_rgb8();
            let picture = imageops::resize(&picture, width, height, FilterType::Nearest);
            imageops::replace(&mut strip, &picture, x, 0);
        }
        let labels: String = row
            .iter()
            .map(|sample| padded(&shortened(&sample.label, columns - 1), columns))
            .collect();
        (strip.into(), labels.trim_end().to_owned())
    };
    samples.chunks(across.max(1)).map(strip).collect()
}

/// Width and height of a sample, enlarged by a whole number until its larger
/// side has `least` pixels.
fn tile(samples: &[Sample], least: u32) -> (u32, u32) {
    let (width, height) = samples.first().map_or((1, 1), |sample| {
        (sample.picture.width(), sample.picture.height())
    });
    let factor = least.div_ceil(width.max(height).max(1)).max(1);
    (factor * width, factor * height)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use image::GrayImage;

    use super::*;

    fn samples(count: usize) -> Vec<Sample> {
        let picture = GrayImage::from_pixel(28, 28, image::Luma([100]));
        let sample = |index: usize| Sample {
            picture: picture.clone().into(),
            label: format!("class {index}"),
        };
        (0..count).map(sample).collect()
    }

    #[test]
    fn png_has_every_sample_and_text_under_it() {
        let grid = image::load_from_memory(&png(&samples(12)).unwrap()).unwrap();
        let grid = grid.into_rgb8();
        assert_eq!(grid.dimensions(), (10 + 10 * 94, 10 + 2 * 112));
        for (x, y) in [(10, 10), (10 + 9 * 94, 10), (10 + 94, 10 + 112)] {
            assert_eq!(grid.get_pixel(x, y).0, [100; 3]);
            let under = (x..x + 84).flat_map(|x| (y + 84..y + 102).map(move |y| (x, y)));
            let dark = under.filter(|&(x, y)| grid.get_pixel(x, y).0[0] < 128);
            assert!(dark.count() > 20, "no text under ({x}, {y})");
        }
        // Where there is no thirteenth.
        assert_eq!(grid.get_pixel(10 + 2 * 94, 10 + 112).0, [255; 3]);
    }

    #[test]
    fn strips_hold_all_samples_with_labels_in_their_columns() {
        let strips = strips(&samples(7), 5, 8);
        assert_eq!(strips.len(), 2);
        assert_eq!(strips[1].1, "class 5 class 6");
        assert_eq!(strips[0].0.width(), 5 * 32);
    }

    #[test]
    fn long_labels_are_shortened() {
        assert_eq!(shortened("T-shirt/top", 11), "T-shirt/top");
        assert_eq!(shortened("T-shirt/top", 8), "T-shirt…");
    }
}
