//! Images and weights in the order in which the kernels read them.

use crate::geometry::Geometry;
use crate::isa::Isa;
use crate::scratch::Buffer;
use crate::transpose::transpose;

/// Writes an image `[channels, height, width]` as `[height, width, channels]` with its padding,
/// cut to what the outputs read.
pub(crate) fn pack_image(isa: Isa, g: &Geometry, image: &[f32], packed: &mut [f32]) {
    let ([height, width], [padded_height, padded_width]) = (g.input, g.padded());
    let [top, left, ..] = g.padding;
    let channels = g.in_channels;
    let columns = width.min(padded_width.saturating_sub(left));
    if g.padding != [0; 4] {
        packed.fill(0.0);
    }
    for y in 0..height.min(padded_height.saturating_sub(top)) {
        let from = &image[y * width..];
        let to = &mut packed[((y + top) * padded_width + left) * channels..];
        if channels == 1 {
            to[..columns].copy_from_slice(&from[..columns]);
        } else {
            transpose(isa, from, height * width, to, channels, [channels, columns]);
        }
    }
}

/// Weights `[out, in, kernel_height, kernel_width]` as `[kernel_height, kernel_width, in, out]`,
/// `out` padded to `padded` columns.
pub(crate) fn pack_weights(g: &Geometry, weights: &[f32], padded: usize) -> Buffer {
    let area = g.kernel[0] * g.kernel[1];
    let mut packed = Buffer::zeroed(g.taps() * padded);
    for (o, filter) in weights.chunks_exact(g.taps()).enumerate() {
        for (c, plane) in filter.chunks_exact(area).enumerate() {
            for (tap, &weight) in plane.iter().enumerate() {
                packed[(tap * g.in_channels + c) * padded + o] = weight;
            }
        }
    }
    packed
}

/// Weights turned by 180° and with the channels' roles swapped,
/// `[kernel_height, kernel_width, out, in]`, `in` padded to `padded` columns.
pub(crate) fn pack_weights_turned(g: &Geometry, weights: &[f32], padded: usize) -> Buffer {
    let area = g.kernel[0] * g.kernel[1];
    let mut packed = Buffer::zeroed(area * g.out_channels * padded);
    for (o, filter) in weights.chunks_exact(g.taps()).enumerate() {
        for (c, plane) in filter.chunks_exact(area).enumerate() {
            for (tap, &weight) in plane.iter().enumerate() {
                packed[((area - 1 - tap) * g.out_channels + o) * padded + c] = weight;
            }
        }
    }
    packed
}

/// Bias padded to `padded` columns; zeros without one.
pub(crate) fn pack_bias(bias: Option<&[f32]>, padded: usize) -> Buffer {
    let mut packed = Buffer::zeroed(padded);
    if let Some(bias) = bias {
        packed[..bias.len()].copy_from_slice(bias);
    }
    packed
}

/// Where the kernel's taps lie in a packed image, in the order of the packed weights.
pub(crate) fn tap_places(g: &Geometry) -> Vec<usize> {
    let run = g.kernel[1] * g.in_channels;
    let row = g.padded()[1] * g.in_channels;
    (0..g.taps())
        .map(|tap| tap / run * row + tap % run)
        .collect()
}
