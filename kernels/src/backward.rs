//! Gradients of a block: weights, bias and input.

use std::ops::Range;

use rayon::prelude::*;

use crate::dense::Dense;
use crate::geometry::Geometry;
use crate::isa::Isa;
use crate::scratch::Buffer;
use crate::sparse::{Sparse, is_sparse};
use crate::winograd::{Winograd, WinogradGradients, are_moderate};

/// Most partial sums of the weight gradient. The batch is cut into parts whatever the number of
/// threads, so that the order of summation, and with it the last bit of the result, does not
/// depend on it.
const MAX_PARTS: usize = 16;

/// Values of all partial sums from which there are fewer: for large weights, a part for each of a
/// few threads.
const MANY_SUMS: usize = 1 << 20;

/// Fewest parts that large weights are cut into, if the batch allows it.
const MIN_PARTS: usize = 4;

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
    /// Whether the forward pass took Winograd's method: then its operands allow it.
    pub winograd: bool,
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

/// A way to compute the gradients: images give partial sums, which are added up and unpacked.
pub(crate) trait Method: Sync {
    /// Images computed together.
    fn group(&self) -> usize;

    /// Values of a partial sum of the weight and bias gradients.
    fn sums_len(&self) -> usize;

    /// Sums the gradients of some images into `sums`, whose content is unspecified before, and
    /// writes their input gradients if they are wanted.
    fn part(&self, images: Range<usize>, sums: &mut [f32], input: Option<&mut [f32]>);

    /// Writes the total of all sums in the order of the gradients.
    fn unpack(&self, sums: &[f32], weights: &mut [f32], bias: &mut [f32]);
}

/// Computes the gradients of a block.
pub(crate) fn backward(isa: Isa, g: &Geometry, saved: &Saved<'_>, gradients: Gradients<'_>) {
    let with_input = gradients.input.is_some();
    if let Some(plan) = winograd(isa, g, saved) {
        let method = WinogradGradients::new(plan, saved, with_input);
        compute(g, &method, gradients);
    } else if is_sparse(isa, g, saved) {
        compute(g, &Sparse::new(isa, g, saved, with_input), gradients);
    } else {
        compute(g, &Dense::new(isa, g, saved, with_input), gradients);
    }
}

/// The plan for Winograd's method, where it is faster and the values allow it.
fn winograd(isa: Isa, g: &Geometry, saved: &Saved<'_>) -> Option<Winograd> {
    let plan = saved.winograd.then(|| Winograd::plan(isa, g)).flatten();
    plan.filter(|_| are_moderate(isa, &[saved.grad]))
}

fn compute(g: &Geometry, method: &impl Method, gradients: Gradients<'_>) {
    let len = method.sums_len();
    let most = (MANY_SUMS / len).clamp(MIN_PARTS, MAX_PARTS);
    let part_images = g.batch.div_ceil(most).next_multiple_of(method.group());
    let parts = g.batch.div_ceil(part_images);
    let mut sums = Buffer::take(parts * len);
    let partials = sums.par_chunks_exact_mut(len).enumerate();
    let range = |part: usize| part * part_images..g.batch.min((part + 1) * part_images);
    match gradients.input {
        Some(input) => partials
            .zip(input.par_chunks_mut(part_images * g.image_len()))
            .for_each(|((part, sums), input)| method.part(range(part), sums, Some(input))),
        None => partials.for_each(|(part, sums)| method.part(range(part), sums, None)),
    }
    let (total, rest) = sums.split_at_mut(len);
    add_up(total, rest);
    method.unpack(total, gradients.weights, gradients.bias);
}

/// Adds all partial sums to the first, in order.
fn add_up(total: &mut [f32], rest: &[f32]) {
    let len = total.len();
    total
        .par_chunks_mut(REDUCE_BLOCK)
        .enumerate()
        .for_each(|(block, total)| {
            for part in rest.chunks_exact(len) {
                let values = &part[block * REDUCE_BLOCK..][..total.len()];
                for (sum, value) in total.iter_mut().zip(values) {
                    *sum += value;
                }
            }
        });
}

/// The `index`-th of pieces of `len` values.
pub(crate) fn slice<T>(values: &[T], index: usize, len: usize) -> &[T] {
    &values[index * len..][..len]
}
