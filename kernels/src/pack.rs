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
    if g.in_channels == 1 && !g.stores_padding() {
        return Pixels::Borrowed(images);
    }
    let count = images.len() / g.image_len();
    let mut packed = Buffer::take(count * window.image_len());
    let pixels = packed.chunks_exact_mut(window.image_len());
    for (image, pixels) in images.chunks_exact(g.image_len()).zip(pixels) {
        pack_image(isa, g, window.size, image, pixels);
    }
    Pixels::Packed(packed)
}

/// Reorders one image, with its padding if `canvas` is larger than the image.
pub(crate) fn pack_image(
    isa: Isa,
    g: &Geometry,
    canvas: [usize; 2],
    image: &[f32],
    pixels: &mut [f32],
) {
    let ([height, width], channels) = (g.input, g.in_channels);
    let area = height * width;
    if canvas == g.input {
        return transpose(isa, image, area, pixels, channels, [channels, area]);
    }
    pixels.fill(0.0);
    for y in 0..height {
        let place = place_on(g, canvas, y);
        transpose(
            isa,
            &image[y * width..],
            area,
            &mut pixels[place..],
            channels,
            [channels, width],
        );
    }
}

/// The reverse of [`pack_image`]: the image, without its padding.
pub(crate) fn unpack_image(
    isa: Isa,
    g: &Geometry,
    canvas: [usize; 2],
    pixels: &[f32],
    image: &mut [f32],
) {
    let ([height, width], channels) = (g.input, g.in_channels);
    let area = height * width;
    if canvas == g.input {
        return transpose(isa, pixels, channels, image, area, [area, channels]);
    }
    for y in 0..height {
        let place = place_on(g, canvas, y);
        transpose(
            isa,
            &pixels[place..],
            channels,
            &mut image[y * width..],
            area,
            [width, channels],
        );
    }
}

/// Where a row of the image begins on the canvas.
fn place_on(g: &Geometry, canvas: [usize; 2], y: usize) -> usize {
    let [top, left, ..] = g.padding;
    ((y + top) * canvas[1] + left) * g.in_channels
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
