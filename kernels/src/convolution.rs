//! A convolution over a few images of pixels, region by region.

use crate::geometry::channel_stride;
use crate::isa::Isa;
use crate::region::{Region, Window};
use crate::tile::{Product, Start};

/// Images computed together: at the border, where few outputs of an image see the same taps,
/// they fill the tiles.
pub(crate) const GROUP: usize = 4;

/// A convolution that was planned for some number of images.
pub(crate) struct Convolution {
    window: Window,
    /// Channels of the result.
    channels: usize,
    /// Plans by number of images less one; an empty plan for numbers that don't occur.
    plans: Vec<Vec<Region>>,
}

impl Convolution {
    /// Plans a convolution with `channels` filters for `batch` images in groups of `group`.
    pub(crate) fn new(window: Window, channels: usize, batch: usize, group: usize) -> Convolution {
        let stride = channel_stride(channels);
        let plans = (1..=group).map(|images| {
            if images != group.min(batch) && images != batch % group {
                return Vec::new();
            }
            let mut regions = window.regions(images);
            for place in regions.iter_mut().flat_map(|region| &mut region.outputs) {
                *place *= stride;
            }
            regions
        });
        Convolution {
            window,
            channels,
            plans: plans.collect(),
        }
    }

    /// Values of one result: `[height, width, channel_stride]`.
    pub(crate) fn result_len(&self) -> usize {
        self.window.outputs[0] * self.window.outputs[1] * channel_stride(self.channels)
    }

    /// Convolves `images` images.
    ///
    /// `weights` is `[kernel height, kernel width, image channels, channel_stride]`.
    pub(crate) fn run(
        &self,
        isa: Isa,
        images: usize,
        pixels: &[f32],
        weights: &[f32],
        start: Start<'_>,
        result: &mut [f32],
    ) {
        let stride = channel_stride(self.channels);
        let tap = self.window.channels * stride;
        let row = self.window.kernel[1] * tap;
        let steps = self.window.steps();
        let [down, right] = self.window.spread;
        for region in &self.plans[images - 1] {
            let [height, width] = region.count;
            // Without a spread, the horizontal taps and their channels are one run.
            let (width, run) = if right == 1 {
                (1, width * steps[1])
            } else {
                (width, steps[1])
            };
            Product {
                a: pixels,
                rows: &region.rows,
                a_step: [steps[0], steps[1], 1],
                b: &weights[region.first[0] * row + region.first[1] * tap..],
                b_step: [down * row, right * tap, stride],
                count: [height, width, run],
                columns: self.channels,
                results: &region.outputs,
            }
            .run(isa, start, result);
        }
    }
}
