//! Images and weights in the order in which the kernels read them.

use std::ops::Deref;

use crate::geometry::{Geometry, channel_stride};
use crate::isa::Isa;
use crate::region::Window;
use crate::scratch::Buffer;
use crate::transpose::transpose;

/// Images as pixels, `[image, height, width, channels]`.
pub(crate) enum Pixels<'a> {
    /// Images of one channel are in this order already.
    Borrowed(&'a [f32]),
    /// Reordered images.
    Packed(Buffer),
}

impl Deref for Pixels<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Pixels::Borrowed(pixels) => pixels,
            Pixels::Packed(pixels) => pixels,
        }
    }
}

/// Reorders images `[image, channels, height, width]`, adding the padding where the geometry
/// stores it.
pub(crate) fn pack_images<'a>(
    isa: Isa,
    g: &Geometry,
    window: &Window,
    images: &'a [f32],
) -> Pixels<'a> {
    if g.stores_padding() {
        return Pixels::Packed(pack_padded(g, window, images));
    }
    if g.in_channels == 1 {
        return Pixels::Borrowed(images);
    }
    let mut packed = Buffer::take(images.len());
    let area = g.input[0] * g.input[1];
    for (image, pixels) in images
        .chunks_exact(g.image_len())
        .zip(packed.chunks_exact_mut(g.image_len()))
    {
        transpose(
            isa,
            image,
            area,
            pixels,
            g.in_channels,
            [g.in_channels, area],
        );
    }
    Pixels::Packed(packed)
}

/// Reorders images of few channels and adds their padding, as far as outputs read it.
fn pack_padded(g: &Geometry, window: &Window, images: &[f32]) -> Buffer {
    let ([height, width], [padded_height, padded_width]) = (g.input, window.size);
    let [top, left, ..] = g.padding;
    let columns = width.min(padded_width.saturating_sub(left));
    let count = images.len() / g.image_len();
    let mut packed = Buffer::zeroed(count * window.image_len());
    let planes = images.chunks_exact(height * width).enumerate();
    for (i, plane) in planes {
        let (image, channel) = (i / g.in_channels, i % g.in_channels);
        let pixels = &mut packed[image * window.image_len()..][..window.image_len()];
        for y in 0..height.min(padded_height.saturating_sub(top)) {
            let first = ((y + top) * padded_width + left) * g.in_channels + channel;
            let line = pixels[first..].iter_mut().step_by(g.in_channels);
            for (pixel, &value) in line.zip(&plane[y * width..][..columns]) {
                *pixel = value;
            }
        }
    }
    packed
}

/// Weights `[out, in, kernel height, kernel width]` as
/// `[kernel height, kernel width, in, channel_stride of out]`.
pub(crate) fn pack_weights(isa: Isa, g: &Geometry, weights: &[f32]) -> Buffer {
    let (area, stride) = (g.kernel[0] * g.kernel[1], channel_stride(g.out_channels));
    let mut packed = Buffer::zeroed(g.taps() * stride);
    for c in 0..g.in_channels {
        let (from, to) = (&weights[c * area..], &mut packed[c * stride..]);
        transpose(
            isa,
            from,
            g.taps(),
            to,
            g.in_channels * stride,
            [g.out_channels, area],
        );
    }
    packed
}

/// Sums in the order of [`pack_weights`] back in the order of the weights.
pub(crate) fn unpack_weights(isa: Isa, g: &Geometry, packed: &[f32], weights: &mut [f32]) {
    let (area, stride) = (g.kernel[0] * g.kernel[1], channel_stride(g.out_channels));
    for c in 0..g.in_channels {
        let (from, to) = (&packed[c * stride..], &mut weights[c * area..]);
        transpose(
            isa,
            from,
            g.in_channels * stride,
            to,
            g.taps(),
            [area, g.out_channels],
        );
    }
}

/// Weights turned by 180° and with the channels' roles swapped:
/// `[kernel height, kernel width, out, channel_stride of in]`.
pub(crate) fn pack_weights_turned(isa: Isa, g: &Geometry, weights: &[f32]) -> Buffer {
    let (area, stride) = (g.kernel[0] * g.kernel[1], channel_stride(g.in_channels));
    let mut packed = Buffer::zeroed(area * g.out_channels * stride);
    let mut taps = Buffer::take(g.taps());
    for (o, filter) in weights.chunks_exact(g.taps()).enumerate() {
        transpose(
            isa,
            filter,
            area,
            &mut taps,
            g.in_channels,
            [g.in_channels, area],
        );
        for (tap, values) in taps.chunks_exact(g.in_channels).enumerate() {
            let place = ((area - 1 - tap) * g.out_channels + o) * stride;
            packed[place..place + g.in_channels].copy_from_slice(values);
        }
    }
    packed
}

/// Bias padded to whole vectors; zeros without one.
pub(crate) fn pack_bias(g: &Geometry, bias: Option<&[f32]>) -> Buffer {
    let mut packed = Buffer::zeroed(channel_stride(g.out_channels));
    if let Some(bias) = bias {
        packed[..bias.len()].copy_from_slice(bias);
    }
    packed
}
