//! Whole networks.

use burn::module::{Module, Param, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig, PaddingConfig2d,
};
use burn::tensor::{Device, Tensor, activation};
use exporter::{Exporter, Samples, VerifyError, dims};

use tests::export::engine::session;
use tests::export::{case, normal, uniform};

/// A residual block with a projection.
#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    shortcut: Conv2d,
}

impl Block {
    fn new(from: usize, to: usize, device: &Device) -> Self {
        let conv = |from, kernel: usize, stride| {
            let around = kernel / 2;
            Conv2dConfig::new([from, to], [kernel, kernel])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(around, around, around, around))
                .with_bias(false)
                .init(device)
        };
        Self {
            conv1: conv(from, 3, 2),
            norm1: BatchNormConfig::new(to).init(device),
            conv2: conv(to, 3, 1),
            norm2: BatchNormConfig::new(to).init(device),
            shortcut: conv(from, 1, 2),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = activation::relu(self.norm1.forward(self.conv1.forward(x.clone())));
        let y = self.norm2.forward(self.conv2.forward(y));
        activation::relu(y + self.shortcut.forward(x))
    }
}

/// Convolution, pooling, two residual blocks and a classifier.
#[derive(Module, Debug)]
struct Network {
    stem: Conv2d,
    pool: MaxPool2d,
    blocks: Vec<Block>,
    average: AdaptiveAvgPool2d,
    dropout: Dropout,
    hidden: Linear,
    classes: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        Self {
            stem: Conv2dConfig::new([3, 8], [5, 5])
                .with_padding(PaddingConfig2d::Same)
                .init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            blocks: vec![Block::new(8, 16, device), Block::new(16, 24, device)],
            average: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            dropout: DropoutConfig::new(0.5).init(),
            hidden: LinearConfig::new(24, 16).init(device),
            classes: LinearConfig::new(16, 10).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(activation::gelu(self.stem.forward(x)));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let x = self.average.forward(x).flatten::<2>(1, 3);
        let x = activation::leaky_relu(self.hidden.forward(x), 0.01);
        self.classes.forward(self.dropout.forward(x))
    }
}

#[test]
fn residual_networks_match_burn() {
    let network = Network::new(&Device::flex());
    let images = |n| normal([n, 3, 32, 32]);
    case("logits").module(
        dims!["batch", 3, 32, 32],
        &network,
        images,
        Network::forward,
    );
    let exporter = Exporter::new().input("image", dims!["batch", 3, 32, 32]);
    let exporter = exporter.output("logits").output("probabilities");
    case("probabilities").check(exporter, &network, images, |network, x: Tensor<4>| {
        let logits = network.forward(x);
        (logits.clone(), activation::softmax(logits, 1))
    });
}

/// Statistics, scales and biases that are not the initial ones.
fn trained(mut network: Network) -> Network {
    for block in &mut network.blocks {
        for norm in [&mut block.norm1, &mut block.norm2] {
            let channels = norm.gamma.dims();
            norm.gamma = Param::from_tensor(uniform(channels, 0.5, 1.5));
            norm.beta = Param::from_tensor(normal(channels));
            norm.running_mean = RunningState::new(normal(channels));
            norm.running_var = RunningState::new(uniform(channels, 0.5, 2.0));
        }
    }
    network
}

#[test]
fn statistics_are_folded_into_convolutions() {
    let network = trained(Network::new(&Device::flex()));
    let images = |n| normal([n, 3, 32, 32]);
    case("trained").module(
        dims!["batch", 3, 32, 32],
        &network,
        images,
        Network::forward,
    );
}

#[test]
fn fully_convolutional_networks_take_any_image() {
    let network = Network::new(&Device::flex());
    let images = |n: usize| normal([n, 3, 30 + n, 28]);
    let exporter = Exporter::new()
        .input("image", dims!["batch", 3, "height", "width"])
        .sizes("height", [16, 24, 33, 40])
        .sizes("width", [17, 26, 35, 48])
        .output("logits");
    case("any size").check(exporter, &network, images, |network, x: Tensor<4>| {
        network.forward(x)
    });
}

/// Five halvings, and channels weighted by what their average says.
#[derive(Module, Debug)]
struct Squeeze {
    halvings: Vec<Conv2d>,
    average: AdaptiveAvgPool2d,
    weights: Conv2d,
}

impl Squeeze {
    fn new(device: &Device) -> Self {
        let halving = |from| {
            let around = PaddingConfig2d::Explicit(1, 1, 1, 1);
            let config = Conv2dConfig::new([from, 8], [3, 3]).with_stride([2, 2]);
            config.with_padding(around).init(device)
        };
        Self {
            halvings: [3, 8, 8, 8, 8].into_iter().map(halving).collect(),
            average: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            weights: Conv2dConfig::new([8, 8], [1, 1]).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let halvings = self.halvings.iter();
        let x = halvings.fold(x, |x, conv| activation::relu(conv.forward(x)));
        let weights = self.weights.forward(self.average.forward(x.clone()));
        x * activation::sigmoid(weights)
    }
}

#[test]
fn sizes_that_small_images_round_to_one_are_not_taken_for_one() {
    let network = Squeeze::new(&Device::flex());
    let images = |n: usize| normal([n, 3, 20 * n + 30, 224]);
    let dims = dims!["batch", 3, "height", "width"];
    case("squeeze and excitation").module(dims, &network, images, Squeeze::forward);
}

#[test]
fn a_model_that_answers_otherwise_than_the_module_is_found() {
    let network = trained(Network::new(&Device::flex()));
    let exporter = Exporter::new().input("image", dims!["batch", 3, "height", "width"]);
    let exporter = exporter
        .sizes("height", [16, 24, 33, 40])
        .sizes("width", [17, 26, 35, 48])
        .output("logits");
    let forward = |network: &Network, x: Tensor<4>| network.forward(x);
    let model = exporter.export(&network, forward).unwrap();
    let mut session = session(&model.to_bytes()).unwrap();
    let samples = Samples::new().seeds(0..4);
    let verified = model.verify(&network, forward, &mut session, &samples);
    assert!(verified.unwrap().outputs[0].scale > 0.01);

    let other = Network::new(&Device::flex());
    let error = model.verify(&other, forward, &mut session, &samples);
    assert!(matches!(error, Err(VerifyError::Different { .. })));
}
