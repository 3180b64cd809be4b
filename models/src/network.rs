//! The Burn module of a whole network.

use std::fmt;

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::{AvgPool2dConfig, MaxPool2dConfig};
use burn::nn::{BatchNormConfig, DropoutConfig, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use crate::architecture::{Operation, ResolvedLayer, Window};
use crate::block::Block;
use crate::layer::{Activation, Layer, Residual};

/// A feed-forward network: named layers, applied in order.
///
/// Parameters are visited under the layers' names: `conv1.weight`.
#[derive(Clone, Debug)]
pub struct Network {
    layers: Vec<(String, Layer)>,
}

impl Network {
    /// Logits `[batch, classes]` for images `[batch, channels, height, width]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.apply(Activation::Maps(images)).vectors()
    }

    pub(crate) fn apply(&self, x: Activation) -> Activation {
        let mut x = x;
        let mut layers = self.layers.as_slice();
        while let [(_, first), rest @ ..] = layers {
            (x, layers) = match (Block::starting_at(layers), x) {
                (Some(block), Activation::Maps(maps)) => {
                    let after = &layers[block.layers..];
                    (Activation::Maps(block.forward(maps)), after)
                }
                (_, x) => (first.forward(x), rest),
            };
        }
        x
    }

    fn map_layers(self, mut f: impl FnMut(&str, Layer) -> Layer) -> Self {
        let layers = self.layers.into_iter();
        Self {
            layers: layers
                .map(|(name, layer)| {
                    let layer = f(&name, layer);
                    (name, layer)
                })
                .collect(),
        }
    }
}

/// Makes the modules of `layers` on `device`.
pub(crate) fn init(layers: &[ResolvedLayer], device: &Device) -> Network {
    Network {
        layers: layers
            .iter()
            .map(|layer| (layer.name.clone(), init_layer(&layer.operation, device)))
            .collect(),
    }
}

fn init_layer(operation: &Operation, device: &Device) -> Layer {
    match operation {
        Operation::Conv2d {
            channels,
            kernel,
            stride,
            padding: [top, left, bottom, right],
            bias,
        } => Layer::Conv2d(
            Conv2dConfig::new(*channels, *kernel)
                .with_stride(*stride)
                .with_padding(PaddingConfig2d::Explicit(*top, *left, *bottom, *right))
                .with_bias(*bias)
                .init(device),
        ),
        Operation::BatchNorm(channels) => {
            Layer::BatchNorm(BatchNormConfig::new(*channels).init(device))
        }
        Operation::Relu => Layer::Relu,
        Operation::Gelu => Layer::Gelu,
        Operation::LeakyRelu(slope) => Layer::LeakyRelu(*slope),
        Operation::MaxPool(window) => Layer::MaxPool(
            MaxPool2dConfig::new(window.kernel)
                .with_strides(window.stride)
                .with_padding(pool_padding(window))
                .init(),
        ),
        Operation::AvgPool(window) => Layer::AvgPool(
            AvgPool2dConfig::new(window.kernel)
                .with_strides(window.stride)
                .with_padding(pool_padding(window))
                .with_count_include_pad(false)
                .init(),
        ),
        Operation::GlobalAvgPool => Layer::GlobalAvgPool,
        Operation::Dropout(probability) => Layer::Dropout(DropoutConfig::new(*probability).init()),
        Operation::Flatten => Layer::Flatten,
        Operation::Linear {
            features: [input, output],
            bias,
        } => Layer::Linear(
            LinearConfig::new(*input, *output)
                .with_bias(*bias)
                .init(device),
        ),
        Operation::Residual { body, shortcut } => Layer::Residual(Residual {
            body: init(body, device),
            shortcut: (!shortcut.is_empty()).then(|| init(shortcut, device)),
        }),
    }
}

fn pool_padding(window: &Window) -> PaddingConfig2d {
    let pixels = window.padding;
    PaddingConfig2d::Explicit(pixels, pixels, pixels, pixels)
}

/// What Burn's adapters call the container of the layers.
const CONTAINER: &str = "Struct:Network";

// By hand, so that the layers' names stand in the parameters' paths.
impl Module for Network {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.layers.iter().fold(devices, |devices, (_, layer)| {
            layer.collect_devices(devices)
        })
    }

    fn fork(self, device: &Device) -> Self {
        self.map_layers(|_, layer| layer.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_layers(|_, layer| layer.to_device(device))
    }

    fn train(self) -> Self {
        self.map_layers(|_, layer| layer.train())
    }

    fn valid(&self) -> Self {
        self.clone().map_layers(|_, layer| layer.valid())
    }

    fn materialize(self) -> Self {
        self.map_layers(|_, layer| layer.materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for (name, layer) in &self.layers {
            visitor.enter_module(name, CONTAINER);
            layer.visit(visitor);
            visitor.exit_module(name, CONTAINER);
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.map_layers(|name, layer| {
            mapper.enter_module(name, CONTAINER);
            let layer = layer.map(mapper);
            mapper.exit_module(name, CONTAINER);
            layer
        })
    }
}

impl ModuleDisplayDefault for Network {
    fn content(&self, content: Content) -> Option<Content> {
        self.layers
            .iter()
            .fold(content, |content, (name, layer)| {
                content.add_debug_attribute(name, layer)
            })
            .optional()
    }
}

impl ModuleDisplay for Network {}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format(Default::default()))
    }
}
