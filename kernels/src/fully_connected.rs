//! A linear layer of a batch, and its gradients.
//!
//! Rows of outputs are padded to whole vectors (`channel_stride`) wherever they are a right operand
//! or a result of [`Product`].

use std::borrow::Cow;

use rayon::prelude::*;

use crate::forward::relu;
use crate::geometry::channel_stride;
use crate::gradient::{add_pixels, relu_gradient};
use crate::isa::Isa;
use crate::scratch::Buffer;
use crate::tile::{Product, Start};
use crate::transpose::transpose;

/// Rows of a result that one task computes.
const TASK_ROWS: usize = 16;

/// Multiplications that are worth handing to another thread.
const TASK_PRODUCTS: usize = 1 << 17;

/// Fewest rows: for less, turning the weights around would take longer than the products.
const LEAST_ROWS: usize = 4;

/// Most weights: more would have to be cut into blocks that fit the caches.
const MOST_WEIGHTS: usize = 1 << 21;

/// Sizes of a layer, and what follows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub rows: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub relu: bool,
}

impl Sizes {
    /// Whether nothing is empty and rows and weights are so many that this method is fast.
    pub(crate) fn are_moderate(&self) -> bool {
        let weights = self.inputs * self.outputs;
        self.rows >= LEAST_ROWS && (1..=MOST_WEIGHTS).contains(&weights)
    }
}

/// The layer's output `[rows, outputs]` for `x` `[rows, inputs]` and `weights` `[inputs, outputs]`.
pub(crate) fn forward(
    isa: Isa,
    sizes: &Sizes,
    x: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let weights = padded(weights, sizes.outputs);
    let mut start = Buffer::zeroed(channel_stride(sizes.outputs));
    if let Some(bias) = bias {
        start[..bias.len()].copy_from_slice(bias);
    }
    let left = Left {
        values: x,
        row: sizes.inputs,
        step: 1,
        steps: sizes.inputs,
    };
    let size = [sizes.rows, sizes.outputs];
    multiply(isa, size, left, &weights, Start::Row(&start), |values| {
        if sizes.relu {
            relu(isa, values);
        }
    })
}

/// The gradient of the sums, `[rows, channel_stride of outputs]`: where ReLU lets the output's
/// gradient through.
pub(crate) fn masked(isa: Isa, sizes: &Sizes, grad: &[f32], out: Option<&[f32]>) -> Vec<f32> {
    let (outputs, stride) = (sizes.outputs, channel_stride(sizes.outputs));
    let mut padded = vec![0.0; sizes.rows * stride];
    for (row, to) in padded.chunks_exact_mut(stride).enumerate() {
        let row = row * outputs..(row + 1) * outputs;
        let to = &mut to[..outputs];
        match out {
            None => to.copy_from_slice(&grad[row]),
            Some(out) => relu_gradient(isa, &out[row.clone()], &grad[row], to),
        }
    }
    padded
}

/// The weights' gradient `[inputs, outputs]`, for the sums' as [`masked`] gives it.
pub(crate) fn weight_gradient(isa: Isa, sizes: &Sizes, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let left = Left {
        values: x,
        row: 1,
        step: sizes.inputs,
        steps: sizes.rows,
    };
    let size = [sizes.inputs, sizes.outputs];
    multiply(isa, size, left, grad, Start::Zero, |_| ())
}

/// The bias's gradient `[outputs]`, for the sums' as [`masked`] gives it.
pub(crate) fn bias_gradient(isa: Isa, sizes: &Sizes, grad: &[f32]) -> Vec<f32> {
    let mut bias = vec![0.0; channel_stride(sizes.outputs)];
    add_pixels(isa, grad, &mut bias);
    bias.truncate(sizes.outputs);
    bias
}

/// Weights `[outputs, channel_stride of inputs]`.
pub(crate) struct Transposed(Buffer);

impl Transposed {
    pub(crate) fn new(isa: Isa, sizes: &Sizes, weights: &[f32]) -> Self {
        let (inputs, stride) = (sizes.inputs, channel_stride(sizes.inputs));
        let mut transposed = Buffer::take(sizes.outputs * stride);
        let blocks = transposed.par_chunks_mut(TASK_ROWS * stride).enumerate();
        blocks.for_each(|(block, to)| {
            let size = [inputs, to.len() / stride];
            let from = &weights[block * TASK_ROWS..];
            transpose(isa, from, sizes.outputs, to, stride, size);
        });
        Transposed(transposed)
    }

    /// The input's gradient `[rows, inputs]`, for the sums' as [`masked`] gives it.
    pub(crate) fn input_gradient(&self, isa: Isa, sizes: &Sizes, grad: &[f32]) -> Vec<f32> {
        let left = Left {
            values: grad,
            row: channel_stride(sizes.outputs),
            step: 1,
            steps: sizes.outputs,
        };
        let size = [sizes.rows, sizes.inputs];
        multiply(isa, size, left, &self.0, Start::Zero, |_| ())
    }
}

