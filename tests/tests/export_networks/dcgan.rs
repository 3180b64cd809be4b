//! DCGAN's generator: transposed convolutions from noise to an image.

use burn::module::Module;
use burn::nn::conv::{ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor, activation};
use exporter::dims;
use tests::export::{network, normal, trained};

#[derive(Module, Debug)]
struct Generator {
    project: ConvTranspose2d,
    ups: Vec<(BatchNorm, ConvTranspose2d)>,
}

impl Generator {
    fn new() -> Self {
        let device = Device::flex();
        let widths = [64, 32, 16, 3];
        let up = |width: &[usize]| {
            let conv = ConvTranspose2dConfig::new([width[0], width[1]], [4, 4]);
            let conv = conv.with_stride([2, 2]).with_padding([1, 1]);
            let norm = BatchNormConfig::new(width[0]).init(&device);
            (norm, conv.with_bias(false).init(&device))
        };
        let project = ConvTranspose2dConfig::new([100, 64], [4, 4]).with_bias(false);
        Self {
            project: project.init(&device),
            ups: widths.windows(2).map(up).collect(),
        }
    }

    /// Images, [n, 3, 32, 32], of noise, [n, 100].
    fn forward(&self, noise: Tensor<2>) -> Tensor<4> {
        let [n, size] = noise.dims();
        let x = self.project.forward(noise.reshape([n, size, 1, 1]));
        let x = self.ups.iter().fold(x, |x, (norm, conv)| {
            conv.forward(activation::relu(norm.forward(x)))
        });
        x.tanh()
    }
}

#[test]
fn dcgan_matches_burn() {
    let generator = trained(Generator::new());
    let noise = |n| normal([n, 100]);
    network("DCGAN").module(dims!["batch", 100], &generator, noise, Generator::forward);
}
