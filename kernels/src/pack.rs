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

/// An image of pixels, with room around it.
#[derive(Clone, Copy)]
pub(crate) struct Canvas {
    /// Height and width.
    pub size: [usize; 2],
    /// Distance of two pixels.
    pub pixel: usize,
}

impl Canvas {
    /// Values of the canvas.
    pub(crate) fn len(&self) -> usize {
        self.size[0] * self.size[1] * self.pixel
    }

    /// Where a row of the image begins.
    fn place(&self, g: &Geometry, y: usize) -> usize {
        let [top, left, ..] = g.padding;
        ((y + top) * self.size[1] + left) * self.pixel
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
    if window.size != g.input {
        packed.fill(0.0);
    }
    let canvas = Canvas {
        size: window.size,
        pixel: g.in_channels,
    };
    let pixels = packed.chunks_exact_mut(window.image_len());
    for (image, pixels) in images.chunks_exact(g.image_len()).zip(pixels) {
        pack_image(isa, g, canvas, image, pixels);
    }
    Pixels::Packed(packed)
}

/// Reorders one image; what is around it stays as it is.
pub(crate) fn pack_image(
    isa: Isa,
    g: &Geometry,
    canvas: Canvas,
    image: &[f32],
    pixels: &mut [f32],
) {
    let (area, channels) = (g.input[0] * g.input[1], g.in_channels);
    let size = [channels, area];
    if canvas.size == g.input {
        return transpose(isa, image, area, pixels, canvas.pixel, size);
    }
    let mut dense = Buffer::take(area * canvas.pixel);
    transpose(isa, image, area, &mut dense, canvas.pixel, size);
    let row = g.input[1] * canvas.pixel;
    for (y, from) in dense.chunks_exact(row).enumerate() {
        pixels[canvas.place(g, y)..][..row].copy_from_slice(from);
    }
}

/// The reverse of [`pack_image`]: the image, without what is around it.
pub(crate) fn unpack_image(
    isa: Isa,
    g: &Geometry,
    canvas: Canvas,
    pixels: &[f32],
    image: &mut [f32],
) {
    let (area, channels) = (g.input[0] * g.input[1], g.in_channels);
    let size = [area, channels];
    if canvas.size == g.input {
        return transpose(isa, pixels, canvas.pixel, image, area, size);
    }
    let mut dense = Buffer::take(area * canvas.pixel);
    let row = g.input[1] * canvas.pixel;
    for (y, to) in dense.chunks_exact_mut(row).enumerate() {
        to.copy_from_slice(&pixels[canvas.place(g, y)..][..row]);
    }
    transpose(isa, &dense, canvas.pixel, image, area, size);
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

/// Weights with the channels' roles swapped: `[tap, out, channel_stride of in]`, where a tap stands
/// at the place that `order` gives it.
pub(crate) fn pack_weights_swapped(
    isa: Isa,
    g: &Geometry,
    weights: &[f32],
    order: impl Fn(usize) -> usize,
) -> Buffer {
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
            let place = (order(tap) * g.out_channels + o) * stride;
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
