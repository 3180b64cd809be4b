//! A MobileNet: inverted residuals around depthwise convolutions.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation};
use exporter::dims;
use tests::export::{network, normal, trained};

/// A convolution and its normalization.
#[derive(Module, Debug)]
struct Unit {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Unit {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, groups: usize) -> Self {
        let device = Device::flex();
        let around = kernel / 2;
        let config = Conv2dConfig::new(channels, [kernel, kernel]);
        let config = config.with_stride([stride, stride]).with_groups(groups);
        let config = config.with_padding(PaddingConfig2d::Explicit(around, around, around, around));
        Self {
            conv: config.with_bias(false).init(&device),
            norm: BatchNormConfig::new(channels[1]).init(&device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

/// Wide in the middle, with a way around where the shape stays.
#[derive(Module, Debug)]
struct InvertedResidual {
    expand: Unit,
    depthwise: Unit,
    project: Unit,
    around: bool,
}

impl InvertedResidual {
    fn new([from, to]: [usize; 2], stride: usize) -> Self {
        let wide = from * 6;
        Self {
            expand: Unit::new([from, wide], 1, 1, 1),
            depthwise: Unit::new([wide, wide], 3, stride, wide),
            project: Unit::new([wide, to], 1, 1, 1),
            around: from == to && stride == 1,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = activation::relu6(self.expand.forward(x.clone()));
        let y = activation::relu6(self.depthwise.forward(y));
        let y = self.project.forward(y);
        if self.around { x + y } else { y }
    }
}

#[derive(Module, Debug)]
struct MobileNet {
    stem: Unit,
    blocks: Vec<InvertedResidual>,
    head: Unit,
    classifier: Linear,
}

impl MobileNet {
    fn new() -> Self {
        let blocks = [([8, 8], 1), ([8, 12], 2), ([12, 12], 1), ([12, 16], 2)];
        let blocks = blocks.map(|(channels, stride)| InvertedResidual::new(channels, stride));
        Self {
            stem: Unit::new([3, 8], 3, 2, 1),
            blocks: blocks.into(),
            head: Unit::new([16, 32], 1, 1, 1),
            classifier: LinearConfig::new(32, 10).init(&Device::flex()),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = activation::hard_swish(self.stem.forward(images));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let x = activation::hard_swish(self.head.forward(x));
        let x = x.mean_dims(&[2, 3]).flatten::<2>(1, 3);
        self.classifier.forward(x)
    }
}

#[test]
fn mobilenet_matches_burn() {
    let mobilenet = trained(MobileNet::new());
    let images = |n| normal([n, 3, 32, 32]);
    network("MobileNet").module(
        dims!["batch", 3, 32, 32],
        &mobilenet,
        images,
        MobileNet::forward,
    );
}
