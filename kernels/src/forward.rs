//! Convolution, bias, ReLU and max-pool of a batch.

use rayon::prelude::*;

use crate::geometry::{Geometry, POOL, channel_stride};
use crate::isa::{Isa, per_isa};
use crate::pack::{pack_bias, pack_image, pack_weights};
use crate::scratch::Buffer;
use crate::tile::{Product, Start};
use crate::transpose::transpose;

/// A pooling window whose gradient ReLU stops.
pub(crate) const NO_SOURCE: u8 = 4;

/// Channels that are pooled at once.
const LANES: usize = 16;

/// Pixels computed between two epilogues: enough for even tiles, few enough to stay in cache.
const PIXELS: usize = 48;

/// What all images of a batch share.
struct Batch<'a> {
    isa: Isa,
    g: &'a Geometry,
    weights: Buffer,
    bias: Buffer,
    /// Columns of a pixel: the output channels, padded.
    columns: usize,
    /// Output rows of the convolution computed at once.
    rows: usize,
    /// Where the pixels of these rows lie in the packed image.
    pixels: Vec<usize>,
}

/// Computes the block for a batch.
///
/// - `x`: `[batch, in_channels, height, width]`
/// - `weights`: `[out_channels, in_channels, kernel_height, kernel_width]`
/// - `out`: `[batch, out_channels, output height, output width]`
/// - `sources`: for each output, in the order `[batch, height, width, channel_stride]`, which place
///   of its pooling window it comes from, or [`NO_SOURCE`]; empty where it is not wanted.
pub(crate) fn forward(
    isa: Isa,
    g: &Geometry,
    x: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    out: &mut [f32],
    sources: &mut [u8],
) {
    let batch = Batch::new(isa, g, weights, bias);
    let images = x.par_chunks_exact(g.image_len());
    let outputs = out.par_chunks_exact_mut(g.output_len());
    if sources.is_empty() {
        images
            .zip(outputs)
            .for_each(|(image, out)| batch.image(image, out, &mut []));
    } else {
        let sources = sources.par_chunks_exact_mut(g.sources_len());
        images
            .zip(outputs)
            .zip(sources)
            .for_each(|((image, out), sources)| {
                batch.image(image, out, sources);
            });
    }
}

impl<'a> Batch<'a> {
    fn new(isa: Isa, g: &'a Geometry, weights: &[f32], bias: Option<&[f32]>) -> Self {
        let columns = channel_stride(g.out_channels);
        let [height, width] = g.used();
        let rows = PIXELS.div_ceil(width).next_multiple_of(POOL).min(height);
        let [image_row, image_pixel] = steps(g);
        let pixels = (0..rows * width)
            .map(|pixel| pixel / width * image_row + pixel % width * image_pixel)
            .collect();
        Batch {
            isa,
            g,
            weights: pack_weights(g, weights, columns),
            bias: pack_bias(bias, columns),
            columns,
            rows,
            pixels,
        }
    }

    /// Computes one image.
    fn image(&self, image: &[f32], out: &mut [f32], sources: &mut [u8]) {
        let g = self.g;
        let [padded_height, padded_width] = g.padded();
        let mut packed = Buffer::take(padded_height * padded_width * g.in_channels);
        pack_image(self.isa, g, image, &mut packed);
        let mut sums = Buffer::take(self.pixels.len() * self.columns);
        let mut pooled = Buffer::take(self.pixels.len() / POOL * self.columns);
        let height = g.used()[0];
        for y in (0..height).step_by(self.rows) {
            let rows = self.rows.min(height - y);
            self.convolve(&packed, y, rows, &mut sums);
            self.finish(y, rows, &mut sums, &mut pooled, out, sources);
        }
    }

    /// Computes `rows` rows of the convolution from row `y` on.
    fn convolve(&self, packed: &[f32], y: usize, rows: usize, sums: &mut [f32]) {
        let g = self.g;
        let run = g.kernel[1] * g.in_channels;
        Product {
            a: &packed[y * steps(g)[0]..],
            rows: &self.pixels[..rows * g.used()[1]],
            a_step: [g.padded()[1] * g.in_channels, 1],
            b: &self.weights,
            b_step: [run * self.columns, self.columns],
            count: [g.kernel[0], run],
            columns: g.out_channels,
        }
        .run(self.isa, Start::Row(&self.bias), sums, self.columns);
    }

