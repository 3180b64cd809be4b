//! Gradients from the whole output gradient: as convolutions.

use std::ops::Range;

use crate::backward::{Method, Saved, slice};
use crate::convolution::{Convolution, GROUP};
use crate::geometry::{Geometry, POOL, channel_stride};
use crate::isa::{Isa, per_isa};
use crate::pack::{pack_images, pack_weights_turned, unpack_weights};
use crate::region::{TapRegion, Window};
use crate::scratch::Buffer;
use crate::tile::{Product, Start};
use crate::transpose::transpose;

/// The output gradient of an image as the kernels read it: `[height, width, out_channels]`, each
/// value at the place of the convolution's result that it belongs to. For the input gradient
/// these are spread by the strides, with zeros between them, so that the input gradient is a plain
/// convolution with the turned kernel.
#[derive(Clone, Copy)]
struct Canvas {
    size: [usize; 2],
    /// Distance of two values.
    spread: [usize; 2],
    channels: usize,
}

impl Canvas {
    fn new(g: &Geometry, with_input: bool) -> Canvas {
        let spread = if with_input { g.stride } else { [1, 1] };
        let size = [0, 1].map(|axis| (g.used()[axis] - 1) * spread[axis] + 1);
        Canvas {
            size,
            spread,
            channels: g.out_channels,
        }
    }

    fn len(&self) -> usize {
        self.size[0] * self.size[1] * self.channels
    }

    /// Distance of two rows and of two pixels of the convolution's result.
    fn steps(&self) -> [usize; 2] {
        let row = self.size[1] * self.channels;
        [self.spread[0] * row, self.spread[1] * self.channels]
    }

    /// The convolution that gives the input gradient.
    fn window(&self, g: &Geometry) -> Window {
        let before = |axis: usize| g.kernel[axis].cast_signed() - 1 - g.padding[axis].cast_signed();
        Window {
            size: self.size,
            channels: self.channels,
            kernel: g.kernel,
            stride: [1, 1],
            before: [before(0), before(1)],
            outputs: g.input,
        }
    }
}

/// The method that multiplies everything: two plain convolutions.
pub(crate) struct Dense<'a> {
    isa: Isa,
    g: &'a Geometry,
    saved: &'a Saved<'a>,
    window: Window,
    canvas: Canvas,
    taps: Vec<TapRegion>,
    /// For the input gradient: the turned weights and the convolution of the canvas with them.
    input: Option<(Buffer, Convolution)>,
}

impl<'a> Dense<'a> {
    /// Plans the gradients of a batch.
    pub(crate) fn new(isa: Isa, g: &'a Geometry, saved: &'a Saved<'a>, with_input: bool) -> Self {
        let (window, canvas) = (g.window(), Canvas::new(g, with_input));
        let mut taps = window.tap_regions();
        for place in taps.iter_mut().flat_map(|region| &mut region.taps) {
            *place *= channel_stride(g.out_channels);
        }
        let input = with_input.then(|| {
            let convolution = Convolution::new(canvas.window(g), g.in_channels, g.batch, GROUP);
            (pack_weights_turned(isa, g, saved.weights), convolution)
        });
        Dense {
            isa,
            g,
            saved,
            window,
            canvas,
            taps,
            input,
        }
    }

    /// Values of a weight gradient: `[taps, channel_stride]`.
    fn weights_len(&self) -> usize {
        self.g.taps() * channel_stride(self.g.out_channels)
    }

    /// Puts the gradient of one image onto the canvas and adds it to the bias gradient.
    fn paint(&self, image: usize, canvas: &mut [f32], bias: &mut [f32]) {
        let g = self.g;
        let len = g.output_len();
        let area = len / g.out_channels;
        let grad = slice(self.saved.grad, image, len);
        let mut pixels = Buffer::take(len);
        if self.saved.out.is_empty() {
            transpose(
                self.isa,
                grad,
                area,
                &mut pixels,
                g.out_channels,
                [g.out_channels, area],
            );
        } else {
            let mut masked = Buffer::take(len);
            relu_gradient(
                self.isa,
                slice(self.saved.out, image, len),
                grad,
                &mut masked,
            );
            transpose(
                self.isa,
                &masked,
                area,
                &mut pixels,
                g.out_channels,
                [g.out_channels, area],
            );
        }
        let steps = self.canvas.steps();
        if g.pool {
            let sources = slice(self.saved.sources, image, g.sources_len());
            unpool(self.isa, g, &pixels, sources, canvas, steps, bias);
        } else {
            place(self.isa, g, &pixels, canvas, steps, bias);
        }
    }

