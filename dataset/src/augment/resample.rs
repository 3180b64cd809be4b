//! An image's pixels at other places, by bilinear interpolation.
//!
//! This takes more of a training's time than all other changes, so it is done in
//! passes that the compiler turns into vector instructions: for a few rows at a
//! time, where each pixel comes from, the index of that place, the pixels around
//! it, and the value between them. Whole numbers of 8 and 16 bits take the place
//! of floats as soon as possible, as more of them fit into a vector; they wrap,
//! though they never get so large, because a check would take them out of it.

use std::num::Wrapping;

use super::Elastic;
use super::elastic::Field;
use super::geometry::{Motion, STILL};
use super::random::Random;

/// Memory for one resampling after the other.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    field: Field,
    padded: Vec<u8>,
    /// What all rows have in common of the places in x and y.
    across: [Vec<f32>; 2],
    band: Band,
}

/// What is known of the pixels of a few rows.
#[derive(Debug, Default)]
struct Band {
    /// Where they come from in x and y, in 1/256 of a pixel of the padded image.
    places: [Vec<u32>; 2],
    /// The index of the pixel there, …
    starts: Vec<u32>,
    /// … how far to the right of it and how far below, …
    rights: Vec<u8>,
    downs: Vec<u8>,
    /// … its value in the low byte and that of the next one in the high byte, …
    upper: Vec<u16>,
    /// … and those of the two below.
    lower: Vec<u16>,
}

/// So many pixels, or one row: few enough to stay in the nearest cache.
const BAND: usize = 1024;

/// Places are computed in multiples of this, as many as vectors take.
const LANES: usize = 16;

/// Writes the image `source`, [channels, height, width], as it is after
/// `motion` and an elastic distortion, to `out`; places outside are black.
pub(super) fn resample(
    source: &[u8],
    shape: [usize; 3],
    motion: &Motion,
    elastic: Option<Elastic>,
    random: &mut Random,
    scratch: &mut Scratch,
    out: &mut [u8],
) {
    let [_, height, width] = shape;
    let lanes = width.next_multiple_of(LANES);
    match elastic {
        Some(elastic) => (scratch.field).draw(elastic, [height, width], lanes, random),
        None if *motion == STILL => return out.copy_from_slice(source),
        None => scratch.field.clear(lanes),
    }
    let plane = Plane::of([height, width]);
    plane.pad(source, &mut scratch.padded);
    motion.across([height, width], lanes, &mut scratch.across);
    let rows = (BAND / width).clamp(1, height);
    for top in (0..height).step_by(rows) {
        let rows = rows.min(height - top);
        let band = &mut scratch.band;
        band.resize(rows * width, lanes);
        for y in 0..rows {
            let down = motion.down(top + y, height);
            let displaced = scratch.field.row(top + y);
            for axis in 0..2 {
                // What is beyond the row's end is overwritten by the next row.
                let places = &mut band.places[axis][y * width..][..lanes];
                let (across, limit) = (&scratch.across[axis], plane.limits[axis]);
                limit.places(across, down[axis], displaced[axis], places);
            }
        }
        band.index(plane.stride);
        let planes = scratch.padded.chunks_exact(plane.area());
        for (values, out) in planes.zip(out.chunks_exact_mut(height * width)) {
            band.fetch(values, plane.stride);
            band.interpolate(&mut out[top * width..][..rows * width]);
        }
    }
}

/// The layout of one channel with a margin of black: one row and column before,
/// two after, so that a place outside has four neighbours, too.
#[derive(Debug, Clone, Copy)]
struct Plane {
    height: usize,
    width: usize,
    /// Rows are 2 to the power of this apart, so that an index takes a shift.
    stride: u32,
    /// In x and y.
    limits: [Limit; 2],
}

impl Plane {
    fn of([height, width]: [usize; 2]) -> Self {
        Self {
            height,
            width,
            stride: (width + 3).next_power_of_two().ilog2(),
            limits: [width, height].map(Limit::of),
        }
    }

