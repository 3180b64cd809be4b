//! A vision transformer: patches, a class token and learned positions.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use exporter::dims;
use tests::export::{network, normal, trained};

const WIDTH: usize = 24;
const PATCHES: usize = 16;

#[derive(Module, Debug)]
struct ViT {
    patches: Conv2d,
    class: Param<Tensor<3>>,
    positions: Param<Tensor<3>>,
    encoder: TransformerEncoder,
    norm: LayerNorm,
    head: Linear,
}

impl ViT {
    fn new() -> Self {
        let device = Device::flex();
        let encoder = TransformerEncoderConfig::new(WIDTH, 48, 3, 2).with_norm_first(true);
        let patches = Conv2dConfig::new([3, WIDTH], [8, 8]).with_stride([8, 8]);
        Self {
            patches: patches.init(&device),
            class: Param::from_tensor(normal([1, 1, WIDTH])),
            positions: Param::from_tensor(normal([1, PATCHES + 1, WIDTH])),
            encoder: encoder.init(&device),
            norm: LayerNormConfig::new(WIDTH).init(&device),
            head: LinearConfig::new(WIDTH, 10).init(&device),
        }
    }

    /// Logits, [n, 10], of images, [n, 3, 32, 32].
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let n = images.dims()[0];
        let x = self.patches.forward(images).flatten::<3>(2, 3);
        let x = x.swap_dims(1, 2);
        let class = self.class.val().expand([n, 1, WIDTH]);
        let x = Tensor::cat(vec![class, x], 1) + self.positions.val();
        let x = self.encoder.forward(TransformerEncoderInput::new(x));
        let class = self.norm.forward(x.narrow(1, 0, 1)).squeeze_dim::<2>(1);
        self.head.forward(class)
    }
}

#[test]
fn vit_matches_burn() {
    let vit = trained(ViT::new());
    let images = |n| normal([n, 3, 32, 32]);
    network("ViT").module(dims!["batch", 3, 32, 32], &vit, images, ViT::forward);
}
