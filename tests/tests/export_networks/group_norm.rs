//! A network normalized by groups, for images of any height and width.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation};
use exporter::{Exporter, dims};
use tests::export::{network, normal, trained};

#[derive(Module, Debug)]
struct Network {
    blocks: Vec<(Conv2d, GroupNorm)>,
    pool: AdaptiveAvgPool2d,
    head: Linear,
}

impl Network {
    fn new() -> Self {
        let device = Device::flex();
        let block = |channels: [usize; 2]| {
            let conv = Conv2dConfig::new(channels, [3, 3]);
            let conv = conv.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
            let norm = GroupNormConfig::new(4, channels[1]);
            (conv.init(&device), norm.init(&device))
        };
        Self {
            blocks: vec![block([3, 8]), block([8, 16]), block([16, 16])],
            pool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            head: LinearConfig::new(16, 10).init(&device),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.blocks.iter().fold(images, |x, (conv, norm)| {
            activation::silu(norm.forward(conv.forward(x)))
        });
        self.head.forward(self.pool.forward(x).flatten(1, 3))
    }
}

#[test]
fn group_norm_network_matches_burn() {
    let net = trained(Network::new());
    let exporter = Exporter::new()
        .input("image", dims!["batch", 3, "height", "width"])
        .output("logits");
    let images = |n: usize| normal([n, 3, 10 + n, 30 - n]);
    network("GroupNorm").check(exporter, &net, images, |net, x: Tensor<4>| net.forward(x));
}
