//! What is drawn on paper, in photographs too: with shadows, noise and paper
//! that is not white.

use image::imageops::{self, FilterType};
use image::{GrayImage, Luma};

/// The longer side of the picture in which ink is looked for: a stroke of
/// MNIST's is ten pixels wide in it, and what is finer is noise.
const SIDE: u32 = 128;

/// Nothing that is wider than this part of the longer side is a stroke.
const WIDEST: u32 = 3;

/// The least difference between ink and paper, as a part of the paper's
/// brightness: that of a hard pencil.
const CONTRAST: f32 = 0.1;

/// What is fainter than this is no edge of a stroke.
const EDGE: u8 = 13;

/// Paper is at least as bright as this; in the dark, noise would pass for ink.
const DARKEST: u8 = 64;

/// Spots smaller than this part of the largest one are dirt.
const SPOT: usize = 20;

/// The least width of a stroke, as a part of the longer side of what is drawn.
/// Those of MNIST are a tenth wide, one in five is thinner than this.
const STROKE: f32 = 1.0 / 13.0;

/// The ink of `picture`, dark on light, cut out: 255 where it is, 0 where the
/// paper shows. None where nothing is drawn.
pub(super) fn find(picture: &GrayImage) -> Option<GrayImage> {
    let picture = shrink(picture);
    let ink = darkening(&picture);
    let (paper, drawn) = two_levels(&ink)?;
    let level = |value: u8| (f32::from(value) - paper) / (drawn - paper);
    let mut out = GrayImage::new(ink.width(), ink.height());
    for (out, ink) in out.iter_mut().zip(ink.iter()) {
        *out = (255.0 * level(*ink)).clamp(0.0, 255.0) as u8;
    }
    let spots = spots(&out);
    keep_near(&mut out, &spots);
    let out = crop(&out)?;
    Some(thicken(&out))
}

/// At most [`SIDE`] pixels a side; each is the mean of those that it covers, so
/// that noise fades.
fn shrink(picture: &GrayImage) -> GrayImage {
    let longer = picture.width().max(picture.height());
    if longer <= SIDE {
        return picture.clone();
    }
    let fit = |side: u32| (u64::from(side) * u64::from(SIDE) / u64::from(longer)).max(1) as u32;
    let (width, height) = (fit(picture.width()), fit(picture.height()));
    imageops::resize(picture, width, height, FilterType::Triangle)
}

/// How much darker each pixel is than the paper around it, 255 for black. The
/// paper is the picture's morphological closing: what is left when everything
/// narrow and dark is filled from around it (a bottom-hat transform).
fn darkening(picture: &GrayImage) -> GrayImage {
    let radius = (picture.width().max(picture.height()) / WIDEST / 2).max(1);
    // The lightest of many noisy pixels is too light.
    let smooth = imageops::blur(picture, 1.0);
    let paper = window(&window(&smooth, radius, u8::max), radius, u8::min);
    let mut out = GrayImage::new(picture.width(), picture.height());
    for ((out, dark), paper) in out.iter_mut().zip(picture.iter()).zip(paper.iter()) {
        let darker = f32::from(paper.saturating_sub(*dark));
        *out = (255.0 * darker / f32::from((*paper).max(DARKEST))) as u8;
    }
    out
}

/// The `best` pixel of the square of `radius` around each, first along rows,
/// then along columns.
fn window(picture: &GrayImage, radius: u32, best: fn(u8, u8) -> u8) -> GrayImage {
    let along = |picture: &GrayImage| {
        GrayImage::from_fn(picture.height(), picture.width(), |y, x| {
            let range = x.saturating_sub(radius)..=(x + radius).min(picture.width() - 1);
            let pixels = range.map(|x| picture.get_pixel(x, y).0[0]);
            Luma([pixels.reduce(best).unwrap_or(0)])
        })
    };
    // Each pass turns the picture over.
    along(&along(picture))
}

