//! Gradients of a block: weights, bias and input.

use rayon::prelude::*;

use crate::forward::steps;
use crate::geometry::{Geometry, POOL, channel_stride};
use crate::isa::{Isa, per_isa};
use crate::pack::{pack_image, pack_weights_turned, tap_places};
use crate::scratch::Buffer;
use crate::tile::{Product, Start};
use crate::transpose::transpose;

/// Most partial sums of the weight gradient. The batch is cut into so many parts whatever the
/// number of threads, so that the order of summation, and with it the last bit of the result,
/// does not depend on it.
const MAX_PARTS: usize = 16;

/// Values summed by one task when partial sums are added up.
const REDUCE_BLOCK: usize = 4096;

/// What the forward pass left for the backward pass, and the gradient that arrives.
pub(crate) struct Saved<'a> {
    /// `[batch, in_channels, height, width]`
    pub x: &'a [f32],
    /// `[out_channels, in_channels, kernel_height, kernel_width]`
    pub weights: &'a [f32],
    /// The block's output; empty unless ReLU ends the block.
    pub out: &'a [f32],
    /// The pooled places, as [`crate::forward::forward`] gives them; empty without pooling.
    pub sources: &'a [u8],
    /// Gradient of the block's output.
    pub grad: &'a [f32],
}

/// Where the gradients go.
pub(crate) struct Gradients<'a> {
    /// Shaped as the input; `None` if nobody needs it.
    pub input: Option<&'a mut [f32]>,
    /// Shaped as the weights.
    pub weights: &'a mut [f32],
    /// `[out_channels]`
    pub bias: &'a mut [f32],
}

/// Computes the gradients of a block.
pub(crate) fn backward(isa: Isa, g: &Geometry, saved: &Saved<'_>, gradients: Gradients<'_>) {
    let task = Task::new(isa, g, saved, gradients.input.is_some());
    let part_images = g.batch.div_ceil(MAX_PARTS);
    let parts = g.batch.div_ceil(part_images);
    let mut sums = Buffer::take(parts * task.part_len());
    let partials = sums.par_chunks_exact_mut(task.part_len()).enumerate();
    let range = |part: usize| part * part_images..g.batch.min((part + 1) * part_images);
    match gradients.input {
        Some(input) => partials
            .zip(input.par_chunks_mut(part_images * g.image_len()))
            .for_each(|((part, sums), input)| task.part(range(part), sums, Some(input))),
        None => partials.for_each(|(part, sums)| task.part(range(part), sums, None)),
    }
    task.reduce(&mut sums);
    task.unpack(&sums, gradients.weights, gradients.bias);
}

/// The output gradient of one image as the kernels read it: `[height, width, out_channels]`, each
/// value at the place of the convolution's result that it belongs to.
///
/// For the input gradient it is spread by the strides and has a margin of zeros, so that the
/// input gradient is a plain convolution with the turned kernel.
struct Canvas {
    height: usize,
    width: usize,
    /// Place of the first value.
    origin: [usize; 2],
    /// Distance of two values.
    spread: [usize; 2],
    /// Where the window of the input's first pixel begins.
    window: [usize; 2],
}

impl Canvas {
    fn new(g: &Geometry, margin: bool) -> Canvas {
        let used = g.used();
        if !margin {
            let [height, width] = used;
            return Canvas {
                height,
                width,
                origin: [0; 2],
                spread: [1; 2],
                window: [0; 2],
            };
        }
        let before = [g.padding[0], g.padding[1]];
        // The window of input pixel 0 begins `kernel - 1 - padding` before value 0.
        let origin = [0, 1].map(|axis| (g.kernel[axis] - 1).saturating_sub(before[axis]));
        let window = [0, 1].map(|axis| (before[axis] + 1).saturating_sub(g.kernel[axis]));
        let size = [0, 1].map(|axis| {
            let values = origin[axis] + (used[axis] - 1) * g.stride[axis] + 1;
            let windows = window[axis] + g.input[axis] - 1 + g.kernel[axis];
            values.max(windows)
        });
        Canvas {
            height: size[0],
            width: size[1],
            origin,
            spread: g.stride,
            window,
        }
    }

    /// Distance of two rows and of two pixels of the convolution's result.
    fn steps(&self, channels: usize) -> [usize; 2] {
        [
            self.spread[0] * self.width * channels,
            self.spread[1] * channels,
        ]
    }

    fn first(&self, channels: usize) -> usize {
        (self.origin[0] * self.width + self.origin[1]) * channels
    }
}

/// What all parts of a batch share.
struct Task<'a> {
    isa: Isa,
    g: &'a Geometry,
    saved: &'a Saved<'a>,
    canvas: Canvas,
    /// Places of the taps in the packed image: the rows of the weight gradient.
    taps: Vec<usize>,
    /// Columns of the weight gradient: the output channels, padded.
    columns: usize,
    /// For the input gradient.
    input: Option<InputTask>,
}

/// What the input gradient needs.
struct InputTask {
    weights: Buffer,
    /// Columns: the input channels, padded.
    columns: usize,
    /// Where the windows of the input's pixels begin in the canvas.
    pixels: Vec<usize>,
}

