//! Gradients from the whole output gradient: as convolutions.

use std::ops::Range;

use crate::backward::{Method, Saved};
use crate::convolution::{Convolution, GROUP};
use crate::geometry::{Geometry, channel_stride};
use crate::gradient::{add_pixels, gradient_len, gradient_of};
use crate::isa::Isa;
use crate::pack::{pack_images, pack_weights_swapped, unpack_weights};
use crate::region::{TapRegion, Window};
use crate::scratch::Buffer;
use crate::tile::{Product, Start};
use crate::transpose::transpose;

/// The convolution that gives the input gradient: over the output gradients, spread by the strides,
/// with the turned kernel.
fn input_window(g: &Geometry) -> Window {
    let before = |axis: usize| g.kernel[axis].cast_signed() - 1 - g.padding[axis].cast_signed();
    Window {
        size: g.used(),
        channels: g.out_channels,
        kernel: g.kernel,
        stride: [1, 1],
        spread: g.stride,
        before: [before(0), before(1)],
        outputs: g.input,
    }
}

/// The method that multiplies everything: two plain convolutions.
pub(crate) struct Dense<'a> {
    isa: Isa,
    g: &'a Geometry,
    saved: &'a Saved<'a>,
    window: Window,
    taps: Vec<TapRegion>,
    /// For the input gradient: the turned weights and the convolution with them.
    input: Option<(Buffer, Convolution)>,
}

impl<'a> Dense<'a> {
    /// Plans the gradients of a batch.
    pub(crate) fn new(isa: Isa, g: &'a Geometry, saved: &'a Saved<'a>, with_input: bool) -> Self {
        let window = g.window();
        let mut taps = window.tap_regions();
        for place in taps.iter_mut().flat_map(|region| &mut region.taps) {
            *place *= channel_stride(g.out_channels);
        }
        let input = with_input.then(|| {
            let turned = |tap| g.kernel[0] * g.kernel[1] - 1 - tap;
            let convolution = Convolution::new(input_window(g), g.in_channels, g.batch, GROUP);
            (
                pack_weights_swapped(isa, g, saved.weights, turned),
                convolution,
            )
        });
        Dense {
            isa,
            g,
            saved,
            window,
            taps,
            input,
        }
    }

    /// Values of a weight gradient: `[taps, channel_stride]`.
    fn weights_len(&self) -> usize {
        self.g.taps() * channel_stride(self.g.out_channels)
    }

    /// Adds the weight gradient of some images, `[taps, channel_stride]`: the sum over all pixels
    /// of the input at a tap times the gradient.
    fn weights_of(&self, x: &[f32], gradients: &[f32], start: Start<'_>, weights: &mut [f32]) {
        let g = self.g;
        let [row, pixel] = self.window.steps();
        let (out_row, out_pixel) = (g.used()[1] * g.out_channels, g.out_channels);
        let pixels = pack_images(self.isa, g, &self.window, x);
        for region in &self.taps {
            Product {
                a: &pixels,
                rows: &region.rows,
                a_step: [
                    self.window.image_len(),
                    g.stride[0] * row,
                    g.stride[1] * pixel,
                ],
                b: &gradients[region.first[0] * out_row + region.first[1] * out_pixel..],
                b_step: [gradient_len(self.g), out_row, out_pixel],
                count: [x.len() / g.image_len(), region.count[0], region.count[1]],
                columns: g.out_channels,
                results: &region.taps,
            }
            .run(self.isa, start, weights);
        }
    }

    /// Writes the input gradient of some images.
    fn input_of(&self, images: usize, gradients: &[f32], input: &mut [f32]) {
        let Some((weights, convolution)) = &self.input else {
            return;
        };
        let g = self.g;
        let mut pixels = Buffer::take(images * convolution.result_len());
        convolution.run(
            self.isa,
            images,
            gradients,
            weights,
            Start::Zero,
            &mut pixels,
        );
        let (area, stride) = (g.input[0] * g.input[1], channel_stride(g.in_channels));
        let results = pixels.chunks_exact(convolution.result_len());
        for (pixels, planes) in results.zip(input.chunks_exact_mut(g.image_len())) {
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
    fn group(&self) -> usize {
        GROUP
    }

    fn sums_len(&self) -> usize {
        self.weights_len() + channel_stride(self.g.out_channels)
    }

    fn part(&self, images: Range<usize>, sums: &mut [f32], mut input: Option<&mut [f32]>) {
        let (g, len) = (self.g, self.g.image_len());
        // Whole vectors are read from the last pixel on.
        let slack = channel_stride(g.out_channels);
        let mut gradients = Buffer::zeroed(GROUP * gradient_len(self.g) + slack);
        let (weights, bias) = sums.split_at_mut(self.weights_len());
        bias.fill(0.0);
        for first in images.clone().step_by(GROUP) {
            let group = first..images.end.min(first + GROUP);
            for (image, sums) in group
                .clone()
                .zip(gradients.chunks_exact_mut(gradient_len(self.g)))
            {
                gradient_of(self.isa, g, self.saved, image, sums);
                add_pixels(self.isa, sums, &mut bias[..g.out_channels]);
            }
            let x = &self.saved.x[first * len..][..group.len() * len];
            let start = if first == images.start {
                Start::Zero
            } else {
                Start::Result
            };
            self.weights_of(x, &gradients, start, weights);
            if let Some(input) = input.as_deref_mut() {
                let place = (first - images.start) * len;
                self.input_of(
                    group.len(),
                    &gradients,
                    &mut input[place..][..group.len() * len],
                );
            }
        }
    }

    fn unpack(&self, sums: &[f32], weights: &mut [f32], bias: &mut [f32]) {
        unpack_weights(self.isa, self.g, sums, weights);
        bias.copy_from_slice(&sums[self.weights_len()..][..self.g.out_channels]);
    }
}
