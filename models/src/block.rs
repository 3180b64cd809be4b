//! Layers that the CPU computes as one: a convolution with the ReLU and the
//! 2×2 max-pooling that follow it, a batch normalisation or a linear layer with
//! its ReLU.

use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use kernels::{Conv2dBlock, PoolWindow, batch_norm, batch_norm_train, conv2d_block, linear};

use crate::layer::{Activation, Layer};

/// Layers that are computed as one.
pub(crate) enum Block<'a> {
    /// A convolution with the ReLU and the pooling that follow it.
    Conv2d(&'a Conv2d, Conv2dBlock),
    /// A batch normalisation with ReLU.
    BatchNorm(&'a BatchNorm),
    /// A linear layer with ReLU.
    Linear(&'a Linear),
}

impl<'a> Block<'a> {
    /// The block that begins with the first of `layers`, if that can be fused.
    pub(crate) fn starting_at(layers: &'a [(String, Layer)]) -> Option<Self> {
        let [(_, first), rest @ ..] = layers else {
            return None;
        };
        let relu = matches!(rest, [(_, Layer::Relu), ..]);
        match first {
            Layer::BatchNorm(norm) if relu => Some(Self::BatchNorm(norm)),
            Layer::Linear(linear) if relu => Some(Self::Linear(linear)),
            Layer::Conv2d(conv) => {
                let settings = settings(conv, relu, &rest[usize::from(relu)..])?;
                Some(Self::Conv2d(conv, settings))
            }
            _ => None,
        }
    }

    /// Number of layers that it stands for.
    pub(crate) fn layers(&self) -> usize {
        match self {
            Self::Conv2d(_, settings) => {
                1 + usize::from(settings.relu) + usize::from(settings.max_pool)
            }
            Self::BatchNorm(_) | Self::Linear(_) => 2,
        }
    }

    /// What the last of the layers gives.
    pub(crate) fn forward(&self, x: Activation) -> Activation {
        match self {
            Self::Conv2d(conv, settings) => {
                let bias = conv.bias.as_ref().map(|bias| bias.val());
                let weight = conv.weight.val();
                Activation::Maps(conv2d_block(x.maps("conv2d"), weight, bias, settings))
            }
            Self::BatchNorm(norm) => normalized(norm, x, true),
            Self::Linear(layer) => fully_connected(layer, x, true),
        }
    }
}

/// A linear layer, with ReLU if it is asked for.
pub(crate) fn fully_connected(layer: &Linear, x: Activation, with_relu: bool) -> Activation {
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    let weight = layer.weight.val();
    Activation::Vectors(linear(x.vectors(), weight, bias, with_relu))
}

/// A batch normalisation, with ReLU if it is asked for.
pub(crate) fn normalized(norm: &BatchNorm, x: Activation, with_relu: bool) -> Activation {
    x.map(
        |maps| normalized_maps(norm, maps, with_relu),
        |vectors| {
            let out = norm.forward(vectors);
            if with_relu { relu(out) } else { out }
        },
    )
}

/// [`BatchNorm::forward`], with ReLU if it is asked for.
fn normalized_maps(norm: &BatchNorm, x: Tensor<4>, with_relu: bool) -> Tensor<4> {
    let device = x.device();
    let [gamma, beta] = [&norm.gamma, &norm.beta].map(|parameter| parameter.val());
    let running = [&norm.running_mean, &norm.running_var];
    if !(device.is_autodiff() && norm.training.is_enabled()) {
        let known = running.map(|running| running.value().to_device(&device));
        return batch_norm(x, [gamma, beta], known, norm.epsilon, with_relu);
    }
    let result = batch_norm_train(x, gamma, beta, norm.epsilon, with_relu);
    for (running, seen) in running.into_iter().zip([result.mean, result.variance]) {
        let before = running.value_sync().to_device(&device);
        let after = before * (1.0 - norm.momentum) + seen.detach() * norm.momentum;
        running.update(after.detach());
    }
    result.output
}

/// The block of a convolution, whether ReLU follows, and the layers behind that.
fn settings(conv: &Conv2d, relu: bool, rest: &[(String, Layer)]) -> Option<Conv2dBlock> {
    let PaddingConfig2d::Explicit(top, left, bottom, right) = conv.padding else {
        return None;
    };
    (conv.dilation == [1, 1] && conv.groups == 1).then(|| Conv2dBlock {
        stride: conv.stride,
        padding: [top, left, bottom, right],
        relu,
        max_pool: matches!(rest, [(_, Layer::MaxPool(window)), ..] if halves(window)),
    })
}

/// Whether the windows are 2×2, side by side and without padding.
fn halves(window: &PoolWindow) -> bool {
    *window
        == PoolWindow {
            kernel: [2, 2],
            stride: [2, 2],
            padding: [0, 0],
        }
}