    /// Applies ReLU and pooling to `rows` rows of sums and writes them to the output.
    fn finish(
        &self,
        y: usize,
        rows: usize,
        sums: &mut [f32],
        pooled: &mut [f32],
        out: &mut [f32],
        sources: &mut [u8],
    ) {
        let g = self.g;
        let [height, width] = g.output();
        let (first, count) = if g.pool {
            (y / POOL * width, rows / POOL * width)
        } else {
            (y * width, rows * width)
        };
        let sources = match sources {
            [] => sources,
            sources => &mut sources[first * self.columns..][..count * self.columns],
        };
        let pixels: &[f32] = if g.pool {
            let pooled = &mut pooled[..count * self.columns];
            pool(self.isa, g, sums, self.columns, pooled, sources);
            pooled
        } else {
            if g.relu {
                relu(self.isa, &mut sums[..count * self.columns]);
            }
            sums
        };
        let planes = &mut out[first..];
        transpose(
            self.isa,
            pixels,
            self.columns,
            planes,
            height * width,
            [count, g.out_channels],
        );
    }
}

/// Distance in the packed image of two output rows and of two output pixels.
pub(crate) fn steps(g: &Geometry) -> [usize; 2] {
    let pixel = g.in_channels;
    [g.stride[0] * g.padded()[1] * pixel, g.stride[1] * pixel]
}

per_isa! {
    /// ReLU in place; NaN stays NaN.
    fn relu(values: &mut [f32]) = relu_body
}

#[inline(always)]
fn relu_body(values: &mut [f32]) {
    for value in values {
        *value = if *value <= 0.0 { 0.0 } else { *value };
    }
}

per_isa! {
    /// Pools pixels of `columns` channels, with ReLU if the block has it.
    ///
    /// `sums` holds pairs of rows; `pooled` one row for each pair. `sources`, if not empty, is
    /// as in [`forward`], for these rows.
    fn pool(g: &Geometry, sums: &[f32], columns: usize, pooled: &mut [f32], sources: &mut [u8]) = pool_body
}

#[inline(always)]
fn pool_body(g: &Geometry, sums: &[f32], columns: usize, pooled: &mut [f32], sources: &mut [u8]) {
    let width = g.output()[1];
    let row = POOL * width * columns;
    for (i, pooled) in pooled.chunks_exact_mut(columns).enumerate() {
        let first = i / width * POOL * row + i % width * POOL * columns;
        let places = [first, first + columns, first + row, first + row + columns];
        for column in (0..columns).step_by(LANES) {
            let window = places.map(|place| lanes(&sums[place + column..]));
            let (best, source) = pool_window(g.relu, window);
            pooled[column..column + LANES].copy_from_slice(&best);
            if !sources.is_empty() {
                sources[i * columns + column..][..LANES].copy_from_slice(&source);
            }
        }
    }
}

#[inline(always)]
fn lanes(values: &[f32]) -> [f32; LANES] {
    std::array::from_fn(|i| values[..LANES][i])
}

/// The largest of four values, the first among equals, the last NaN if there is one; and which
/// one it is.
#[inline(always)]
fn pool_window(relu: bool, window: [[f32; LANES]; POOL * POOL]) -> ([f32; LANES], [u8; LANES]) {
    let mut best = window[0];
    let mut places = [0_u32; LANES];
    for (other, values) in (1..).zip(&window[1..]) {
        for i in 0..LANES {
            let better = values[i] > best[i] || values[i].is_nan();
            best[i] = if better { values[i] } else { best[i] };
            places[i] = if better { other } else { places[i] };
        }
    }
    if relu {
        for i in 0..LANES {
            let dead = best[i] <= 0.0;
            best[i] = if dead { 0.0 } else { best[i] };
            places[i] = if dead {
                u32::from(NO_SOURCE)
            } else {
                places[i]
            };
        }
    }
    (best, places.map(|place| place as u8))
}
