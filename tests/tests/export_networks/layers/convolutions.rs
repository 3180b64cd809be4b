//! Convolutions.

use burn::nn::conv::{
    Conv1dConfig, Conv2dConfig, Conv3dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig,
    ConvTranspose3dConfig, DeformConv2dConfig,
};
use burn::nn::{PaddingConfig1d, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use exporter::{Dim, dims};
use tests::export::{Case, normal, uniform};

use super::{check, layer, layer_of};

fn line() -> Vec<Dim> {
    dims!["n", 4, "length"]
}

fn lines(n: usize) -> Tensor<3> {
    normal([n, 4, n + 12])
}

fn image() -> Vec<Dim> {
    dims!["n", 4, "height", "width"]
}

fn images(n: usize) -> Tensor<4> {
    normal([n, 4, n + 8, 20 - n])
}

fn volumes(n: usize) -> Tensor<5> {
    normal([n, 4, 4, 6, 5])
}

pub fn layers() -> Vec<Case<'static>> {
    let device = Device::flex();
    let conv1d = Conv1dConfig::new(4, 6, 3).with_padding(PaddingConfig1d::Same);
    let conv2d = Conv2dConfig::new([4, 6], [3, 3]).with_padding(PaddingConfig2d::Same);
    let conv3d = Conv3dConfig::new([4, 6], [2, 3, 2]);
    let up1d = ConvTranspose1dConfig::new([4, 6], 3).with_stride(2);
    let up2d = ConvTranspose2dConfig::new([4, 6], [3, 2]).with_stride([2, 2]);
    let up3d = ConvTranspose3dConfig::new([4, 6], [2, 2, 2]).with_stride([1, 2, 1]);
    let volume = || dims!["n", 4, 4, 6, 5];
    vec![
        layer("Conv1d", line(), conv1d.init(&device), lines, |layer, x| {
            layer.forward(x)
        }),
        layer(
            "Conv2d",
            image(),
            conv2d.init(&device),
            images,
            |layer, x| layer.forward(x),
        ),
        layer(
            "Conv3d",
            volume(),
            conv3d.init(&device),
            volumes,
            |layer, x| layer.forward(x),
        ),
        layer(
            "ConvTranspose1d",
            line(),
            up1d.init(&device),
            lines,
            |layer, x| layer.forward(x),
        ),
        layer(
            "ConvTranspose2d",
            image(),
            up2d.init(&device),
            images,
            |layer, x| layer.forward(x),
        ),
        layer(
            "ConvTranspose3d",
            volume(),
            up3d.init(&device),
            volumes,
            |layer, x| layer.forward(x),
        ),
        deformable(&device),
    ]
}

fn deformable(device: &Device) -> Case<'static> {
    let around = PaddingConfig2d::Explicit(1, 1, 1, 1);
    let config = DeformConv2dConfig::new([4, 6], [3, 3]).with_padding(around);
    type Operands = (Tensor<4>, Tensor<4>, Tensor<4>);
    layer_of(
        "DeformConv2d",
        &[
            dims!["n", 4, 6, 6],
            dims!["n", 18, 6, 6],
            dims!["n", 9, 6, 6],
        ],
        config.init(device),
        |n| {
            let mask = uniform([n, 9, 6, 6], 0.0, 1.0);
            (normal([n, 4, 6, 6]), normal([n, 18, 6, 6]), mask)
        },
        |layer, (x, offset, mask): Operands| layer.forward(x, offset, Some(mask)),
    )
}

#[test]
fn convolutions_match_burn() {
    check(layers());
}
