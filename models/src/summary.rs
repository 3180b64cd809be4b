//! What each layer of a network gives, holds and costs, from its shapes alone.

use serde::Serialize;

use crate::Shape;
use crate::architecture::{Architecture, Operation, ResolvedLayer};

/// Bytes of a 32-bit float.
const FLOAT: u64 = 4;

/// A network, layer by layer and in total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Channels, height and width of an image.
    pub input: [usize; 3],
    /// The layers in order.
    pub layers: Vec<LayerSummary>,
    /// Of all layers.
    pub total: Cost,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// As in the parameters' names; of a layer inside a residual block, behind
    /// `body.` or `shortcut.`.
    pub name: String,
    /// As written in YAML: `conv2d`.
    pub kind: &'static str,
    /// Channels, height and width, or features, that one image gives.
    pub output: Vec<usize>,
    /// With the layers inside.
    #[serde(flatten)]
    pub cost: Cost,
    /// The layers inside a residual block.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerSummary>,
}

/// What layers hold and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Trainable parameters.
    pub parameters: u64,
    /// Bytes of the parameters and of running statistics, as 32-bit floats.
    pub parameter_bytes: u64,
    /// Products that are added up, in convolutions and linear layers, for one
    /// image.
    pub multiply_adds: u64,
    /// Bytes of the layers' outputs for one image, as 32-bit floats. Training
    /// keeps them for the way back, but for those inside fused layers.
    pub activation_bytes: u64,
}

impl Cost {
    fn plus(self, other: &Self) -> Self {
        Self {
            parameters: self.parameters.saturating_add(other.parameters),
            parameter_bytes: self.parameter_bytes.saturating_add(other.parameter_bytes),
            multiply_adds: self.multiply_adds.saturating_add(other.multiply_adds),
            activation_bytes: self.activation_bytes.saturating_add(other.activation_bytes),
        }
    }
}

impl Architecture {
    /// What each layer gives, holds and costs.
    pub fn summary(&self) -> Summary {
        let layers: Vec<_> = self
            .layers()
            .iter()
            .map(|layer| summary(layer, ""))
            .collect();
        Summary {
            input: self.input(),
            total: total(&layers),
            layers,
        }
    }
}

/// The layer, under `prefix` ("body." inside a block).
fn summary(layer: &ResolvedLayer, prefix: &str) -> LayerSummary {
    let inside: Vec<LayerSummary> = match &layer.operation {
        Operation::Residual { body, shortcut } => {
            let body = body.iter().map(|layer| summary(layer, "body."));
            let shortcut = shortcut.iter().map(|layer| summary(layer, "shortcut."));
            body.chain(shortcut).collect()
        }
        _ => Vec::new(),
    };
    LayerSummary {
        name: format!("{prefix}{}", layer.name),
        kind: layer.operation.kind(),
        output: match layer.output {
            Shape::Maps {
                channels,
                height,
                width,
            } => vec![channels, height, width],
            Shape::Features(features) => vec![features],
        },
        cost: total(&inside).plus(&own_cost(layer)),
        layers: inside,
    }
}

fn total(layers: &[LayerSummary]) -> Cost {
    layers
        .iter()
        .fold(Cost::default(), |cost, layer| cost.plus(&layer.cost))
}

/// Without the layers inside.
fn own_cost(layer: &ResolvedLayer) -> Cost {
    let outputs = layer.output.elements() as u64;
    let statistics = match layer.operation {
        Operation::BatchNorm(channels) => 2 * channels as u64,
        _ => 0,
    };
    let parameters = match layer.operation {
        Operation::Residual { .. } => 0,
        _ => layer.parameters() as u64,
    };
    Cost {
        parameters,
        parameter_bytes: FLOAT * (parameters + statistics),
        multiply_adds: outputs * layer.operation.fan_in() as u64,
        activation_bytes: FLOAT * outputs,
    }
}

