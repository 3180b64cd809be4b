//! ResNet-18, as PyTorch's exporter is measured by.

#![allow(clippy::unwrap_used)]

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::tensor::{Device, Tensor};
use exporter::{Exporter, dims};

/// A convolution without bias and its normalization.
#[derive(Module, Debug)]
struct Conv {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Conv {
    fn new([from, to]: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        let around = kernel / 2;
        let padding = PaddingConfig2d::Explicit(around, around, around, around);
        Self {
            conv: Conv2dConfig::new([from, to], [kernel, kernel])
                .with_stride([stride, stride])
                .with_padding(padding)
                .with_bias(false)
                .init(device),
            norm: BatchNormConfig::new(to).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

/// Two convolutions, and a projection where the shape changes.
#[derive(Module, Debug)]
struct Block {
    first: Conv,
    second: Conv,
    downsample: Option<Conv>,
}

impl Block {
    fn new(from: usize, to: usize, stride: usize, device: &Device) -> Self {
        let changes = from != to || stride != 1;
        Self {
            first: Conv::new([from, to], 3, stride, device),
            second: Conv::new([to, to], 3, 1, device),
            downsample: changes.then(|| Conv::new([from, to], 1, stride, device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = Relu::new().forward(self.first.forward(x.clone()));
        let y = self.second.forward(y);
        let shortcut = match &self.downsample {
            Some(conv) => conv.forward(x),
            None => x,
        };
        Relu::new().forward(y + shortcut)
    }
}

/// As in "Deep Residual Learning for Image Recognition", table 1.
#[derive(Module, Debug)]
struct ResNet18 {
    stem: Conv,
    pool: MaxPool2d,
    blocks: Vec<Block>,
    average: AdaptiveAvgPool2d,
    classes: Linear,
}

impl ResNet18 {
    fn new(device: &Device) -> Self {
        let widths = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)];
        let blocks = widths.iter().flat_map(|(from, to, stride)| {
            [
                Block::new(*from, *to, *stride, device),
                Block::new(*to, *to, 1, device),
            ]
        });
        Self {
            stem: Conv::new([3, 64], 7, 2, device),
            pool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            blocks: blocks.collect(),
            average: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            classes: LinearConfig::new(512, 1000).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = Relu::new().forward(self.stem.forward(x));
        let x = self.pool.forward(x);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let x = self.average.forward(x).flatten::<2>(1, 3);
        self.classes.forward(x)
    }
}

/// PyTorch writes torchvision's with 49 nodes: these, with `Flatten`.
#[test]
fn resnet_18_has_no_more_nodes_than_from_pytorch() {
    let network = ResNet18::new(&Device::flex());
    let model = Exporter::new()
        .input("image", dims!["batch", 3, 224, 224])
        .output("logits")
        .export(&network, |network, x: Tensor<4>| network.forward(x))
        .unwrap();
    let operators = model.summary().operators;
    let found: Vec<(&str, usize)> = operators
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    let expected = [
        ("Add", 8),
        ("Conv", 20),
        ("Gemm", 1),
        ("GlobalAveragePool", 1),
        ("MaxPool", 1),
        ("Relu", 17),
        ("Reshape", 1),
    ];
    assert_eq!(found, expected);
}