/// The mean of the paper and the median of the ink, whose edges are soft, parted
/// by Otsu's threshold, which makes the variance between both the largest. None
/// where they hardly differ.
fn two_levels(ink: &GrayImage) -> Option<(f32, f32)> {
    let mut counts = [0_u64; 256];
    ink.iter()
        .for_each(|&value| counts[usize::from(value)] += 1);
    let weighted = |range: std::ops::Range<usize>| -> (f64, f64) {
        let count: u64 = counts[range.clone()].iter().sum();
        let sum: u64 = range.map(|value| counts[value] * value as u64).sum();
        (count as f64, sum as f64 / count.max(1) as f64)
    };
    let parts = (1..256).map(|threshold| {
        let ((below, paper), (above, drawn)) = (weighted(0..threshold), weighted(threshold..256));
        (below * above * (drawn - paper).powi(2), paper, threshold)
    });
    let parts = parts.filter(|(variance, ..)| *variance > 0.0);
    let (_, paper, threshold) = parts.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let drawn = median(&counts[threshold..])? + threshold;
    let (paper, drawn) = (paper as f32, drawn as f32);
    (drawn - paper > 255.0 * CONTRAST).then_some((paper, drawn))
}

/// The position by which half of all have been counted.
fn median(counts: &[u64]) -> Option<usize> {
    let half = counts.iter().sum::<u64>() / 2;
    let mut passed = 0;
    counts.iter().position(|count| {
        passed += count;
        passed > half
    })
}

/// The connected spots of ink that are no dirt, as a mask.
fn spots(ink: &GrayImage) -> Vec<bool> {
    let mut seen = vec![false; ink.as_raw().len()];
    let mut spots = Vec::new();
    for start in 0..seen.len() {
        let spot = flood(ink, start, &mut seen);
        if !spot.is_empty() {
            spots.push(spot);
        }
    }
    let largest = spots.iter().map(Vec::len).max().unwrap_or(0);
    let mut mask = vec![false; seen.len()];
    for spot in spots.iter().filter(|spot| spot.len() * SPOT >= largest) {
        spot.iter().for_each(|&index| mask[index] = true);
    }
    mask
}

/// The pixels of ink that hang together with the one at `start`, which have not
/// been seen.
fn flood(ink: &GrayImage, start: usize, seen: &mut [bool]) -> Vec<usize> {
    let pixels = ink.as_raw();
    let mut visit = |index: usize, spot: &mut Vec<usize>| {
        if pixels[index] >= 128 && !std::mem::replace(&mut seen[index], true) {
            spot.push(index);
        }
    };
    let mut spot = Vec::new();
    visit(start, &mut spot);
    let mut next = 0;
    while let Some(&index) = spot.get(next) {
        next += 1;
        neighbours(ink, index).for_each(|index| visit(index, &mut spot));
    }
    spot
}

/// The pixels around the one at `index`, and itself.
fn neighbours(picture: &GrayImage, index: usize) -> impl Iterator<Item = usize> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (x, y) = (index % width, index / width);
    let rows = y.saturating_sub(1)..=(y + 1).min(height - 1);
    rows.flat_map(move |y| {
        let columns = x.saturating_sub(1)..=(x + 1).min(width - 1);
        columns.map(move |x| y * width + x)
    })
}

/// Clears what is neither in `mask` nor beside it, where edges are soft.
fn keep_near(ink: &mut GrayImage, mask: &[bool]) {
    let near = |index: &usize| neighbours(ink, *index).any(|index| mask[index]);
    let cleared: Vec<usize> = (0..mask.len()).filter(|index| !near(index)).collect();
    for index in cleared {
        ink.as_mut()[index] = 0;
    }
}

/// The smallest part with all ink, soft edges too.
fn crop(ink: &GrayImage) -> Option<GrayImage> {
    let drawn = ink
        .enumerate_pixels()
        .filter(|(_, _, pixel)| pixel.0[0] >= EDGE);
    let bounds = drawn.map(|(x, y, _)| (x, y, x, y));
    let (left, top, right, bottom) =
        bounds.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3)))?;
    let view = imageops::crop_imm(ink, left, top, right - left + 1, bottom - top + 1);
    Some(view.to_image())
}

