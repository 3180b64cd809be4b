//! Batch normalisation with what follows it, as models use it.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{self, BatchNormTrainOutput};

use crate::attach::batch_norm::{fused, fused_train};
use crate::switch::enabled;

/// Normalises a batch by its own mean and variance, then ReLU if it is asked for.
///
/// - `x`: `[batch, channels, height, width]`, on a device with autodiff
/// - `gamma`, `beta`: `[channels]`
/// - result: as [`module::batch_norm_train`] gives it
///
/// Fused, or Burn's separate operations, as [`crate::conv2d_block`].
///
/// # Panics
/// As [`module::batch_norm_train`] does: when the shapes don't fit.
pub fn batch_norm_train(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    with_relu: bool,
) -> BatchNormTrainOutput<4> {
    if enabled()
        && let Some(result) = fused_train(&x, &gamma, &beta, epsilon, with_relu)
    {
        return result;
    }
    let mut result = module::batch_norm_train(x, gamma, beta, epsilon);
    if with_relu {
        result.output = relu(result.output);
    }
    result
}

/// Normalises a batch by a known mean and variance, then ReLU if it is asked for.
///
/// - `x`: `[batch, channels, height, width]`
/// - `gamma`, `beta`, `mean`, `variance`: `[channels]`
/// - result: as `x`
///
/// Fused on `flex` without autodiff, else Burn's separate operations.
///
/// # Panics
/// As [`module::batch_norm`] does: when the shapes don't fit.
pub fn batch_norm(
    x: Tensor<4>,
    [gamma, beta]: [Tensor<1>; 2],
    [mean, variance]: [Tensor<1>; 2],
    epsilon: f64,
    with_relu: bool,
) -> Tensor<4> {
    let parameters = [&gamma, &beta, &mean, &variance];
    if enabled()
        && let Some(out) = fused(&x, parameters, epsilon, with_relu)
    {
        return out;
    }
    let out = module::batch_norm(x, gamma, beta, mean, variance, epsilon);
    if with_relu { relu(out) } else { out }
}
