//! Pooling.

use burn::nn::pool::{
    AdaptiveAvgPool1dConfig, AdaptiveAvgPool2dConfig, AdaptiveAvgPool3dConfig, AvgPool1dConfig,
    AvgPool2dConfig, MaxPool1dConfig, MaxPool2dConfig,
};
use burn::nn::{PaddingConfig1d, PaddingConfig2d, Relu};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Tensor, module};
use exporter::{Dim, Exporter, dims};

use tests::export::{case, normal};

fn image() -> Vec<Dim> {
    dims!["n", 4, 13, 11]
}

fn images(n: usize) -> Tensor<4> {
    normal([n, 4, 13, 11])
}

fn paddings() -> [(&'static str, PaddingConfig2d); 3] {
    [
        ("valid", PaddingConfig2d::Valid),
        ("1", PaddingConfig2d::Explicit(1, 1, 1, 1)),
        ("uneven", PaddingConfig2d::Explicit(1, 0, 0, 1)),
    ]
}

#[test]
fn max_pools_match_burn() {
    for (padding, config) in paddings() {
        for (stride, ceil) in [(1, false), (2, false), (3, false), (2, true), (3, true)] {
            let pool = MaxPool2dConfig::new([3, 2]).with_strides([stride, stride]);
            let pool = pool
                .with_padding(config.clone())
                .with_ceil_mode(ceil)
                .init();
            let name = format!("padding {padding}, stride {stride}, ceil {ceil}");
            case(name).module(image(), &pool, images, |pool, x| pool.forward(x));
        }
    }
    let dilated = MaxPool2dConfig::new([3, 2])
        .with_strides([1, 1])
        .with_dilation([2, 2])
        .init();
    case("dilated").module(image(), &dilated, images, |pool, x| pool.forward(x));
    for (padding, since) in [(0, 16), (1, 22)] {
        let around = PaddingConfig2d::Explicit(padding, padding, padding, padding);
        let far = MaxPool2dConfig::new([2, 2])
            .with_strides([4, 4])
            .with_dilation([3, 3])
            .with_padding(around)
            .with_ceil_mode(true)
            .init();
        let inputs = |n| normal([n, 2, 5, 5]);
        let case = case(format!("a window far beyond, padding {padding}")).since(since);
        case.module(dims!["n", 2, 5, 5], &far, inputs, |pool, x| pool.forward(x));
    }
    let same = MaxPool2dConfig::new([3, 2]).with_strides([1, 1]);
    let same = same.with_padding(PaddingConfig2d::Same).init();
    case("same").module(image(), &same, images, |pool, x| pool.forward(x));
    let line = MaxPool1dConfig::new(3).with_stride(2);
    let line = line.with_padding(PaddingConfig1d::Explicit(1, 1)).init();
    let inputs = |n| normal([n, 4, 13]);
    case("1d").module(dims!["n", 4, 13], &line, inputs, |pool, x| pool.forward(x));
}

#[test]
fn average_pools_match_burn() {
    for (padding, config) in paddings() {
        for (stride, ceil) in [(1, false), (2, false), (3, false), (2, true), (3, true)] {
            for counted in [false, true] {
                // An axis whose last window is cut off beside one whose is left out.
                let mixed = ceil && counted && padding == "uneven" && stride == 3;
                let pool = AvgPool2dConfig::new([3, 2]).with_strides([stride, stride]);
                let pool = pool.with_padding(config.clone()).with_ceil_mode(ceil);
                let pool = pool.with_count_include_pad(counted).init();
                let name = format!("{padding}, stride {stride}, ceil {ceil}, counted {counted}");
                let case = case(name).since(if mixed { 22 } else { 16 });
                case.module(image(), &pool, images, |pool, x| pool.forward(x));
            }
        }
    }
    let line = AvgPool1dConfig::new(3)
        .with_stride(2)
        .with_count_include_pad(false);
    let line = line.with_padding(PaddingConfig1d::Explicit(1, 1)).init();
    let inputs = |n| normal([n, 4, 13]);
    case("1d").module(dims!["n", 4, 13], &line, inputs, |pool, x| pool.forward(x));
}

#[test]
fn adaptive_pools_match_burn() {
    for size in [[1, 1], [13, 11], [1, 11], [5, 4], [20, 3]] {
        let pool = AdaptiveAvgPool2dConfig::new(size).init();
        case(format!("{size:?}")).module(image(), &pool, images, |pool, x| pool.forward(x));
    }
    for size in [4, 5] {
        let pool = AdaptiveAvgPool1dConfig::new(size).init();
        let inputs = |n| normal([n, 4, 12]);
        case("1d").module(dims!["n", 4, 12], &pool, inputs, |pool, x| pool.forward(x));
    }
    let pool = AdaptiveAvgPool3dConfig::new([2, 3, 3]).init();
    let inputs = |n| normal([n, 2, 4, 6, 5]);
    case("3d").module(dims!["n", 2, 4, 6, 5], &pool, inputs, |pool, x| {
        pool.forward(x)
    });
}

#[test]
fn global_pools_take_any_image() {
    let pool = AdaptiveAvgPool2dConfig::new([1, 1]).init();
    let inputs = |n: usize| normal([n, 4, 8 + n, 9]);
    let dims = dims!["n", 4, "height", "width"];
    case("global").module(dims, &pool, inputs, |pool, x| {
        pool.forward(x).flatten::<2>(1, 3)
    });
}

#[test]
fn positions_of_maxima_match_burn() {
    let two = |dims| Exporter::new().input("x", dims).output("v").output("i");
    let layer = Relu::new();
    let plain = || MaxPoolOptions::new([3, 2]).with_stride([2, 2]);
    case("2d").check(two(image()), &layer, images, |_, x: Tensor<4>| {
        module::max_pool2d_with_indices(x, plain())
    });
    let padded = || {
        MaxPoolOptions::new([3, 3])
            .with_stride([2, 2])
            .with_padding([1, 1])
    };
    case("2d, padded").check(two(image()), &layer, images, |_, x: Tensor<4>| {
        module::max_pool2d_with_indices(x, padded())
    });
    let line = || MaxPoolOptions::new([3]).with_stride([2]);
    let inputs = |n| normal([n, 3, 12]);
    case("1d").check(two(dims!["n", 3, 12]), &layer, inputs, |_, x: Tensor<3>| {
        module::max_pool1d_with_indices(x, line())
    });
}
