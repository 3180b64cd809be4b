//! Gradients as the adjoint of the three steps.

use std::ops::Range;

use super::Winograd;
use super::spectrum::{Spectrum, multiply, spectrum_len, tile};
use super::transform::{Operand, adjoint, transform};
use crate::backward::{Method, Saved};
use crate::geometry::channel_stride;
use crate::gradient::{add_pixels, gradient_len, gradient_of};
use crate::pack::{pack_weights_swapped, unpack_image, unpack_weights};
use crate::scratch::Buffer;
use crate::tile::Start;

/// The method that multiplies frequencies.
pub(crate) struct WinogradGradients<'a> {
    plan: Winograd,
    saved: &'a Saved<'a>,
    /// For the input gradient: the frequencies of the weights, `[out, in]`.
    weights: Option<Spectrum>,
}

impl<'a> WinogradGradients<'a> {
    /// Plans the gradients of a batch.
    pub(crate) fn new(plan: Winograd, saved: &'a Saved<'a>, with_input: bool) -> Self {
        let g = &plan.g;
        let weights = with_input.then(|| {
            let packed = pack_weights_swapped(plan.isa, g, saved.weights, |tap| tap);
            plan.kernel_spectrum(&packed, g.out_channels, g.in_channels)
        });
        WinogradGradients {
            plan,
            saved,
            weights,
        }
    }

    /// Values of the weight gradient's frequencies: `[in, out]`.
    fn weights_len(&self) -> usize {
        spectrum_len(self.plan.g.in_channels, self.plan.g.out_channels)
    }

    /// The frequencies of the gradients of some images' sums: `[tiles, out]`. Adds these gradients
    /// to that of the bias.
    fn gradients(&self, images: Range<usize>, bias: &mut [f32]) -> Spectrum {
        let (plan, g) = (&self.plan, &self.plan.g);
        let mut spectrum = Spectrum::new(images.len() * plan.tiles_len(), g.out_channels);
        let len = gradient_len(g);
        // Whole vectors are read from the last pixel on.
        let mut pixels = Buffer::zeroed(len + channel_stride(g.out_channels));
        let mut row = 0;
        for image in images {
            gradient_of(plan.isa, g, self.saved, image, &mut pixels[..len]);
            add_pixels(plan.isa, &pixels[..len], bias);
            for place in plan.places() {
                let from = (&pixels[..], plan.result_block(place, g.out_channels));
                let tile = spectrum.tile(row);
                let to = (&mut spectrum.values[..], tile);
                let operand = Operand::Result(plan.step);
                transform(plan.isa, operand, g.out_channels, from, to);
                row += 1;
            }
        }
        spectrum
    }

    /// Writes the input gradients of some images.
    fn input_of(&self, gradients: &Spectrum, weights: &Spectrum, input: &mut [f32]) {
        let (plan, g) = (&self.plan, &self.plan.g);
        let rows = input.len() / g.image_len() * plan.tiles_len();
        let mut spectrum = Spectrum::new(rows, g.in_channels);
        let sizes = [rows, g.out_channels, g.in_channels];
        let values = &mut spectrum.values;
        multiply(
            plan.isa,
            sizes,
            gradients.rows(),
            weights,
            Start::Zero,
            values,
        );

        let canvas = plan.canvas();
        let mut pixels = Buffer::take(canvas.len());
        let mut row = 0;
        for image in input.chunks_exact_mut(g.image_len()) {
            pixels.fill(0.0);
            for place in plan.places() {
                let from = (&spectrum.values[..], spectrum.tile(row));
                let to = (&mut pixels[..], plan.image_block(place));
                adjoint(plan.isa, Operand::Image, g.in_channels, from, None, to);
                row += 1;
            }
            unpack_image(plan.isa, g, canvas, &pixels, image);
        }
    }
}

impl Method for WinogradGradients<'_> {
    fn group(&self) -> usize {
        self.plan.group()
    }

    fn sums_len(&self) -> usize {
        self.weights_len() + channel_stride(self.plan.g.out_channels)
    }

    fn part(&self, images: Range<usize>, sums: &mut [f32], mut input: Option<&mut [f32]>) {
        let (plan, g) = (&self.plan, &self.plan.g);
        let len = g.image_len();
        let (total, bias) = sums.split_at_mut(self.weights_len());
        bias.fill(0.0);
        for first in images.clone().step_by(plan.group()) {
            let group = first..images.end.min(first + plan.group());
            let pixels = plan.images(&self.saved.x[group.start * len..group.end * len]);
            let gradients = self.gradients(group.clone(), &mut bias[..g.out_channels]);
            let start = if first == images.start {
                Start::Zero
            } else {
                Start::Result
            };
            let rows = group.len() * plan.tiles_len();
            let sizes = [g.in_channels, rows, g.out_channels];
            multiply(
                plan.isa,
                sizes,
                pixels.transposed(),
                &gradients,
                start,
                total,
            );
            if let (Some(input), Some(weights)) = (input.as_deref_mut(), &self.weights) {
                let place = (first - images.start) * len;
                let input = &mut input[place..][..group.len() * len];
                self.input_of(&gradients, weights, input);
            }
        }
    }

    fn unpack(&self, sums: &[f32], weights: &mut [f32], bias: &mut [f32]) {
        let (plan, g) = (&self.plan, &self.plan.g);
        let stride = channel_stride(g.out_channels);
        let operand = Operand::Kernel(g.kernel[0]);
        let zeros = Buffer::zeroed(stride);
        let mut packed = Buffer::take(g.taps() * stride);
        for row in 0..g.in_channels {
            let from = (sums, tile(row, g.in_channels, g.out_channels));
            let to = (
                &mut packed[..],
                plan.kernel_block(row, g.in_channels, stride),
            );
            adjoint(plan.isa, operand, g.out_channels, from, Some(&zeros), to);
        }
        unpack_weights(plan.isa, g, &packed, weights);
        bias.copy_from_slice(&sums[self.weights_len()..][..g.out_channels]);
    }
}
