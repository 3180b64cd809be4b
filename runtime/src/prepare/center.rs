//! Digits where MNIST has them.
//!
//! "The images were size normalized to fit in a 20x20 pixel box while preserving
//! their aspect ratio. […] The images were centered in a 28x28 image by computing
//! the center of mass of the pixels, and translating the image so as to position
//! this point at the center of the 28x28 field."
//! (LeCun, Cortes, Burges: <http://yann.lecun.com/exdb/mnist/>)

use image::GrayImage;
use image::imageops::{self, FilterType};

/// The box and the image that it lies in.
const BOX: f32 = 20.0 / 28.0;

/// Light ink on a black ground of `size` (width, height). `ink` ends at its
/// outermost ink.
pub(super) fn center(ink: &GrayImage, size: (u32, u32)) -> GrayImage {
    let scale =
        (BOX * size.0 as f32 / ink.width() as f32).min(BOX * size.1 as f32 / ink.height() as f32);
    let fit = |side: u32| (side as f32 * scale).round().max(1.0) as u32;
    let (width, height) = (fit(ink.width()), fit(ink.height()));
    let small = imageops::resize(ink, width, height, FilterType::Triangle);
    let (x, y) = center_of_mass(&small);
    let mut out = GrayImage::new(size.0, size.1);
    let left = place(x, width, size.0);
    let top = place(y, height, size.1);
    imageops::replace(&mut out, &small, left.into(), top.into());
    out
}

/// Where something of `length` begins whose point `center` shall lie in the
/// middle of `whole`, without reaching out of it. The middle is that of pixel 14
/// of 28, as MNIST's centres of mass spread over that pixel, not around the
/// corner of four.
fn place(center: f32, length: u32, whole: u32) -> u32 {
    let middle = (whole / 2) as f32 + 0.5;
    let start = (middle - center).round().max(0.0) as u32;
    start.min(whole.saturating_sub(length))
}

/// In pixels from the left upper corner; a pixel's own centre is at a half.
fn center_of_mass(image: &GrayImage) -> (f32, f32) {
    let mut sum = [0.0_f64; 3];
    for (x, y, pixel) in image.enumerate_pixels() {
        let mass = f64::from(pixel.0[0]);
        sum[0] += mass;
        sum[1] += mass * (f64::from(x) + 0.5);
        sum[2] += mass * (f64::from(y) + 0.5);
    }
    let mass = sum[0].max(1.0);
    ((sum[1] / mass) as f32, (sum[2] / mass) as f32)
}