    /// Adds the weight gradient of some images, `[taps, channel_stride]`: the sum over all pixels
    /// of the input at a tap times the output gradient.
    fn weights_of(&self, x: &[f32], canvases: &[f32], start: Start<'_>, weights: &mut [f32]) {
        let (g, steps, canvas) = (self.g, self.window.steps(), self.canvas.steps());
        let images = x.len() / g.image_len();
        let pixels = pack_images(self.isa, g, &self.window, x);
        for region in &self.taps {
            Product {
                a: &pixels,
                rows: &region.rows,
                a_step: [
                    self.window.image_len(),
                    g.stride[0] * steps[0],
                    g.stride[1] * steps[1],
                ],
                b: &canvases[region.first[0] * canvas[0] + region.first[1] * canvas[1]..],
                b_step: [self.canvas.len(), canvas[0], canvas[1]],
                count: [images, region.count[0], region.count[1]],
                columns: g.out_channels,
                results: &region.taps,
            }
            .run(self.isa, start, weights);
        }
    }

    /// Writes the input gradient of some images: the canvases convolved with the turned kernel.
    fn input_of(&self, images: usize, canvases: &[f32], input: &mut [f32]) {
        let Some((weights, convolution)) = &self.input else {
            return;
        };
        let g = self.g;
        let mut pixels = Buffer::take(images * convolution.result_len());
        convolution.run(
            self.isa,
            images,
            canvases,
            weights,
            Start::Zero,
            &mut pixels,
        );
        let (area, stride) = (g.input[0] * g.input[1], channel_stride(g.in_channels));
        for (pixels, planes) in pixels
            .chunks_exact(convolution.result_len())
            .zip(input.chunks_exact_mut(g.image_len()))
        {
            transpose(
                self.isa,
                pixels,
                stride,
                planes,
                area,
                [area, g.in_channels],
            );
        }
    }
}

impl Method for Dense<'_> {
    fn sums_len(&self) -> usize {
        self.weights_len() + channel_stride(self.g.out_channels)
    }

    fn part(&self, images: Range<usize>, sums: &mut [f32], mut input: Option<&mut [f32]>) {
        let g = self.g;
        // Whole vectors are read from the last pixel on.
        let slack = channel_stride(g.out_channels);
        let mut canvases = Buffer::zeroed(GROUP * self.canvas.len() + slack);
        let (weights, bias) = sums.split_at_mut(self.weights_len());
        bias.fill(0.0);
        for first in images.clone().step_by(GROUP) {
            let count = GROUP.min(images.end - first);
            for (image, canvas) in
                (first..first + count).zip(canvases.chunks_exact_mut(self.canvas.len()))
            {
                self.paint(image, canvas, &mut bias[..g.out_channels]);
            }
            let x = &self.saved.x[first * g.image_len()..][..count * g.image_len()];
            let start = if first == images.start {
                Start::Zero
            } else {
                Start::Result
            };
            self.weights_of(x, &canvases, start, weights);
            if let Some(input) = input.as_deref_mut() {
                let place = (first - images.start) * g.image_len();
                self.input_of(
                    count,
                    &canvases,
                    &mut input[place..][..count * g.image_len()],
                );
            }
        }
    }

    fn unpack(&self, sums: &[f32], weights: &mut [f32], bias: &mut [f32]) {
        unpack_weights(self.isa, self.g, sums, weights);
        bias.copy_from_slice(&sums[self.weights_len()..][..self.g.out_channels]);
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
    fn unpool(
        g: &Geometry,
        pixels: &[f32],
        sources: &[u8],
        canvas: &mut [f32],
        steps: [usize; 2],
        bias: &mut [f32],
    ) = unpool_body
}

#[inline(always)]
fn unpool_body(
    g: &Geometry,
    pixels: &[f32],
    sources: &[u8],
    canvas: &mut [f32],
    steps: [usize; 2],
    bias: &mut [f32],
) {
    let (channels, width) = (g.out_channels, g.output()[1]);
    let windows = pixels
        .chunks_exact(channels)
        .zip(sources.chunks_exact(channel_stride(channels)));
    for (i, (grads, sources)) in windows.enumerate() {
        let first = POOL * (i / width * steps[0] + i % width * steps[1]);
        for (place, at) in (0..).zip([0, steps[1], steps[0], steps[0] + steps[1]]) {
            let pixel = &mut canvas[first + at..][..channels];
            for ((value, &grad), &source) in pixel.iter_mut().zip(grads).zip(sources) {
                *value = if source == place { grad } else { 0.0 };
            }
        }
        for ((sum, &grad), &source) in bias.iter_mut().zip(grads).zip(sources) {
            *sum += if source < 4 { grad } else { 0.0 };
        }
    }
}

per_isa! {
    /// Copies gradients to their places.
    fn place(g: &Geometry, pixels: &[f32], canvas: &mut [f32], steps: [usize; 2], bias: &mut [f32]) = place_body
}

#[inline(always)]
fn place_body(
    g: &Geometry,
    pixels: &[f32],
    canvas: &mut [f32],
    steps: [usize; 2],
    bias: &mut [f32],
) {
    let (channels, width) = (g.out_channels, g.output()[1]);
    for (i, grads) in pixels.chunks_exact(channels).enumerate() {
        canvas[i / width * steps[0] + i % width * steps[1]..][..channels].copy_from_slice(grads);
        for (sum, grad) in bias.iter_mut().zip(grads) {
            *sum += grad;
        }
    }
}