impl InputTask {
    fn new(g: &Geometry, weights: &[f32], canvas: &Canvas) -> InputTask {
        let columns = channel_stride(g.in_channels);
        let [top, left] = canvas.window;
        let width = g.input[1];
        let pixels = (0..g.input[0] * width)
            .map(|i| ((top + i / width) * canvas.width + left + i % width) * g.out_channels)
            .collect();
        InputTask {
            weights: pack_weights_turned(g, weights, columns),
            columns,
            pixels,
        }
    }
}

impl<'a> Task<'a> {
    fn new(isa: Isa, g: &'a Geometry, saved: &'a Saved<'a>, with_input: bool) -> Self {
        let canvas = Canvas::new(g, with_input);
        Task {
            isa,
            g,
            saved,
            taps: tap_places(g),
            columns: channel_stride(g.out_channels),
            input: with_input.then(|| InputTask::new(g, saved.weights, &canvas)),
            canvas,
        }
    }

    /// Values of a partial sum: the weight gradient `[taps, columns]` and the bias gradient.
    fn part_len(&self) -> usize {
        (self.g.taps() + 1) * self.columns
    }

    /// Sums the gradients of some images into `sums` and writes their input gradients.
    fn part(
        &self,
        images: std::ops::Range<usize>,
        sums: &mut [f32],
        mut input: Option<&mut [f32]>,
    ) {
        let g = self.g;
        let [padded_height, padded_width] = g.padded();
        let mut packed = Buffer::take(padded_height * padded_width * g.in_channels);
        let canvas_len = self.canvas.height * self.canvas.width * g.out_channels;
        // Whole vectors are read from the last pixel on.
        let mut canvas = Buffer::zeroed(canvas_len + self.columns);
        let (weights, bias) = sums.split_at_mut(g.taps() * self.columns);
        bias.fill(0.0);
        for (i, image) in images.enumerate() {
            self.paint(image, &mut canvas, &mut bias[..g.out_channels]);
            pack_image(
                self.isa,
                g,
                slice(self.saved.x, image, g.image_len()),
                &mut packed,
            );
            let start = if i == 0 { Start::Zero } else { Start::Result };
            self.weights_of(&packed, &canvas, start, weights);
            if let (Some(task), Some(input)) = (&self.input, input.as_deref_mut()) {
                self.input_of(
                    task,
                    &canvas,
                    &mut input[i * g.image_len()..][..g.image_len()],
                );
            }
        }
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
        let canvas = &mut canvas[self.canvas.first(g.out_channels)..];
        let steps = self.canvas.steps(g.out_channels);
        if g.pool {
            let sources = slice(self.saved.sources, image, g.sources_len());
            unpool(self.isa, g, &pixels, sources, canvas, steps, bias);
        } else {
            place(self.isa, g, &pixels, canvas, steps, bias);
        }
    }

    /// Adds one image's weight gradient, `[taps, columns]`: the sum over all pixels of the
    /// input at a tap times the output gradient.
    fn weights_of(&self, packed: &[f32], canvas: &[f32], start: Start<'_>, weights: &mut [f32]) {
        let g = self.g;
        Product {
            a: packed,
            rows: &self.taps,
            a_step: steps(g),
            b: &canvas[self.canvas.first(g.out_channels)..],
            b_step: self.canvas.steps(g.out_channels),
            count: g.used(),
            columns: g.out_channels,
        }
        .run(self.isa, start, weights, self.columns);
    }

    /// Writes one image's input gradient: the canvas convolved with the turned kernel.
    fn input_of(&self, task: &InputTask, canvas: &[f32], input: &mut [f32]) {
        let g = self.g;
        let run = g.kernel[1] * g.out_channels;
        let area = task.pixels.len();
        let mut pixels = Buffer::take(area * task.columns);
        Product {
            a: canvas,
            rows: &task.pixels,
            a_step: [self.canvas.width * g.out_channels, 1],
            b: &task.weights,
            b_step: [run * task.columns, task.columns],
            count: [g.kernel[0], run],
            columns: g.in_channels,
        }
        .run(self.isa, Start::Zero, &mut pixels, task.columns);
        transpose(
            self.isa,
            &pixels,
            task.columns,
            input,
            area,
            [area, g.in_channels],
        );
    }

    /// Adds all partial sums to the first, in order.
    fn reduce(&self, sums: &mut [f32]) {
        let (total, rest) = sums.split_at_mut(self.part_len());
        total
            .par_chunks_mut(REDUCE_BLOCK)
            .enumerate()
            .for_each(|(block, total)| {
                for part in rest.chunks_exact(self.part_len()) {
                    let values = &part[block * REDUCE_BLOCK..][..total.len()];
                    for (sum, value) in total.iter_mut().zip(values) {
                        *sum += value;
                    }
                }
            });
    }

    /// Writes the summed gradients in Burn's order.
    fn unpack(&self, sums: &[f32], weights: &mut [f32], bias: &mut [f32]) {
        let g = self.g;
        let area = g.kernel[0] * g.kernel[1];
        for (o, filter) in weights.chunks_exact_mut(g.taps()).enumerate() {
            for (c, plane) in filter.chunks_exact_mut(area).enumerate() {
                for (tap, weight) in plane.iter_mut().enumerate() {
                    *weight = sums[(tap * g.in_channels + c) * self.columns + o];
                }
            }
        }
        bias.copy_from_slice(&sums[g.taps() * self.columns..][..g.out_channels]);
    }
}

/// The `index`-th of pieces of `len` values.
fn slice<T>(values: &[T], index: usize, len: usize) -> &[T] {
    &values[index * len..][..len]
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
