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
    /// Where the pixels of one row come from, in pixels of the padded image.
    xs: Vec<f32>,
    ys: Vec<f32>,
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
    let plane = (height + 3) * (width + 3);
    for y in 0..height {
        let displaced = elastic.map(|_| scratch.field.row(y, width));
        let (xs, ys) = (&mut scratch.xs[..], &mut scratch.ys[..]);
        motion.places(y, [height, width], displaced, xs, ys);
        let rows = out.chunks_exact_mut(height * width);
        for (row, values) in rows.zip(scratch.padded.chunks_exact(plane)) {
            let row = &mut row[y * width..][..width];
            interpolate(values, width + 3, xs, ys, row);
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

/// Values between the pixels of a padded `plane`, whose rows have `stride`
/// pixels.
fn interpolate(plane: &[u8], stride: usize, xs: &[f32], ys: &[f32], out: &mut [u8]) {
    for ((out, &x), &y) in out.iter_mut().zip(xs).zip(ys) {
        let (column, row) = (x as i32, y as i32);
        let (right, down) = (x - column as f32, y - row as f32);
        let start = (row as usize)
            .wrapping_mul(stride)
            .wrapping_add(column as usize);
        let pair = |start: usize| {
            let Some([left, next]) = plane.get(start..).and_then(|rest| rest.first_chunk()) else {
                return 0.0;
            };
            let (left, other) = (f32::from(*left), f32::from(*next));
            left + (other - left) * right
        };
        let (upper, lower) = (pair(start), pair(start.wrapping_add(stride)));
        // Between 0 and 255, so that it fits.
        *out = (upper + (lower - upper) * down + 0.5) as i32 as u8;
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