/// Rows of `columns` values with room for whole vectors.
fn padded(values: &[f32], columns: usize) -> Cow<'_, [f32]> {
    let stride = channel_stride(columns);
    if stride == columns {
        return Cow::Borrowed(values);
    }
    let mut padded = vec![0.0; values.len() / columns * stride];
    for (to, from) in padded
        .chunks_exact_mut(stride)
        .zip(values.chunks_exact(columns))
    {
        to[..columns].copy_from_slice(from);
    }
    Cow::Owned(padded)
}

/// The left operand of a product, by rows and steps.
#[derive(Clone, Copy)]
struct Left<'a> {
    values: &'a [f32],
    /// Distance of two rows.
    row: usize,
    /// Distance of two steps.
    step: usize,
    /// Steps that are summed.
    steps: usize,
}

/// `finish(start + left · right)` for `[rows, columns]`, and `right` `[steps, channel_stride of
/// columns]`.
fn multiply(
    isa: Isa,
    [rows, columns]: [usize; 2],
    left: Left<'_>,
    right: &[f32],
    start: Start<'_>,
    finish: impl Fn(&mut [f32]) + Sync,
) -> Vec<f32> {
    let stride = channel_stride(columns);
    let mut result = vec![0.0; rows * columns];
    let products = TASK_ROWS * columns * left.steps;
    let together = TASK_PRODUCTS.div_ceil(products.max(1));
    let tasks = result.par_chunks_mut(TASK_ROWS * columns).enumerate();
    tasks.with_min_len(together).for_each(|(task, result)| {
        let count = result.len() / columns;
        let first = task * TASK_ROWS;
        let run = |c: &mut [f32]| {
            Product {
                a: left.values,
                rows: &places::<TASK_ROWS>(first, left.row)[..count],
                a_step: [0, 0, left.step],
                b: right,
                b_step: [0, 0, stride],
                count: [1, 1, left.steps],
                columns,
                results: &places::<TASK_ROWS>(0, stride)[..count],
            }
            .run(isa, start, c);
        };
        if stride == columns {
            run(result);
        } else {
            let mut wide = Buffer::take(count * stride);
            run(&mut wide);
            for (to, from) in result
                .chunks_exact_mut(columns)
                .zip(wide.chunks_exact(stride))
            {
                to.copy_from_slice(&from[..columns]);
            }
        }
        finish(result);
    });
    result
}

/// Where rows begin.
fn places<const N: usize>(first: usize, step: usize) -> [usize; N] {
    std::array::from_fn(|row| (first + row) * step)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::{cases, values};

    #[track_caller]
    fn assert_close(found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-4,
                "{found}, not {expected}"
            );
        }
    }

    /// `start + a · b` in `f64`, for `a(row, step)` and `b(step, column)`.
    fn product(
        [rows, steps, columns]: [usize; 3],
        start: impl Fn(usize) -> f32,
        a: impl Fn(usize, usize) -> f32,
        b: impl Fn(usize, usize) -> f32,
    ) -> Vec<f64> {
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        places
            .map(|(row, column)| {
                let term = |step| f64::from(a(row, step)) * f64::from(b(step, column));
                f64::from(start(column)) + (0..steps).map(term).sum::<f64>()
            })
            .collect()
    }

    proptest! {
        #![proptest_config(cases(100))]

        #[test]
        fn every_instruction_set_computes_the_formula(
            sizes in [1_usize..40, 1..50, 1..70],
            relu: bool,
            seed: u64,
        ) {
            let [rows, inputs, outputs] = sizes;
            let sizes = Sizes { rows, inputs, outputs, relu };
            let mut state = seed;
            let mut values = |len| values(&mut state, len);
            let x = values(rows * inputs);
            let weights = values(inputs * outputs);
            let bias = values(outputs);
            let grad = values(rows * outputs);
            let x_at = |row: usize, input: usize| x[row * inputs + input];
            let weight = |input: usize, output: usize| weights[input * outputs + output];
            let mut expected = product([rows, inputs, outputs], |o| bias[o], x_at, weight);
            if relu {
                expected.iter_mut().for_each(|value| *value = value.max(0.0));
            }
            for isa in Isa::available() {
                let out = forward(isa, &sizes, &x, &weights, Some(&bias));
                assert_close(&out, &expected);

                let passed = |row: usize, output: usize| {
                    let place = row * outputs + output;
                    if relu && out[place] <= 0.0 { 0.0 } else { grad[place] }
                };
                let masked = masked(isa, &sizes, &grad, relu.then_some(&out));
                assert_close(
                    &Transposed::new(isa, &sizes, &weights).input_gradient(isa, &sizes, &masked),
                    &product([rows, outputs, inputs], |_| 0.0, passed, |o, i| weight(i, o)),
                );
                assert_close(
                    &weight_gradient(isa, &sizes, &x, &masked),
                    &product([inputs, rows, outputs], |_| 0.0, |i, row| x_at(row, i), passed),
                );
                assert_close(
                    &bias_gradient(isa, &sizes, &masked),
                    &product([1, rows, outputs], |_| 0.0, |_, _| 1.0, passed),
                );
            }
        }
    }
}
