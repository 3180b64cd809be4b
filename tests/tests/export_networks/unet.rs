//! A U-Net: transposed convolutions on one way up, interpolation on the other.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::interpolate::{Interpolate2d, Interpolate2dConfig, InterpolateMode};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation};
use exporter::{Exporter, dims};
use tests::export::{network, normal, trained};

/// Two convolutions that keep the size.
#[derive(Module, Debug)]
struct Double {
    first: Conv2d,
    norm: BatchNorm,
    second: Conv2d,
}

impl Double {
    fn new(from: usize, to: usize) -> Self {
        let device = Device::flex();
        let conv = |channels| {
            let config = Conv2dConfig::new(channels, [3, 3]);
            let config = config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
            config.init(&device)
        };
        Self {
            first: conv([from, to]),
            norm: BatchNormConfig::new(to).init(&device),
            second: conv([to, to]),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = activation::relu(self.norm.forward(self.first.forward(x)));
        activation::relu(self.second.forward(x))
    }
}

#[derive(Module, Debug)]
struct UNet {
    down: MaxPool2d,
    encoders: Vec<Double>,
    bottom: Double,
    transposed: ConvTranspose2d,
    interpolated: Interpolate2d,
    decoders: Vec<Double>,
    head: Conv2d,
}

impl UNet {
    fn new() -> Self {
        let device = Device::flex();
        let up = ConvTranspose2dConfig::new([32, 16], [2, 2]).with_stride([2, 2]);
        let twice = Interpolate2dConfig::new().with_scale_factor(Some([2.0, 2.0]));
        let twice = twice.with_mode(InterpolateMode::Linear);
        Self {
            down: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            encoders: vec![Double::new(3, 8), Double::new(8, 16)],
            bottom: Double::new(16, 32),
            transposed: up.init(&device),
            interpolated: twice.with_align_corners(false).init(),
            decoders: vec![Double::new(32, 16), Double::new(24, 8)],
            head: Conv2dConfig::new([8, 2], [1, 1]).init(&device),
        }
    }

    /// A mask for each of 2 classes, of the image's size.
    fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let fine = self.encoders[0].forward(image);
        let coarse = self.encoders[1].forward(self.down.forward(fine.clone()));
        let x = self.bottom.forward(self.down.forward(coarse.clone()));
        let x = Tensor::cat(vec![self.transposed.forward(x), coarse], 1);
        let x = self.decoders[0].forward(x);
        let x = Tensor::cat(vec![self.interpolated.forward(x), fine], 1);
        activation::sigmoid(self.head.forward(self.decoders[1].forward(x)))
    }
}

#[test]
fn unet_matches_burn() {
    let unet = trained(UNet::new());
    let images = |n: usize| normal([n, 3, 16 + 4 * n, 24]);
    let exporter = Exporter::new()
        .input("image", dims!["batch", 3, "height", "width"])
        .sizes("height", [32, 48, 80, 112])
        .sizes("width", [64, 96, 144, 176])
        .output("mask");
    network("U-Net").check(exporter, &unet, images, |unet, x: Tensor<4>| {
        unet.forward(x)
    });
}
