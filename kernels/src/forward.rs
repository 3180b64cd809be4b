//! Convolution, bias, ReLU and max-pool of a batch.

use rayon::prelude::*;

use crate::convolution::{Convolution, GROUP};
use crate::geometry::{Geometry, channel_stride};
use crate::isa::{Isa, per_isa};
use crate::pack::{pack_bias, pack_images, pack_weights};
use crate::pool::pool;
use crate::region::Window;
use crate::scratch::Buffer;
use crate::tile::Start;
use crate::transpose::transpose;
use crate::winograd::{Spectrum, Winograd, are_moderate};

/// Computes the block for a batch.
///
/// - `x`: `[batch, in_channels, height, width]`
/// - `weights`: `[out_channels, in_channels, kernel_height, kernel_width]`
/// - `out`: `[batch, out_channels, output height, output width]`
/// - `sources`: for each output, in the order `[batch, height, width, channel_stride]`, which place
///   of its pooling window it comes from, or [`crate::pool::NO_SOURCE`]; empty where it is not wanted.
/// - result: whether Winograd's method was taken.
pub(crate) fn forward(
    isa: Isa,
    g: &Geometry,
    x: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    out: &mut [f32],
    sources: &mut [u8],
) -> bool {
    let batch = Batch::new(isa, g, x, weights, bias);
    let images = x.par_chunks(batch.group * g.image_len());
    let outputs = out.par_chunks_mut(batch.group * g.output_len());
    if sources.is_empty() {
        images
            .zip(outputs)
            .for_each(|(images, out)| batch.images(images, out, &mut []));
    } else {
        let sources = sources.par_chunks_mut(batch.group * g.sources_len());
        images
            .zip(outputs)
            .zip(sources)
            .for_each(|((images, out), sources)| {
                batch.images(images, out, sources);
            });
    }
    matches!(batch.method, Method::Winograd { .. })
}

/// What all images of a batch share.
struct Batch<'a> {
    isa: Isa,
    g: &'a Geometry,
    method: Method,
    bias: Buffer,
    /// Images computed together.
    group: usize,
}

/// A way to compute the sums of some images, `[image, height, width, channel_stride]`.
enum Method {
    Direct {
        window: Window,
        convolution: Convolution,
        weights: Buffer,
    },
    Winograd {
        plan: Winograd,
        weights: Spectrum,
    },
}

impl<'a> Batch<'a> {
    fn new(isa: Isa, g: &'a Geometry, x: &[f32], weights: &[f32], bias: Option<&[f32]>) -> Self {
        let plan = Winograd::plan(isa, g).filter(|_| are_moderate(isa, &[x, weights]));
        let (method, group) = match plan {
            Some(plan) => {
                let weights = plan.weights(weights);
                (Method::Winograd { plan, weights }, plan.group())
            }
            None => direct(isa, g, weights),
        };
        Batch {
            isa,
            g,
            method,
            bias: pack_bias(g, bias),
            group,
        }
    }

    /// Computes some images.
    fn images(&self, images: &[f32], out: &mut [f32], sources: &mut [u8]) {
        let g = self.g;
        let mut sums = self.sums(images);
        let len = sums.len() / (images.len() / g.image_len());
        let sums = sums.chunks_exact_mut(len);
        for (i, (sums, out)) in sums.zip(out.chunks_exact_mut(g.output_len())).enumerate() {
            let sources = match sources {
                [] => &mut [],
                _ => &mut sources[i * g.sources_len()..][..g.sources_len()],
            };
            self.finish(sums, out, sources);
        }
    }

    /// The convolution with its bias.
    fn sums(&self, images: &[f32]) -> Buffer {
        match &self.method {
            Method::Direct {
                window,
                convolution,
                weights,
            } => {
                let count = images.len() / self.g.image_len();
                let pixels = pack_images(self.isa, self.g, window, images);
                let mut sums = Buffer::take(count * convolution.result_len());
                let start = Start::Row(&self.bias);
                convolution.run(self.isa, count, &pixels, weights, start, &mut sums);
                sums
            }
            Method::Winograd { plan, weights } => plan.sums(images, weights, &self.bias),
        }
    }

    /// Applies ReLU and pooling to the sums of one image and writes them to the output.
    fn finish(&self, sums: &mut [f32], out: &mut [f32], sources: &mut [u8]) {
        let g = self.g;
        let stride = channel_stride(g.out_channels);
        let area = g.output()[0] * g.output()[1];
        let size = [area, g.out_channels];
        if g.pool {
            let mut pooled = Buffer::take(area * stride);
            pool(self.isa, g, sums, stride, &mut pooled, sources);
            transpose(self.isa, &pooled, stride, out, area, size);
        } else {
            if g.relu {
                relu(self.isa, sums);
            }
            transpose(self.isa, sums, stride, out, area, size);
        }
    }
}

/// The direct method, and the images it computes together.
fn direct(isa: Isa, g: &Geometry, weights: &[f32]) -> (Method, usize) {
    let window = g.window();
    let group = if window.before == [0, 0] { 1 } else { GROUP };
    let method = Method::Direct {
        window,
        convolution: Convolution::new(window, g.out_channels, g.batch, group),
        weights: pack_weights(isa, g, weights),
    };
    (method, group)
}

per_isa! {
    /// ReLU in place; NaN stays NaN.
    fn relu(values: &mut [f32]) = relu_body
}

#[inline(always)]
fn relu_body(values: &mut [f32]) {
    for value in values {
        *value = if *value <= 0.0 { 0.0 } else { *value };
    }
}