impl Operation {
    /// As written in YAML.
    fn kind(&self) -> &'static str {
        match self {
            Self::Conv2d { .. } => "conv2d",
            Self::BatchNorm(_) => "batch_norm",
            Self::Relu => "relu",
            Self::Gelu => "gelu",
            Self::LeakyRelu(_) => "leaky_relu",
            Self::MaxPool(_) => "max_pool",
            Self::AvgPool(_) => "avg_pool",
            Self::GlobalAvgPool => "global_avg_pool",
            Self::Dropout(_) => "dropout",
            Self::Flatten => "flatten",
            Self::Linear { .. } => "linear",
            Self::Residual { .. } => "residual",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{ModelSpec, built_in};

    fn of(name: &str, input: [usize; 3]) -> Summary {
        built_in(name).unwrap().resolve(input).unwrap().summary()
    }

    /// By hand, from the layers' shapes: `lenet5`'s first convolution gives
    /// 6·24·24 sums of 1·5·5 products.
    #[test]
    fn costs_are_those_computed_by_hand() {
        for (name, parameters, multiply_adds, activation_bytes) in [
            ("cnn-10-20", 21_840, 480_500, 64_880),
            ("cnn-32-64", 121_930, 2_528_000, 269_992),
            ("cnn-16-32-32-64", 121_514, 10_380_160, 257_192),
            ("cnn-8-16-32-64-64", 201_354, 10_850_560, 200_744),
            ("cnn-32-64-128", 274_826, 14_423_808, 404_264),
            ("lenet5", 44_426, 281_640, 43_016),
        ] {
            let expected = Cost {
                parameters,
                parameter_bytes: 4 * parameters,
                multiply_adds,
                activation_bytes,
            };
            assert_eq!(of(name, [1, 28, 28]).total, expected, "{name}");
        }
    }

    #[test]
    fn layers_of_lenet5_are_those_computed_by_hand() {
        let summary = of("lenet5", [1, 28, 28]);
        let rows: Vec<_> = summary
            .layers
            .iter()
            .filter(|layer| layer.cost.parameters > 0)
            .map(|layer| {
                let Cost {
                    parameters,
                    multiply_adds,
                    ..
                } = layer.cost;
                (
                    layer.name.as_str(),
                    layer.output.clone(),
                    parameters,
                    multiply_adds,
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("conv1", vec![6, 24, 24], 156, 86_400),
                ("conv2", vec![16, 8, 8], 2_416, 153_600),
                ("fc1", vec![120], 30_840, 30_720),
                ("fc2", vec![84], 10_164, 10_080),
                ("fc3", vec![10], 850, 840),
            ]
        );
    }

    /// ResNet-20's 0.27 million parameters and 41 million products (He et al.,
    /// 2015, table 6), and what it takes to project two shortcuts.
    #[test]
    fn residual_blocks_count_what_is_inside() {
        let summary = of("resnet-cifar", [3, 32, 32]);
        assert_eq!(summary.total.parameters, 272_474);
        assert_eq!(summary.total.multiply_adds, 40_813_184);
        let block = summary
            .layers
            .iter()
            .find(|layer| layer.kind == "residual")
            .unwrap();
        assert_eq!(block.cost.parameters, 4_672);
        assert_eq!(block.layers[0].name, "body.conv1");
    }

    /// Howard et al., 2017, section 3.1: 1 / channels + 1 / kernel² of the full convolution's
    /// products, here 1/16 + 1/9 of 64·8·16·9.
    #[test]
    fn depthwise_separable_convolution_costs_what_its_paper_says() {
        let layers = "[conv2d: { channels: 8, kernel: 3, padding: same, groups: 8, bias: false }, \
                      conv2d: { channels: 16, kernel: 1, bias: false }]";
        let spec: ModelSpec = serde_saphyr::from_str(&format!("layers: {layers}")).unwrap();
        let cost = spec.resolve([8, 8, 8]).unwrap().summary().total;
        assert_eq!(cost.parameters, 8 * 9 + 8 * 16);
        assert_eq!(
            cost.multiply_adds,
            64 * 8 * 16 * 9 / 16 + 64 * 8 * 16 * 9 / 9
        );
    }

    #[test]
    fn running_statistics_take_memory_and_are_no_parameters() {
        let spec: ModelSpec = serde_saphyr::from_str("layers: [batch_norm]").unwrap();
        let cost = spec.resolve([3, 2, 2]).unwrap().summary().total;
        assert_eq!((cost.parameters, cost.parameter_bytes), (6, 48));
    }
}
