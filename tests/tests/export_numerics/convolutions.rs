//! Convolutions.

use burn::nn::conv::{
    Conv1dConfig, Conv2dConfig, Conv3dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig,
    ConvTranspose3dConfig, DeformConv2dConfig,
};
use burn::nn::{
    Fold4dConfig, PaddingConfig1d, PaddingConfig2d, PaddingConfig3d, PixelShuffleConfig,
    PixelUnshuffleConfig, Unfold4dConfig,
};
use burn::tensor::{Device, Tensor};
use exporter::{Dim, Exporter, dims};

use tests::export::{case, normal, uniform};

fn image() -> Vec<Dim> {
    dims!["n", 4, 13, 11]
}

fn images(n: usize) -> Tensor<4> {
    normal([n, 4, 13, 11])
}

fn conv2d(name: &str, config: Conv2dConfig) {
    let layer = config.init(&Device::flex());
    case(name).module(image(), &layer, images, |layer, x| layer.forward(x));
}

#[test]
fn conv2d_matches_burn() {
    let config = |kernel| Conv2dConfig::new([4, 8], kernel);
    conv2d("plain", config([3, 3]));
    conv2d("without bias", config([3, 3]).with_bias(false));
    conv2d("strided", config([3, 5]).with_stride([2, 3]));
    conv2d("dilated", config([3, 3]).with_dilation([2, 1]));
    conv2d("grouped", config([3, 3]).with_groups(2));
    conv2d("depthwise", config([3, 3]).with_groups(4));
    let same = PaddingConfig2d::Same;
    conv2d("same", config([3, 3]).with_padding(same.clone()));
    conv2d(
        "same, even kernel",
        config([4, 2]).with_padding(same.clone()),
    );
    conv2d(
        "same, strided",
        config([3, 3]).with_padding(same).with_stride([2, 2]),
    );
    let uneven = PaddingConfig2d::Explicit(1, 2, 3, 0);
    conv2d("uneven padding", config([3, 3]).with_padding(uneven));
}

#[test]
fn conv2d_takes_symbolic_heights_and_widths() {
    let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
    let layer = Conv2dConfig::new([4, 8], [3, 3]).with_padding(padding);
    let layer = layer.with_stride([2, 2]).init(&Device::flex());
    let sizes = |n: usize| normal([n, 4, 30 + n, 40 - n]);
    let dims = dims!["n", 4, "height", "width"];
    case("spatial").module(dims, &layer, sizes, |layer, x| layer.forward(x));
}

#[test]
fn conv1d_matches_burn() {
    let inputs = |n| normal([n, 4, 13]);
    let dims = || dims!["n", 4, 13];
    let device = Device::flex();
    let same = Conv1dConfig::new(4, 6, 3).with_padding(PaddingConfig1d::Same);
    case("same").module(dims(), &same.init(&device), inputs, |layer, x| {
        layer.forward(x)
    });
    let other = Conv1dConfig::new(4, 6, 4)
        .with_stride(2)
        .with_dilation(2)
        .with_groups(2);
    let other = other
        .with_padding(PaddingConfig1d::Explicit(2, 1))
        .init(&device);
    case("uneven").module(dims(), &other, inputs, |layer, x| layer.forward(x));
}

#[test]
fn conv3d_matches_burn() {
    let layer = Conv3dConfig::new([4, 6], [3, 2, 3]).with_stride([1, 2, 1]);
    let layer = layer.with_padding(PaddingConfig3d::Explicit(1, 0, 1));
    let layer = layer.init(&Device::flex());
    let inputs = |n| normal([n, 4, 5, 6, 7]);
    case("conv3d").module(dims!["n", 4, 5, 6, 7], &layer, inputs, |layer, x| {
        layer.forward(x)
    });
}

#[test]
fn transposed_convolutions_match_burn() {
    let device = Device::flex();
    let layer = ConvTranspose2dConfig::new([4, 6], [3, 2])
        .with_stride([2, 2])
        .with_groups(2);
    let layer = layer
        .with_padding([1, 0])
        .with_padding_out([1, 0])
        .init(&device);
    case("2d").module(image(), &layer, images, |layer, x| layer.forward(x));
    let layer = ConvTranspose2dConfig::new([4, 6], [3, 3]).with_stride([2, 1]);
    let layer = layer.with_dilation([1, 2]).init(&device);
    case("2d, dilated").module(image(), &layer, images, |layer, x| layer.forward(x));
    let layer = ConvTranspose1dConfig::new([4, 6], 3)
        .with_stride(2)
        .with_padding(1);
    let inputs = |n| normal([n, 4, 13]);
    case("1d").module(
        dims!["n", 4, 13],
        &layer.init(&device),
        inputs,
        |layer, x| layer.forward(x),
    );
    let layer = ConvTranspose3dConfig::new([4, 6], [3, 2, 2]).with_stride([2, 2, 1]);
    let inputs = |n| normal([n, 4, 3, 4, 5]);
    case("3d").module(
        dims!["n", 4, 3, 4, 5],
        &layer.init(&device),
        inputs,
        |layer, x| layer.forward(x),
    );
}

#[test]
fn deformable_convolution_matches_burn() {
    let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
    let layer = DeformConv2dConfig::new([4, 6], [3, 3]).with_padding(padding);
    let layer = layer.init(&Device::flex());
    let exporter = Exporter::new()
        .input("x", dims!["n", 4, 6, 6])
        .input("offset", dims!["n", 18, 6, 6])
        .input("mask", dims!["n", 9, 6, 6])
        .output("y");
    let inputs = |n| {
        let mask = uniform([n, 9, 6, 6], 0.0, 1.0);
        (normal([n, 4, 6, 6]), normal([n, 18, 6, 6]), mask)
    };
    type Operands = (Tensor<4>, Tensor<4>, Tensor<4>);
    let case = case("deform_conv2d").since(19);
    case.check(
        exporter,
        &layer,
        inputs,
        |layer, (x, offset, mask): Operands| layer.forward(x, offset, Some(mask)),
    );
}

#[test]
fn windows_as_columns_match_burn() {
    let unfold = Unfold4dConfig::new([3, 2])
        .with_stride([2, 1])
        .with_padding([1, 0])
        .init();
    case("unfold4d").module(image(), &unfold, images, |layer, x| layer.forward(x));
    let fold = Fold4dConfig::new([9, 11], [3, 2])
        .with_stride([1, 1])
        .with_padding([0, 0])
        .init();
    let columns = |n| normal([n, 24, 70]);
    case("fold4d").module(dims!["n", 24, 70], &fold, columns, |layer, x| {
        layer.forward(x)
    });
    let shuffle = PixelShuffleConfig::new(2).init();
    let inputs = |n| normal([n, 8, 3, 5]);
    case("shuffle").module(dims!["n", 8, 3, 5], &shuffle, inputs, |layer, x| {
        layer.forward(x)
    });
    let unshuffle = PixelUnshuffleConfig::new(2).init();
    let inputs = |n| normal([n, 2, 6, 4]);
    case("unshuffle").module(dims!["n", 2, 6, 4], &unshuffle, inputs, |layer, x| {
        layer.forward(x)
    });
}