/// Widens strokes that are thinner than [`STROKE`].
fn thicken(ink: &GrayImage) -> GrayImage {
    let wanted = STROKE * ink.width().max(ink.height()) as f32;
    let radius = ((wanted - stroke_width(ink)) / 2.0).round();
    if radius < 1.0 {
        return ink.clone();
    }
    let radius = radius as u32;
    let mut room = GrayImage::new(ink.width() + 2 * radius, ink.height() + 2 * radius);
    imageops::replace(&mut room, ink, radius.into(), radius.into());
    window(&room, radius, u8::max)
}

/// The mean width of the strokes: a stroke of length l and width w has the area
/// l·w and the perimeter 2·l, and so twice the one over the other is w.
fn stroke_width(ink: &GrayImage) -> f32 {
    let (mut area, mut perimeter) = (0_u32, 0_u32);
    let drawn = |x: u32, y: u32| {
        let pixel = ink.get_pixel_checked(x, y);
        pixel.is_some_and(|pixel| pixel.0[0] >= 128)
    };
    for (x, y, _) in ink.enumerate_pixels().filter(|&(x, y, _)| drawn(x, y)) {
        area += 1;
        let sides = [
            (x.wrapping_sub(1), y),
            (x + 1, y),
            (x, y.wrapping_sub(1)),
            (x, y + 1),
        ];
        perimeter += sides.iter().filter(|&&(x, y)| !drawn(x, y)).count() as u32;
    }
    2.0 * area as f32 / perimeter.max(1) as f32
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A page of 100 × 100 pixels, with `draw` of the brightness at each.
    fn page(draw: impl Fn(u32, u32) -> u8) -> GrayImage {
        GrayImage::from_fn(100, 100, |x, y| Luma([draw(x, y)]))
    }

    fn in_bar(x: u32, y: u32) -> bool {
        (20..80).contains(&y) && (40..50).contains(&x)
    }

    #[test]
    fn stroke_is_cut_out_of_paper() {
        let ink = find(&page(|x, y| if in_bar(x, y) { 30 } else { 220 })).unwrap();
        assert_eq!(ink.dimensions(), (10, 60));
        assert!(ink.iter().all(|&value| value > 250));
    }

    #[test]
    fn shadow_is_no_ink() {
        let shadow = |x: u32, y: u32| {
            let paper = 220 - x;
            (if in_bar(x, y) { paper / 4 } else { paper }) as u8
        };
        assert_eq!(find(&page(shadow)).unwrap().dimensions(), (10, 60));
    }

    #[test]
    fn dirt_is_left_out_and_parts_of_a_digit_are_not() {
        let dirty = page(|x, y| {
            let dirt = x == 90 && y == 90;
            // As the stroke above a 5 often is.
            let apart = (60..75).contains(&x) && (20..26).contains(&y);
            if in_bar(x, y) || dirt || apart {
                30
            } else {
                220
            }
        });
        assert_eq!(find(&dirty).unwrap().dimensions(), (35, 60));
    }

    #[test]
    fn thin_strokes_are_made_as_wide_as_those_of_mnist() {
        let thin = page(|x, y| {
            if x == 45 && (20..80).contains(&y) {
                30
            } else {
                220
            }
        });
        let ink = find(&thin).unwrap();
        assert!(ink.width() >= 5, "{:?}", ink.dimensions());
        assert!(stroke_width(&ink) > 4.0);
    }

    #[test]
    fn widths_of_strokes_are_estimated() {
        let bar = page(|x, y| if in_bar(x, y) { 255 } else { 0 });
        let width = stroke_width(&bar);
        assert!((8.0..=10.0).contains(&width), "{width}");
    }

    #[test]
    fn noise_alone_is_no_ink() {
        let noisy = page(|x, y| 200 + ((x * 7919 + y * 104_729) % 13) as u8);
        assert!(find(&noisy).is_none());
        assert!(find(&page(|_, _| 200)).is_none());
    }
}
