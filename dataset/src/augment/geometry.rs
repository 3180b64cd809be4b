//! Where each pixel of an augmented image comes from, and its value there.

use super::elastic::Field;
use super::random::Random;
use super::{Augment, Elastic};

/// An affine map from pixels of the new image to places in the old one, in
/// pixels from the centre: (x, y) ↦ m · ((x, y) - shift).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Motion {
    m: [[f32; 2]; 2],
    shift: [f32; 2],
}

const STILL: Motion = Motion {
    m: [[1.0, 0.0], [0.0, 1.0]],
    shift: [0.0; 2],
};

impl Motion {
    /// Draws one. What is not set draws nothing but leaves the rest as it is.
    pub(super) fn draw(augment: &Augment, shape: [usize; 3], random: &mut Random) -> Self {
        let [_, height, width] = shape;
        let angle = random.either_way(augment.rotate as f32).to_radians();
        let lean = random.either_way(augment.shear as f32).to_radians().tan();
        let size = random.between(augment.scale[0] as f32, augment.scale[1] as f32);
        let mirror = |happens: bool| if happens { -1.0 } else { 1.0 };
        let flip = [
            mirror(random.happens(augment.flip.horizontal)),
            mirror(random.happens(augment.flip.vertical)),
        ];
        let mut offset = |side: usize| {
            let pixels = random.below(2 * augment.crop + 1) as f32 - augment.crop as f32;
            pixels + random.either_way(augment.translate as f32) * side as f32
        };
        let shift = [offset(width), offset(height)];
        // The new image is the old one mirrored, scaled, sheared and rotated:
        // the map back is the inverse of each, in the other order.
        let (sin, cos) = angle.sin_cos();
        let unrotated = [[cos, sin], [-sin, cos]];
        let unsheared = [0, 1].map(|column| unrotated[0][column] - lean * unrotated[1][column]);
        let row = |row: [f32; 2], flip: f32| row.map(|value| flip * value / size);
        Self {
            m: [row(unsheared, flip[0]), row(unrotated[1], flip[1])],
            shift,
        }
    }
}

/// Memory for one resampling after the other.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The old image with a margin of black: one row and column before, two
    /// after, so that a place outside has four neighbours, too.
    padded: Vec<u8>,
    /// Where the pixels of one row come from, in pixels of the padded image; then only how far
    /// they are behind the pixels at `starts`.
    xs: Vec<f32>,
    ys: Vec<f32>,
    starts: Vec<u32>,
    /// The four pixels around each place.
    cells: Vec<[u8; 4]>,
    field: Field,
}

/// Writes the image `source`, [channels, height, width], as it is after
/// `motion` and an elastic distortion, to `out`, by bilinear interpolation;
/// places outside are black.
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
    if let Some(elastic) = elastic {
        scratch.field.draw(elastic, [height, width], random);
    } else if *motion == STILL {
        out.copy_from_slice(source);
        return;
    }
    pad(source, shape, &mut scratch.padded);
    scratch.xs.resize(width, 0.0);
    scratch.ys.resize(width, 0.0);
    scratch.starts.resize(width, 0);
    scratch.cells.resize(width, [0; 4]);
    let stride = width + 3;
    let plane = (height + 3) * stride;
    for y in 0..height {
        let displaced = elastic.map(|_| scratch.field.row(y, width));
        let (xs, ys) = (&mut scratch.xs[..], &mut scratch.ys[..]);
        motion.places(y, [height, width], displaced, xs, ys);
        split(xs, ys, stride, &mut scratch.starts);
        let rows = out.chunks_exact_mut(height * width);
        for (row, values) in rows.zip(scratch.padded.chunks_exact(plane)) {
            collect(values, stride, &scratch.starts, &mut scratch.cells);
            let row = &mut row[y * width..][..width];
            interpolate(&scratch.cells, xs, ys, row);
        }
    }
}

impl Motion {
    /// Where the pixels of row `y` come from, in pixels of the padded image;
    /// further outside it is as black as at its edge.
    fn places(
        &self,
        y: usize,
        [height, width]: [usize; 2],
        displaced: Option<[&[f32]; 2]>,
        xs: &mut [f32],
        ys: &mut [f32],
    ) {
        let [[a, b], [c, d]] = self.m;
        let [cx, cy] = [width, height].map(|side| (side - 1) as f32 / 2.0);
        let (left, v) = (-cx - self.shift[0], y as f32 - cy - self.shift[1]);
        for ((x, xs), ys) in (0_u16..).zip(&mut *xs).zip(&mut *ys) {
            let u = f32::from(x) + left;
            *xs = a * u + b * v + cx;
            *ys = c * u + d * v + cy;
        }
        if let Some([dx, dy]) = displaced {
            xs.iter_mut().zip(dx).for_each(|(x, dx)| *x += dx);
            ys.iter_mut().zip(dy).for_each(|(y, dy)| *y += dy);
        }
        let within = |places: &mut [f32], side: usize| {
            for place in places {
                *place = (*place + 1.0).max(0.0).min((side + 1) as f32);
            }
        };
        within(xs, width);
        within(ys, height);
    }
}

// The row in three passes, so that the compiler can do several pixels at once in all but the
// second.

/// Splits places into the pixel above to the left, in a plane whose rows have `stride` pixels, and
/// how far they are behind it.
fn split(xs: &mut [f32], ys: &mut [f32], stride: usize, starts: &mut [u32]) {
    for ((x, y), start) in xs.iter_mut().zip(ys).zip(starts) {
        let (column, row) = (*x as i32, *y as i32);
        *x -= column as f32;
        *y -= row as f32;
        *start = row as u32 * stride as u32 + column as u32;
    }
}

/// The pixels at `starts`, to the right, below and across.
fn collect(plane: &[u8], stride: usize, starts: &[u32], cells: &mut [[u8; 4]]) {
    for (cell, &start) in cells.iter_mut().zip(starts) {
        let start = start as usize;
        let Some(pixels) = plane.get(start..start + stride + 2) else {
            continue;
        };
        *cell = [pixels[0], pixels[1], pixels[stride], pixels[stride + 1]];
    }
}

/// Values between four pixels each.
fn interpolate(cells: &[[u8; 4]], xs: &[f32], ys: &[f32], out: &mut [u8]) {
    for (((out, &cell), &right), &down) in out.iter_mut().zip(cells).zip(xs).zip(ys) {
        let cell = u32::from_le_bytes(cell);
        let pixel = |index: u32| (cell >> (8 * index) & 255) as i32 as f32;
        let between = |a: f32, b: f32, part: f32| a + (b - a) * part;
        let upper = between(pixel(0), pixel(1), right);
        let lower = between(pixel(2), pixel(3), right);
        // Between 0 and 255, so that it fits.
        *out = (between(upper, lower, down) + 0.5) as i32 as u8;
    }
}

fn pad(source: &[u8], [channels, height, width]: [usize; 3], padded: &mut Vec<u8>) {
    let stride = width + 3;
    let plane = stride * (height + 3);
    padded.clear();
    padded.resize(channels * plane, 0);
    for (index, row) in source.chunks_exact(width).enumerate() {
        let (channel, y) = (index / height, index % height);
        let start = channel * plane + (y + 1) * stride + 1;
        padded[start..start + width].copy_from_slice(row);
    }
}
