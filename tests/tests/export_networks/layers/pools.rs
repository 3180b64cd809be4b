//! Pools.

use burn::nn::pool::{
    AdaptiveAvgPool1dConfig, AdaptiveAvgPool2dConfig, AdaptiveAvgPool3dConfig, AvgPool1dConfig,
    AvgPool2dConfig, MaxPool1dConfig, MaxPool2dConfig,
};
use burn::tensor::Tensor;
use exporter::dims;
use tests::export::{Case, normal};

use super::{check, layer};

/// A layer that takes [n, 4, 12].
macro_rules! of_lines {
    ($name:literal, $layer:expr) => {
        layer(
            $name,
            dims!["n", 4, 12],
            $layer,
            |n| normal([n, 4, 12]),
            |layer, x: Tensor<3>| layer.forward(x),
        )
    };
}

/// A layer that takes [n, 4, 9, 7].
macro_rules! of_images {
    ($name:literal, $layer:expr) => {
        layer(
            $name,
            dims!["n", 4, 9, 7],
            $layer,
            |n| normal([n, 4, 9, 7]),
            |layer, x: Tensor<4>| layer.forward(x),
        )
    };
}

pub fn layers() -> Vec<Case<'static>> {
    let volumes = |n| normal([n, 2, 4, 6, 5]);
    let cube = AdaptiveAvgPool3dConfig::new([2, 3, 3]).init();
    vec![
        of_lines!("AdaptiveAvgPool1d", AdaptiveAvgPool1dConfig::new(5).init()),
        of_images!(
            "AdaptiveAvgPool2d",
            AdaptiveAvgPool2dConfig::new([4, 3]).init()
        ),
        layer(
            "AdaptiveAvgPool3d",
            dims!["n", 2, 4, 6, 5],
            cube,
            volumes,
            |layer, x| layer.forward(x),
        ),
        of_lines!("AvgPool1d", AvgPool1dConfig::new(3).init()),
        of_images!("AvgPool2d", AvgPool2dConfig::new([3, 2]).init()),
        of_lines!("MaxPool1d", MaxPool1dConfig::new(3).init()),
        of_images!("MaxPool2d", MaxPool2dConfig::new([3, 2]).init()),
    ]
}

#[test]
fn pools_match_burn() {
    check(layers());
}
