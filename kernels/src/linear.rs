//! A linear layer with what follows it, as models use it.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module;

use crate::attach::linear::fused;
use crate::switch::enabled;

/// x · weight + bias, then ReLU if it is asked for.
///
/// - `x`: `[batch, inputs]`
/// - `weight`: `[inputs, outputs]`
/// - `bias`: `[outputs]`
/// - result: `[batch, outputs]`
///
/// Fused, or Burn's separate operations, as [`crate::conv2d_block`]; also separate where the
/// weights are many or the rows few.
///
/// # Panics
/// As [`module::linear`] does: when the shapes don't fit.
pub fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    with_relu: bool,
) -> Tensor<2> {
    if enabled()
        && let Some(out) = fused(&x, &weight, bias.as_ref(), with_relu)
    {
        return out;
    }
    let out = module::linear(x, weight, bias);
    if with_relu { relu(out) } else { out }
}
