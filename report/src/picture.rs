//! Images as PNG, within the page.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};

use crate::Error;
use crate::run::Sample;

/// An image as a `data:` address (RFC 2397): red, green and blue where it has
/// three channels, else its first channel as grey.
pub(crate) fn data_url(sample: &Sample<'_>) -> Result<String, Error> {
    let failed = |reason: String| Error::Picture {
        name: "image",
        reason,
    };
    let picture = picture(sample).ok_or_else(|| failed(format!("shape {:?}", sample.shape)))?;
    let mut png = Cursor::new(Vec::new());
    picture
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|error| failed(error.to_string()))?;
    Ok(format!(
        "data:image/png;base64,{}",
        STANDARD.encode(png.into_inner())
    ))
}

fn picture(sample: &Sample<'_>) -> Option<DynamicImage> {
    let [channels, height, width] = sample.shape;
    let plane = height.checked_mul(width)?;
    let (w, h) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    if channels == 3 {
        let interleaved = (0..plane).flat_map(|i| [0, 1, 2].map(|c| sample.pixels[c * plane + i]));
        return RgbImage::from_raw(w, h, interleaved.collect()).map(DynamicImage::ImageRgb8);
    }
    let grey = sample.pixels.get(..plane)?.to_vec();
    GrayImage::from_raw(w, h, grey).map(DynamicImage::ImageLuma8)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_red_green_and_blue() {
        let sample = Sample {
            shape: [3, 1, 2],
            pixels: &[1, 2, 3, 4, 5, 6],
            label: 0,
        };
        let picture = picture(&sample).unwrap();
        assert_eq!(picture.as_bytes(), [1, 3, 5, 2, 4, 6]);
    }

    #[test]
    fn address_holds_a_png_of_the_pixels() {
        let sample = Sample {
            shape: [1, 2, 2],
            pixels: &[0, 255, 128, 7],
            label: 0,
        };
        let url = data_url(&sample).unwrap();
        let png = STANDARD
            .decode(url.strip_prefix("data:image/png;base64,").unwrap())
            .unwrap();
        let read = image::load_from_memory(&png).unwrap();
        assert_eq!(read.as_bytes(), sample.pixels);
    }
}
