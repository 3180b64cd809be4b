//! Pictures brought to the one size that a network takes.

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};

use crate::Fit;
use crate::picture::grey;

/// The pixels of `picture`, which has 8 bits, as `shape` [channels, height, width],
/// row-major: [`grey`] with one channel, else red, green and blue.
///
/// # Panics
///
/// When `shape` has neither 1 nor 3 channels.
pub fn fitted_pixels(picture: &DynamicImage, shape: [usize; 3], fit: Fit) -> Vec<u8> {
    let [channels, height, width] = shape;
    assert!(channels == 1 || channels == 3, "channels of a picture");
    let (width, height) = (width as u32, height as u32);
    if channels == 1 {
        // Fewer channels first, so that there is less to resize.
        let resized = match picture {
            DynamicImage::ImageLuma8(_) => fitted(picture, width, height, fit),
            colours => fitted(&grey(colours).into(), width, height, fit),
        };
        return resized.into_luma8().into_raw();
    }
    let resized = fitted(picture, width, height, fit).into_rgb8();
    let plane = |channel: usize| resized.pixels().map(move |pixel| pixel.0[channel]);
    (0..3).flat_map(plane).collect()
}

/// The image of `shape` [channels, height, width] with these pixels: with one
/// channel grey, else its first three as red, green and blue.
///
/// # Panics
///
/// When there are fewer pixels than that, or two channels.
pub fn as_picture(pixels: &[u8], shape: [usize; 3]) -> DynamicImage {
    let [channels, height, width] = shape;
    let (plane, size) = (height * width, (width as u32, height as u32));
    if channels == 1 {
        let at = |x: u32, y: u32| Luma([pixels[y as usize * width + x as usize]]);
        return GrayImage::from_fn(size.0, size.1, at).into();
    }
    let at = |x: u32, y: u32| {
        let place = y as usize * width + x as usize;
        Rgb([0, 1, 2].map(|channel| pixels[channel * plane + place]))
    };
    RgbImage::from_fn(size.0, size.1, at).into()
}

fn fitted(picture: &DynamicImage, width: u32, height: u32, fit: Fit) -> DynamicImage {
    if (picture.width(), picture.height()) == (width, height) {
        return picture.clone();
    }
    // Triangle: bilinear, over all pixels that become one.
    match fit {
        Fit::Stretch => picture.resize_exact(width, height, FilterType::Triangle),
        Fit::Crop => {
            // Cut first: the whole of a narrow picture would be resized to one that is
            // thousands of times as large as what is kept of it.
            let [x, y, cut_width, cut_height] = middle(picture, width, height);
            let cut = picture.crop_imm(x, y, cut_width, cut_height);
            cut.resize_exact(width, height, FilterType::Triangle)
        }
        Fit::Pad => {
            let inner = picture.resize(width, height, FilterType::Triangle);
            let mut padded = DynamicImage::new(width, height, inner.color());
            let (x, y) = (width - inner.width(), height - inner.height());
            imageops::overlay(&mut padded, &inner, i64::from(x / 2), i64::from(y / 2));
            padded
        }
    }
}

/// The largest rectangle in the middle of `picture` with the proportions of `width` to
/// `height`, to the nearest pixel: left, top, width, height.
fn middle(picture: &DynamicImage, width: u32, height: u32) -> [u32; 4] {
    let (whole_width, whole_height) = (picture.width(), picture.height());
    let cut_width = proportional(whole_height, width, height, whole_width);
    let cut_height = proportional(whole_width, height, width, whole_height);
    let (x, y) = (whole_width - cut_width, whole_height - cut_height);
    [x / 2, y / 2, cut_width, cut_height]
}

/// What is to `other` as `side` is to `other_side`, from 1 to `limit`.
fn proportional(other: u32, side: u32, other_side: u32, limit: u32) -> u32 {
    let (side, other_side) = (u64::from(side), u64::from(other_side));
    let rounded = (u64::from(other) * side + other_side / 2) / other_side;
    rounded.clamp(1, u64::from(limit)) as u32
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn picture_of_the_wanted_size_is_not_touched() {
        let ramp = GrayImage::from_fn(28, 28, |x, y| Luma([(9 * x + y / 7) as u8]));
        let picture = DynamicImage::from(ramp);
        let grey = picture.to_luma8().into_raw();
        for fit in [Fit::Stretch, Fit::Crop, Fit::Pad] {
            assert_eq!(fitted_pixels(&picture, [1, 28, 28], fit), grey);
            let planes = fitted_pixels(&picture, [3, 28, 28], fit);
            assert_eq!(planes, grey.repeat(3));
        }
    }

    #[test]
    fn channels_are_planes_of_red_green_and_blue() {
        let picture = RgbImage::from_pixel(4, 2, Rgb([10, 20, 30]));
        let planes = fitted_pixels(&picture.into(), [3, 2, 2], Fit::Stretch);
        assert_eq!(planes, [10, 10, 10, 10, 20, 20, 20, 20, 30, 30, 30, 30]);
    }

    #[test]
    fn pixels_become_the_picture_that_they_were_taken_from() {
        let picture = RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8, y as u8, 7]));
        let picture = DynamicImage::from(picture);
        let planes = fitted_pixels(&picture, [3, 2, 3], Fit::Stretch);
        assert_eq!(as_picture(&planes, [3, 2, 3]), picture);
        assert_eq!(as_picture(&[5], [1, 1, 1]).as_bytes(), [5]);
    }

    #[test]
    fn padding_is_black_at_both_sides_and_cropping_takes_the_middle() {
        let white = DynamicImage::from(GrayImage::from_pixel(4, 8, Luma([255])));
        let row = |fit| fitted_pixels(&white, [1, 4, 4], fit)[..4].to_vec();
        assert_eq!(row(Fit::Pad), [0, 255, 255, 0]);
        assert_eq!(row(Fit::Crop), [255; 4]);
        assert_eq!(row(Fit::Stretch), [255; 4]);
    }

    #[test]
    fn what_is_cut_has_the_proportions_of_the_image_and_lies_in_the_middle() {
        let cut = |sides: (u32, u32), image: (u32, u32)| {
            middle(&GrayImage::new(sides.0, sides.1).into(), image.0, image.1)
        };
        assert_eq!(cut((640, 480), (64, 64)), [80, 0, 480, 480]);
        assert_eq!(cut((480, 641), (64, 64)), [0, 80, 480, 480]);
        assert_eq!(cut((100, 100), (3, 2)), [0, 16, 100, 67]);
        assert_eq!(cut((3, 2), (300, 200)), [0, 0, 3, 2]);
        assert_eq!(cut((1, 1000), (28, 28)), [0, 499, 1, 1]);
        assert_eq!(cut((1000, 1), (1, 4000)), [499, 0, 1, 1]);
    }

    /// To cover the image, the whole picture would take 800 GB.
    #[test]
    fn narrow_picture_is_cut_before_it_is_resized() {
        let (short, long) = (1, 1 << 14);
        for (width, height) in [(short, long), (long, short)] {
            let band = |x, y| Luma([if x + y == (long - 1) / 2 { 7 } else { 255 }]);
            let picture = GrayImage::from_fn(width, height, band).into();
            let pixels = fitted_pixels(&picture, [1, 4096, 4096], Fit::Crop);
            assert!(pixels.iter().all(|&pixel| pixel == 7));
        }
    }
}
