//! Gradients from the places that max-pooling picked.

use std::cell::Cell;
use std::ops::Range;

use crate::backward::{Method, Saved, slice};
use crate::convolution::GROUP;
use crate::geometry::{Geometry, POOL, channel_stride};
use crate::isa::Isa;
use crate::magnitude::all_below;
use crate::pack::{Canvas, pack_image, unpack_image};
use crate::patch::{Patch, Picks};
use crate::pool::NO_SOURCE;
use crate::scratch::Buffer;

/// Fewest taps for which picking pays: the patches must outweigh the lists.
const MIN_TAPS: usize = 25;

/// Whether only the picked places need to be visited.
///
/// The others have a gradient of zero, which adds nothing unless it meets an infinity or NaN: then
/// the product is NaN, as it would be in Burn's operations.
pub(crate) fn is_sparse(isa: Isa, g: &Geometry, saved: &Saved<'_>) -> bool {
    let finite = |values: &[f32]| all_below(isa, values, f32::INFINITY);
    let [height, width] = g.canvas();
    let places = [height, width, g.in_channels]
        .into_iter()
        .fold(GROUP, usize::saturating_mul);
    g.pool
        && g.taps() >= MIN_TAPS
        && u32::try_from(places).is_ok()
        && finite(saved.x)
        && finite(saved.weights)
        && finite(saved.grad)
}

/// The method that visits the picked places alone.
pub(crate) struct Sparse<'a> {
    isa: Isa,
    g: &'a Geometry,
    saved: &'a Saved<'a>,
    /// An image with its padding.
    canvas: Canvas,
    patch: Patch,
    /// For the input gradient: `[out, kernel height, patch stride]`.
    weights: Option<Buffer>,
    /// Where the patch of each window's first place begins in an image.
    windows: Vec<u32>,
}

impl<'a> Sparse<'a> {
    /// Plans the gradients of a batch.
    pub(crate) fn new(isa: Isa, g: &'a Geometry, saved: &'a Saved<'a>, with_input: bool) -> Self {
        let canvas = Canvas {
            size: g.canvas(),
            pixel: g.in_channels,
        };
        let run = g.kernel[1] * g.in_channels;
        let patch = Patch {
            rows: g.kernel[0],
            run,
            row_step: canvas.size[1] * g.in_channels,
            stride: channel_stride(run),
        };
        let mut sparse = Sparse {
            isa,
            g,
            saved,
            canvas,
            patch,
            weights: None,
            windows: Vec::new(),
        };
        let [height, width] = g.output();
        let [row, column] = sparse.steps().map(|step| step * POOL);
        let places = (0..height).flat_map(|y| (0..width).map(move |x| y * row + x * column));
        sparse.windows = places.map(|place| place as u32).collect();
        sparse.weights = with_input.then(|| sparse.pack_filters());
        sparse
    }

    /// Distance on the canvas of two rows and of two pixels of the convolution's result.
    fn steps(&self) -> [usize; 2] {
        [
            self.g.stride[0] * self.patch.row_step,
            self.g.stride[1] * self.g.in_channels,
        ]
    }

    /// Values of a filter: `[kernel height, patch stride]`.
    fn filter_len(&self) -> usize {
        self.patch.rows * self.patch.stride
    }

    /// Where weight `[c, tap]` of a filter stands in a packed filter.
    fn filter_place(&self, c: usize, tap: usize) -> usize {
        let (y, x) = (tap / self.g.kernel[1], tap % self.g.kernel[1]);
        y * self.patch.stride + x * self.g.in_channels + c
    }

    fn pack_filters(&self) -> Buffer {
        let g = self.g;
        let area = g.kernel[0] * g.kernel[1];
        let mut packed = Buffer::zeroed(g.out_channels * self.filter_len());
        let filters = self.saved.weights.chunks_exact(g.taps());
        for (filter, packed) in filters.zip(packed.chunks_exact_mut(self.filter_len())) {
            for (i, &weight) in filter.iter().enumerate() {
                packed[self.filter_place(i / area, i % area)] = weight;
            }
        }
        packed
    }

    /// Reorders some images, one after the other.
    fn pack(&self, images: &Range<usize>) -> Buffer {
        let g = self.g;
        let mut pixels = self.canvases();
        for (image, pixels) in images
            .clone()
            .zip(pixels.chunks_exact_mut(self.canvas.len()))
        {
            pack_image(
                self.isa,
                g,
                self.canvas,
                slice(self.saved.x, image, g.image_len()),
                pixels,
            );
        }
        pixels
    }

