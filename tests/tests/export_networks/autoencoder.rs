//! A convolutional autoencoder.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation};
use exporter::{Exporter, dims};
use tests::export::{network, trained, uniform};

#[derive(Module, Debug)]
struct Autoencoder {
    down: Vec<Conv2d>,
    code: Linear,
    decode: Linear,
    up: Vec<ConvTranspose2d>,
}

impl Autoencoder {
    fn new() -> Self {
        let device = Device::flex();
        let down = |channels| {
            let conv = Conv2dConfig::new(channels, [3, 3]).with_stride([2, 2]);
            let conv = conv.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
            conv.init(&device)
        };
        let up = |channels| {
            let conv = ConvTranspose2dConfig::new(channels, [3, 3]).with_stride([2, 2]);
            let conv = conv.with_padding([1, 1]).with_padding_out([1, 1]);
            conv.init(&device)
        };
        Self {
            down: vec![down([1, 8]), down([8, 16])],
            code: LinearConfig::new(16 * 7 * 7, 12).init(&device),
            decode: LinearConfig::new(12, 16 * 7 * 7).init(&device),
            up: vec![up([16, 8]), up([8, 1])],
        }
    }

    /// The code, [n, 12], and the image again, of images, [n, 1, 28, 28].
    fn forward(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<4>) {
        let n = images.dims()[0];
        let x = self.down.iter().fold(images, |x, conv| {
            activation::leaky_relu(conv.forward(x), 0.1)
        });
        let code = self.code.forward(x.flatten::<2>(1, 3));
        let x = self.decode.forward(code.clone()).reshape([n, 16, 7, 7]);
        let x = self
            .up
            .iter()
            .fold(x, |x, conv| conv.forward(activation::leaky_relu(x, 0.1)));
        (code, activation::sigmoid(x))
    }
}

#[test]
fn autoencoder_matches_burn() {
    let autoencoder = trained(Autoencoder::new());
    let exporter = Exporter::new()
        .input("image", dims!["batch", 1, 28, 28])
        .output("code")
        .output("again");
    let images = |n| uniform([n, 1, 28, 28], 0.0, 1.0);
    network("autoencoder").check(
        exporter,
        &autoencoder,
        images,
        |autoencoder, x: Tensor<4>| autoencoder.forward(x),
    );
}
