//! ResNet-18 of "Deep Residual Learning for Image Recognition" (2015), with the
//! names that torchvision gives its parts.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation};

/// A classifier of colour images.
#[derive(Module, Debug)]
pub struct ResNet18 {
    conv1: Conv2d,
    bn1: BatchNorm,
    maxpool: MaxPool2d,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
    avgpool: AdaptiveAvgPool2d,
    fc: Linear,
}

impl ResNet18 {
    /// With random weights.
    pub fn new(classes: usize, device: &Device) -> Self {
        let layer = |from, to, stride| {
            vec![
                Block::new(from, to, stride, device),
                Block::new(to, to, 1, device),
            ]
        };
        let maxpool = MaxPool2dConfig::new([3, 3]).with_strides([2, 2]);
        Self {
            conv1: conv([3, 64], 7, 2, device),
            bn1: BatchNormConfig::new(64).init(device),
            maxpool: maxpool.with_padding(around(1)).init(),
            layer1: layer(64, 64, 1),
            layer2: layer(64, 128, 2),
            layer3: layer(128, 256, 2),
            layer4: layer(256, 512, 2),
            avgpool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            fc: LinearConfig::new(512, classes).init(device),
        }
    }

    /// Logits, [n, classes], of images, [n, 3, height, width].
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = activation::relu(self.bn1.forward(self.conv1.forward(images)));
        let x = self.maxpool.forward(x);
        let layers = [&self.layer1, &self.layer2, &self.layer3, &self.layer4];
        let blocks = layers.into_iter().flatten();
        let x = blocks.fold(x, |x, block| block.forward(x));
        self.fc.forward(self.avgpool.forward(x).flatten(1, 3))
    }
}

/// Two convolutions and a way around them.
#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    downsample: Option<(Conv2d, BatchNorm)>,
}

impl Block {
    fn new(from: usize, to: usize, stride: usize, device: &Device) -> Self {
        let norm = || BatchNormConfig::new(to).init(device);
        let downsample = || (conv([from, to], 1, stride, device), norm());
        Self {
            conv1: conv([from, to], 3, stride, device),
            bn1: norm(),
            conv2: conv([to, to], 3, 1, device),
            bn2: norm(),
            downsample: (from != to).then(downsample),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = activation::relu(self.bn1.forward(self.conv1.forward(x.clone())));
        let y = self.bn2.forward(self.conv2.forward(y));
        let x = match &self.downsample {
            Some((conv, norm)) => norm.forward(conv.forward(x)),
            None => x,
        };
        activation::relu(x + y)
    }
}

fn conv(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(around(kernel / 2))
        .with_bias(false)
        .init(device)
}

fn around(padding: usize) -> PaddingConfig2d {
    PaddingConfig2d::Explicit(padding, padding, padding, padding)
}
