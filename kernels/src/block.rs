//! A convolution with what follows it, as models use it.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};

use crate::attach::conv2d::fused;
use crate::geometry::POOL;
use crate::switch::enabled;

/// Settings of a convolution block. Dilation and groups are 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dBlock {
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero padding at the top, left, bottom and right.
    pub padding: [usize; 4],
    /// Whether ReLU follows.
    pub relu: bool,
    /// Whether max-pooling follows: windows of 2×2, stride 2, no padding; the last row and column
    /// of an odd size are left out.
    pub max_pool: bool,
}

impl Default for Conv2dBlock {
    fn default() -> Self {
        Conv2dBlock {
            stride: [1, 1],
            padding: [0; 4],
            relu: false,
            max_pool: false,
        }
    }
}

/// Convolution, then bias, ReLU and 2×2 max-pooling as the block says.
///
/// - `x`: `[batch, in_channels, height, width]`
/// - `weight`: `[out_channels, in_channels, kernel_height, kernel_width]`
/// - `bias`: `[out_channels]`
/// - result: `[batch, out_channels, output height, output width]`
///
/// On the CPU (`flex`, with or without autodiff) this is one fused operation, unless
/// [`crate::set_enabled`] turned it off. Elsewhere (other devices, gradient checkpointing, graph
/// capture, other float types than `f32`) it is Burn's separate operations.
///
/// NaN and infinities spread as through Burn's operations, but for what an infinite or
/// NaN weight or gradient makes of the zeros of the padding, as Burn's own ways differ in it, and
/// but for values that only outputs see which the pooling leaves out: they reach no gradient.
///
/// # Panics
/// As [`conv2d`] and [`max_pool2d`] do: when the shapes don't fit.
pub fn conv2d_block(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    block: &Conv2dBlock,
) -> Tensor<4> {
    if enabled()
        && let Some(out) = fused(&x, &weight, bias.as_ref(), block)
    {
        return out;
    }
    separate(x, weight, bias, block)
}

/// The block as Burn's own operations.
fn separate(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    block: &Conv2dBlock,
) -> Tensor<4> {
    let [top, left, bottom, right] = block.padding;
    let padding = [(top, bottom), (left, right)];
    let mut out = conv2d(
        x,
        weight,
        bias,
        ConvOptions::new_with_padding(block.stride, padding, [1, 1], 1),
    );
    if block.relu {
        out = relu(out);
    }
    if block.max_pool {
        out = max_pool2d(out, MaxPoolOptions::new([POOL, POOL]));
    }
    out
}
