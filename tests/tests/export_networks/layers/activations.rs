//! Activations.

use burn::nn::activation::{
    ActivationConfig, GLU, HardSwish, HardtanhConfig, LogSigmoid, Mish, RReluConfig, Relu6, SiLU,
    Tanhshrink, ThresholdConfig,
};
use burn::nn::{
    CeluConfig, EluConfig, Gelu, HardShrinkConfig, HardSigmoidConfig, LeakyReluConfig, PReluConfig,
    Relu, Selu, ShrinkConfig, Sigmoid, SoftShrinkConfig, SoftplusConfig, Softsign, SwiGluConfig,
    Tanh, ThresholdedReluConfig,
};
use burn::tensor::{Device, Tensor};
use exporter::dims;
use tests::export::{Case, normal};

use super::{check, layer};

/// A layer that takes and returns [n, 6, 5].
macro_rules! of {
    ($name:literal, $layer:expr) => {
        layer(
            $name,
            dims!["n", 6, 5],
            $layer,
            |n| normal([n, 6, 5]) * 3.0,
            |layer, x: Tensor<3>| layer.forward(x),
        )
    };
}

pub fn layers() -> Vec<Case<'static>> {
    let device = Device::flex();
    vec![
        of!("Activation", ActivationConfig::Gelu.init(&device)),
        of!("Celu", CeluConfig::new().with_alpha(1.5).init()),
        of!("Elu", EluConfig::new().with_alpha(0.7).init()),
        of!("GLU", GLU::new(1)),
        of!("Gelu", Gelu::new()),
        of!("Gelu, approximate", Gelu::new_approximate()),
        of!("HardShrink", HardShrinkConfig::new().init()),
        of!("HardSigmoid", HardSigmoidConfig::new().init()),
        of!("HardSwish", HardSwish::new()),
        of!("Hardtanh", HardtanhConfig::new().init()),
        of!("LeakyRelu", LeakyReluConfig::new().init()),
        of!("LogSigmoid", LogSigmoid::new()),
        of!("Mish", Mish::new()),
        of!(
            "PRelu",
            PReluConfig::new().with_num_parameters(6).init(&device)
        ),
        of!("RRelu", RReluConfig::new().init()),
        of!("Relu", Relu::new()),
        of!("Relu6", Relu6::new()),
        of!("Selu", Selu::new()),
        of!("Shrink", ShrinkConfig::new().init()),
        of!("SiLU", SiLU::new()),
        of!("Sigmoid", Sigmoid::new()),
        of!("SoftShrink", SoftShrinkConfig::new().init()),
        of!("Softplus", SoftplusConfig::new().with_beta(1.5).init()),
        of!("Softsign", Softsign::new()),
        of!("SwiGlu", SwiGluConfig::new(5, 8).init(&device)),
        of!("Tanh", Tanh::new()),
        of!("Tanhshrink", Tanhshrink::new()),
        of!("Threshold", ThresholdConfig::new(0.5, 2.0).init()),
        of!("ThresholdedRelu", ThresholdedReluConfig::new().init()),
    ]
}

#[test]
fn activations_match_burn() {
    check(layers());
}
