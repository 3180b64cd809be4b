//! The gradient of a convolution's sums, from that of the block's output.

use crate::backward::{Saved, slice};
use crate::geometry::{Geometry, POOL, channel_stride};
use crate::isa::{Isa, per_isa};
use crate::scratch::Buffer;
use crate::transpose::transpose;

/// Values of the gradient of an image's sums.
pub(crate) fn gradient_len(g: &Geometry) -> usize {
    g.used()[0] * g.used()[1] * g.out_channels
}

/// The gradient of one image's sums, behind bias and before ReLU and pooling:
/// `[height, width, out_channels]`.
pub(crate) fn gradient_of(
    isa: Isa,
    g: &Geometry,
    saved: &Saved<'_>,
    image: usize,
    sums: &mut [f32],
) {
    let (len, channels) = (g.output_len(), g.out_channels);
    let size = [channels, len / channels];
    let grad = slice(saved.grad, image, len);
    if g.pool {
        let mut pixels = Buffer::take(len);
        transpose(isa, grad, size[1], &mut pixels, channels, size);
        let sources = slice(saved.sources, image, g.sources_len());
        unpool(isa, g, &pixels, sources, sums);
    } else if g.relu {
        let mut masked = Buffer::take(len);
        relu_gradient(isa, slice(saved.out, image, len), grad, &mut masked);
        transpose(isa, &masked, size[1], sums, channels, size);
    } else {
        transpose(isa, grad, size[1], sums, channels, size);
    }
}

per_isa! {
    /// The gradient where the output is positive or NaN, else zero.
    fn relu_gradient(out: &[f32], grad: &[f32], masked: &mut [f32]) = relu_gradient_body
}

#[inline(always)]
fn relu_gradient_body(out: &[f32], grad: &[f32], masked: &mut [f32]) {
    for ((masked, &out), &grad) in masked.iter_mut().zip(out).zip(grad) {
        *masked = if out <= 0.0 { 0.0 } else { grad };
    }
}

per_isa! {
    /// Spreads pooled gradients to the places they come from; the other places become zero.
    fn unpool(g: &Geometry, pixels: &[f32], sources: &[u8], sums: &mut [f32]) = unpool_body
}

#[inline(always)]
fn unpool_body(g: &Geometry, pixels: &[f32], sources: &[u8], sums: &mut [f32]) {
    let (channels, width) = (g.out_channels, g.output()[1]);
    let row = POOL * width * channels;
    let windows = pixels
        .chunks_exact(channels)
        .zip(sources.chunks_exact(channel_stride(channels)));
    for (i, (grads, sources)) in windows.enumerate() {
        let first = POOL * (i / width * row + i % width * channels);
        for (place, at) in (0..).zip([0, channels, row, row + channels]) {
            let pixel = &mut sums[first + at..][..channels];
            for ((value, &grad), &source) in pixel.iter_mut().zip(grads).zip(sources) {
                *value = if source == place { grad } else { 0.0 };
            }
        }
    }
}

per_isa! {
    /// Adds all pixels to `total`, channel by channel.
    fn add_pixels(pixels: &[f32], total: &mut [f32]) = add_pixels_body
}

#[inline(always)]
fn add_pixels_body(pixels: &[f32], total: &mut [f32]) {
    let channels = total.len();
    // Four pixels at a time: a sum waits for the one before it.
    let fours = pixels.chunks_exact(4 * channels);
    for pixel in fours.remainder().chunks_exact(channels) {
        for (sum, value) in total.iter_mut().zip(pixel) {
            *sum += value;
        }
    }
    for pixels in fours {
        let (front, back) = pixels.split_at(2 * channels);
        let (a, b) = front.split_at(channels);
        let (c, d) = back.split_at(channels);
        let values = a.iter().zip(b).zip(c).zip(d);
        for (sum, (((a, b), c), d)) in total.iter_mut().zip(values) {
            *sum += (a + b) + (c + d);
        }
    }
}
