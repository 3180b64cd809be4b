//! Normalizations.

use burn::nn::norm::NormalizationConfig;
use burn::nn::{
    BatchNormConfig, GroupNormConfig, InstanceNormConfig, LayerNormConfig, LocalResponseNormConfig,
    RmsNormConfig,
};
use burn::tensor::{Device, Tensor};
use exporter::dims;
use tests::export::{Case, normal};

use super::{check, layer};

/// A layer that takes and returns [n, 6, height, 7].
macro_rules! of {
    ($name:literal, $layer:expr) => {
        layer(
            $name,
            dims!["n", 6, "height", 7],
            $layer,
            |n| normal([n, 6, n + 4, 7]),
            |layer, x: Tensor<4>| layer.forward(x),
        )
    };
}

pub fn layers() -> Vec<Case<'static>> {
    let device = Device::flex();
    vec![
        of!("BatchNorm", BatchNormConfig::new(6).init(&device)),
        of!("GroupNorm", GroupNormConfig::new(3, 6).init(&device)),
        of!("InstanceNorm", InstanceNormConfig::new(6).init(&device)),
        of!("LayerNorm", LayerNormConfig::new(7).init(&device)),
        of!("LocalResponseNorm", LocalResponseNormConfig::new(3).init()),
        of!(
            "Normalization",
            NormalizationConfig::Instance(InstanceNormConfig::new(6)).init(&device)
        ),
        of!("RmsNorm", RmsNormConfig::new(7).init(&device)),
    ]
}

#[test]
fn normalizations_match_burn() {
    check(layers());
}