    fn area(&self) -> usize {
        (self.height + 3) << self.stride
    }

    fn pad(&self, source: &[u8], padded: &mut Vec<u8>) {
        padded.clear();
        for image in source.chunks_exact(self.height * self.width) {
            let start = padded.len();
            padded.resize(start + self.area(), 0);
            let rows = padded[start..].chunks_exact_mut(1 << self.stride);
            for (out, row) in rows.skip(1).zip(image.chunks_exact(self.width)) {
                out[1..=self.width].copy_from_slice(row);
            }
        }
    }
}

/// How far places go in one direction, and how they become whole numbers: in the
/// sum with 2¹⁵, the lower bits of a float count 1/256. A cast would be checked
/// for numbers that do not fit, which takes several times as long.
#[derive(Debug, Clone, Copy)]
struct Limit {
    most: f32,
    /// 2¹⁵, or more for a longer side.
    power: f32,
    /// How many bits are missing to 1/256 then.
    missing: u32,
}

const MANTISSA: u32 = (1 << (f32::MANTISSA_DIGITS - 1)) - 1;

impl Limit {
    fn of(side: usize) -> Self {
        let power = (side + 2).next_power_of_two().max(1 << 15);
        Self {
            most: (side + 1) as f32,
            power: power as f32,
            missing: power.ilog2() - 15,
        }
    }

    /// Sums up places; further outside it is as black as at the edge.
    fn places(self, across: &[f32], down: f32, displaced: &[f32], places: &mut [u32]) {
        for ((across, displaced), place) in across.iter().zip(displaced).zip(places) {
            let at = (across + down + displaced).clamp(0.0, self.most);
            *place = ((at + self.power).to_bits() & MANTISSA).wrapping_shl(self.missing);
        }
    }
}

impl Band {
    fn resize(&mut self, pixels: usize, lanes: usize) {
        let [xs, ys] = &mut self.places;
        xs.resize(pixels + lanes, 0);
        ys.resize(pixels + lanes, 0);
        self.starts.resize(pixels, 0);
        self.rights.resize(pixels, 0);
        self.downs.resize(pixels, 0);
        self.upper.resize(pixels, 0);
        self.lower.resize(pixels, 0);
    }

    /// Splits places into indices, in rows that are 2^`stride` apart, and parts.
    fn index(&mut self, stride: u32) {
        let [xs, ys] = &self.places;
        let parts = self.rights.iter_mut().zip(&mut self.downs);
        let starts = self.starts.iter_mut().zip(parts);
        for (((start, (right, down)), &x), &y) in starts.zip(xs).zip(ys) {
            (*right, *down) = (x as u8, y as u8);
            *start = (y >> 8).wrapping_shl(stride) | (x >> 8);
        }
    }

    /// Gets the four pixels around each place out of a channel.
    fn fetch(&mut self, values: &[u8], stride: u32) {
        let above = &values[..values.len() - (1 << stride)];
        let below = &values[1 << stride..];
        let pairs = self.upper.iter_mut().zip(&mut self.lower);
        for (&start, (upper, lower)) in self.starts.iter().zip(pairs) {
            let pair = start as usize..start as usize + 2;
            let (Some(a), Some(b)) = (above.get(pair.clone()), below.get(pair)) else {
                continue;
            };
            *upper = u16::from_le_bytes([a[0], a[1]]);
            *lower = u16::from_le_bytes([b[0], b[1]]);
        }
    }

    /// Writes what is between the four pixels around each place.
    fn interpolate(&self, out: &mut [u8]) {
        let pairs = self.upper.iter().zip(&self.lower);
        let parts = self.rights.iter().zip(&self.downs);
        for ((out, (&upper, &lower)), (&right, &down)) in out.iter_mut().zip(pairs).zip(parts) {
            let [right, down] = [right, down].map(|part| Wrapping(u16::from(part)));
            let upper = between(upper, right);
            let lower = between(lower, right);
            let value = part(upper, WHOLE - down) + part(lower, down);
            *out = ((value + Wrapping(1 << 6)) >> 7).0 as u8;
        }
    }
}