    /// Zeros for a group of images, with room for whole vectors behind the last.
    fn canvases(&self) -> Buffer {
        Buffer::zeroed(GROUP * self.canvas.len() + self.patch.stride)
    }

    /// Lists the picked places of one output channel in some images.
    fn pick<'b>(&self, images: &Range<usize>, channel: usize, lists: &'b mut Lists) -> Picks<'b> {
        let area = self.windows.len();
        lists.values.resize(GROUP * area, 0.0);
        lists.places.resize(GROUP * area, 0);
        let mut len = 0;
        for (i, image) in images.clone().enumerate() {
            let grad =
                &slice(self.saved.grad, image, self.g.output_len())[channel * area..][..area];
            let sources = slice(self.saved.sources, image, self.g.sources_len());
            let sources = sources[channel..]
                .iter()
                .step_by(channel_stride(self.g.out_channels));
            let image = (i * self.canvas.len()) as u32;
            let [row, column] = self.steps().map(|step| step as u32);
            let offsets = [image, image + column, image + row, image + row + column, 0];
            for ((&value, &source), &window) in grad.iter().zip(sources).zip(&self.windows) {
                // Written always and counted if alive: whether it is cannot be predicted.
                lists.values[len] = value;
                lists.places[len] = window + offsets[usize::from(source.min(NO_SOURCE))];
                len += usize::from(source < NO_SOURCE);
            }
        }
        Picks {
            values: &lists.values[..len],
            places: &lists.places[..len],
        }
    }

    /// Adds the gradients of some images, at most a group.
    fn group(&self, images: Range<usize>, sums: &mut [f32], input: Option<&mut [f32]>) {
        let g = self.g;
        let pixels = self.pack(&images);
        let mut gradient = self
            .weights
            .as_ref()
            .map(|weights| (weights, self.canvases()));
        let (filters, bias) = sums.split_at_mut(g.out_channels * self.filter_len());
        let mut lists = LISTS.take();
        for (channel, filter) in filters.chunks_exact_mut(self.filter_len()).enumerate() {
            let picks = self.pick(&images, channel, &mut lists);
            bias[channel] += picks.values.iter().sum::<f32>();
            self.patch.accumulate(self.isa, picks, &pixels, filter);
            if let Some((weights, canvases)) = &mut gradient {
                self.patch.scatter(
                    self.isa,
                    picks,
                    slice(weights, channel, self.filter_len()),
                    canvases,
                );
            }
        }
        LISTS.set(lists);
        if let (Some((_, canvases)), Some(input)) = (gradient, input) {
            let canvases = canvases.chunks_exact(self.canvas.len());
            for (pixels, image) in canvases.zip(input.chunks_exact_mut(g.image_len())) {
                unpack_image(self.isa, g, self.canvas, pixels, image);
            }
        }
    }
}

/// Lists of picked places, kept by each thread.
#[derive(Default)]
struct Lists {
    values: Vec<f32>,
    places: Vec<u32>,
}

thread_local! {
    static LISTS: Cell<Lists> = Cell::default();
}

impl Method for Sparse<'_> {
    fn group(&self) -> usize {
        GROUP
    }

    fn sums_len(&self) -> usize {
        self.g.out_channels * self.filter_len() + channel_stride(self.g.out_channels)
    }

    fn part(&self, images: Range<usize>, sums: &mut [f32], mut input: Option<&mut [f32]>) {
        let len = self.g.image_len();
        sums.fill(0.0);
        for first in images.clone().step_by(GROUP) {
            let group = first..images.end.min(first + GROUP);
            let place = (first - images.start) * len;
            let input = input
                .as_deref_mut()
                .map(|input| &mut input[place..][..group.len() * len]);
            self.group(group, sums, input);
        }
    }

    fn unpack(&self, sums: &[f32], weights: &mut [f32], bias: &mut [f32]) {
        let g = self.g;
        let area = g.kernel[0] * g.kernel[1];
        let filters = sums.chunks_exact(self.filter_len());
        for (filter, packed) in weights.chunks_exact_mut(g.taps()).zip(filters) {
            for (i, weight) in filter.iter_mut().enumerate() {
                *weight = packed[self.filter_place(i / area, i % area)];
            }
        }
        bias.copy_from_slice(&sums[g.out_channels * self.filter_len()..][..g.out_channels]);
    }
}
