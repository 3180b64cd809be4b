//! The frequencies of tiles or kernels, and their products.

use rayon::prelude::*;

use super::transform::{FREQUENCIES, Tile};
use crate::geometry::channel_stride;
use crate::isa::Isa;
use crate::scratch::Buffer;
use crate::tile::{Planes, Product, Start};

/// Values behind each plane: without them, the places of a tile in all planes would compete for
/// the same lines of the cache.
const GAP: usize = 16;

/// A plane for each frequency: `[rows, channel_stride]`.
pub(crate) struct Spectrum {
    pub(super) values: Buffer,
    rows: usize,
    channels: usize,
}

/// Values from one plane to the next.
fn plane_len(rows: usize, channels: usize) -> usize {
    rows * channel_stride(channels) + GAP
}

/// Values of all planes.
pub(super) fn spectrum_len(rows: usize, channels: usize) -> usize {
    FREQUENCIES * plane_len(rows, channels)
}

/// Where a row is among the planes.
pub(super) fn tile(row: usize, rows: usize, channels: usize) -> Tile {
    Tile {
        place: row * channel_stride(channels),
        plane: plane_len(rows, channels),
    }
}

/// Planes as the left operand of a product.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    values: &'a [f32],
    plane: usize,
    /// Distances of two rows of the product and of two of its steps.
    steps: [usize; 2],
}

impl Spectrum {
    /// Planes of unspecified content.
    pub(super) fn new(rows: usize, channels: usize) -> Spectrum {
        Spectrum {
            values: Buffer::take(spectrum_len(rows, channels)),
            rows,
            channels,
        }
    }

    /// Where a row is.
    pub(super) fn tile(&self, row: usize) -> Tile {
        tile(row, self.rows, self.channels)
    }

    /// To be multiplied row by row.
    pub(super) fn rows(&self) -> Left<'_> {
        self.left([channel_stride(self.channels), 1])
    }

    /// To be multiplied channel by channel.
    pub(super) fn transposed(&self) -> Left<'_> {
        self.left([1, channel_stride(self.channels)])
    }

    fn left(&self, steps: [usize; 2]) -> Left<'_> {
        Left {
            values: &self.values,
            plane: plane_len(self.rows, self.channels),
            steps,
        }
    }
}

/// Multiplications that make a task: fewer would not be worth handing to another thread.
const TASK_PRODUCTS: usize = 1 << 22;

/// `c = start + a · b` in every plane, for sizes [rows, steps, columns]. Large products are shared
/// out by their planes: a batch of few images keeps more threads busy than it has groups.
pub(super) fn multiply(
    isa: Isa,
    [rows, steps, columns]: [usize; 3],
    a: Left<'_>,
    b: &Spectrum,
    start: Start<'_>,
    c: &mut [f32],
) {
    let (stride, plane) = (channel_stride(columns), plane_len(rows, columns));
    let places = |step: usize| (0..rows).map(move |row| row * step).collect::<Vec<_>>();
    let (a_rows, results) = (places(a.steps[0]), places(stride));
    let b_plane = plane_len(b.rows, b.channels);
    let tasks = FREQUENCIES * rows * steps * columns / TASK_PRODUCTS;
    let count = FREQUENCIES.div_ceil(tasks.clamp(1, FREQUENCIES));
    let multiply = |(task, c): (usize, &mut [f32])| {
        let first = task * count;
        let planes = Planes {
            count: count.min(FREQUENCIES - first),
            a: a.plane,
            b: b_plane,
            c: plane,
        };
        Product {
            a: &a.values[first * a.plane..],
            rows: &a_rows,
            a_step: [0, 0, a.steps[1]],
            b: &b.values[first * b_plane..],
            b_step: [0, 0, stride],
            count: [1, 1, steps],
            columns,
            results: &results,
        }
        .run_planes(isa, planes, start, c);
    };
    c[..FREQUENCIES * plane]
        .par_chunks_mut(count * plane)
        .enumerate()
        .for_each(multiply);
}
