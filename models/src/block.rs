//! Layers that the CPU computes as one: a convolution with the ReLU and the
//! 2×2 max-pooling that follow it.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::tensor::Tensor;
use kernels::{Conv2dBlock, conv2d_block};

use crate::layer::Layer;

/// A convolution and what follows it.
pub(crate) struct Block<'a> {
    conv: &'a Conv2d,
    settings: Conv2dBlock,
    /// Number of layers that it stands for.
    pub(crate) layers: usize,
}

impl<'a> Block<'a> {
    /// The block that begins with the first of `layers`, if that is a
    /// convolution that can be fused.
    pub(crate) fn starting_at(layers: &'a [(String, Layer)]) -> Option<Self> {
        let [(_, Layer::Conv2d(conv)), rest @ ..] = layers else {
            return None;
        };
        let PaddingConfig2d::Explicit(top, left, bottom, right) = conv.padding else {
            return None;
        };
        if conv.dilation != [1, 1] || conv.groups != 1 {
            return None;
        }
        let relu = matches!(rest, [(_, Layer::Relu), ..]);
        let rest = &rest[usize::from(relu)..];
        let max_pool = matches!(rest, [(_, Layer::MaxPool(pool)), ..] if halves(pool));
        Some(Self {
            conv,
            settings: Conv2dBlock {
                stride: conv.stride,
                padding: [top, left, bottom, right],
                relu,
                max_pool,
            },
            layers: 1 + usize::from(relu) + usize::from(max_pool),
        })
    }

    /// `[n, c, h, w]` → `[n, channels, height, width]` after the last layer.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let bias = self.conv.bias.as_ref().map(|bias| bias.val());
        conv2d_block(x, self.conv.weight.val(), bias, &self.settings)
    }
}

/// Whether the windows are 2×2, side by side and without padding.
fn halves(pool: &MaxPool2d) -> bool {
    pool.kernel_size == [2, 2]
        && pool.stride == [2, 2]
        && pool.dilation == [1, 1]
        && pool.padding == PaddingConfig2d::Explicit(0, 0, 0, 0)
        && !pool.ceil_mode
}