const WHOLE: Wrapping<u16> = Wrapping(256);

/// 256 times the value that far to the right of a pair's first pixel.
fn between(pair: u16, right: Wrapping<u16>) -> Wrapping<u16> {
    let [a, b] = pair.to_le_bytes().map(|pixel| Wrapping(u16::from(pixel)));
    a * (WHOLE - right) + b * right
}

/// value · weight / 512, which leaves 7 bits after the point.
fn part(value: Wrapping<u16>, weight: Wrapping<u16>) -> Wrapping<u16> {
    let weight = weight << 7;
    Wrapping(((u32::from(value.0) * u32::from(weight.0)) >> 16) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Augment;

    /// By the definition, in f64.
    fn reference(image: &[u8], [height, width]: [usize; 2], [x, y]: [f64; 2]) -> f64 {
        let pixel = |x: f64, y: f64| {
            let inside = (0.0..width as f64).contains(&x) && (0.0..height as f64).contains(&y);
            let index = || y as usize * width + x as usize;
            if inside {
                f64::from(image[index()])
            } else {
                0.0
            }
        };
        let weight = |distance: f64| (1.0 - distance.abs()).max(0.0);
        [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
            .map(|(dx, dy)| (x.floor() + dx, y.floor() + dy))
            .iter()
            .map(|&(u, v)| pixel(u, v) * weight(x - u) * weight(y - v))
            .sum()
    }

    #[test]
    fn values_are_those_of_bilinear_interpolation() {
        let augment = Augment {
            rotate: 180.0,
            translate: 0.3,
            scale: [0.5, 2.0],
            ..Augment::default()
        };
        // Several bands; rows that are no multiple of a vector.
        let (height, width) = (70, 37);
        let image: Vec<u8> = (0..height * width).map(|i| (i * i % 251) as u8).collect();
        let (mut scratch, mut out) = (Scratch::default(), vec![0; image.len()]);
        for (index, elastic) in [None, Some(Elastic::default())].into_iter().enumerate() {
            let mut random = Random::of(1, 2, index as u64);
            let shape = [1, height, width];
            let motion = Motion::draw(&augment, shape, &mut random);
            resample(
                &image,
                shape,
                &motion,
                elastic,
                &mut random,
                &mut scratch,
                &mut out,
            );
            for (y, row) in out.chunks_exact(width).enumerate() {
                let down = motion.down(y, height);
                let displaced = scratch.field.row(y);
                for (x, &value) in row.iter().enumerate() {
                    let place = [0, 1].map(|axis| {
                        let sum = scratch.across[axis][x] + down[axis] + displaced[axis][x];
                        f64::from(sum) - 1.0
                    });
                    let expected = reference(&image, [height, width], place);
                    // Half of 1/256 of a pixel in x and y, and of a level.
                    let difference = (f64::from(value) - expected).abs();
                    assert!(difference < 1.6, "{value} at {place:?}: {expected}");
                }
            }
        }
    }

    #[test]
    fn images_longer_than_floats_count_in_256ths_are_mirrored_to_the_byte() {
        let width = 70_001;
        let image: Vec<u8> = (0..width).map(|i| (i % 251) as u8).collect();
        let mut augment = Augment::default();
        augment.flip.horizontal = 1.0;
        let (mut random, mut out) = (Random::of(1, 2, 3), vec![0; width]);
        let shape = [1, 1, width];
        let motion = Motion::draw(&augment, shape, &mut random);
        let scratch = &mut Scratch::default();
        resample(&image, shape, &motion, None, &mut random, scratch, &mut out);
        assert!(out.iter().eq(image.iter().rev()));
    }
}
