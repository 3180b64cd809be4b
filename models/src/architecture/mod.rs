//! Shape inference: from the layers as written to named layers with known
//! shapes, or the first layer that does not fit.

mod names;
mod resolve;
mod window;

use burn::tensor::Device;
use serde_saphyr::Location;

use self::resolve::resolve_layers;
use crate::network::{self, Network};
use crate::{ModelSpec, Shape};

/// The most trainable parameters that a network may have: 2 GiB of weights, as
/// much as is read of a file.
const MAX_PARAMETERS: usize = 1 << 29;

/// A network whose layers are named and whose shapes are known.
#[derive(Clone, Debug)]
pub struct Architecture {
    input: [usize; 3],
    layers: Vec<ResolvedLayer>,
    output: Shape,
}

/// One layer with its name and shapes.
#[derive(Clone, Debug)]
pub struct ResolvedLayer {
    /// Unique among its siblings, such as `conv1`.
    pub name: String,
    /// What the layer computes.
    pub operation: Operation,
    /// Shape of a sample that enters.
    pub input: Shape,
    /// Shape of a sample that leaves.
    pub output: Shape,
}

/// What a layer computes, every setting resolved.
#[derive(Clone, Debug)]
pub enum Operation {
    /// 2-D convolution.
    Conv2d {
        /// Input and output channels.
        channels: [usize; 2],
        /// Height and width.
        kernel: [usize; 2],
        /// Height and width.
        stride: [usize; 2],
        /// Top, left, bottom, right.
        padding: [usize; 4],
        /// Height and width.
        dilation: [usize; 2],
        /// Groups of channels; they divide both numbers of channels.
        groups: usize,
        /// Whether a bias is added.
        bias: bool,
    },
    /// Batch normalisation of this many channels or features.
    BatchNorm(usize),
    /// max(x, 0).
    Relu,
    /// x · Φ(x).
    Gelu,
    /// Slope where x is negative.
    LeakyRelu(f64),
    /// Largest value of each window.
    MaxPool(Window),
    /// Mean of each window.
    AvgPool(Window),
    /// Mean of each map.
    GlobalAvgPool,
    /// Probability that a value becomes zero.
    Dropout(f64),
    /// Feature maps to a vector.
    Flatten,
    /// x · W + b.
    Linear {
        /// Input and output features.
        features: [usize; 2],
        /// Whether a bias is added.
        bias: bool,
    },
    /// body(x) + shortcut(x); an empty shortcut is x itself.
    Residual {
        /// Layers of the body.
        body: Vec<ResolvedLayer>,
        /// Layers of the shortcut.
        shortcut: Vec<ResolvedLayer>,
    },
}

/// A pooling window.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Height and width.
    pub stride: [usize; 2],
    /// Pixels on each side.
    pub padding: usize,
}

/// A layer that cannot follow what comes before it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("layer {position} (`{layer}`): {problem}")]
pub struct ShapeError {
    /// Place in the network, counted from 1; `3.2` is the second layer of the
    /// residual block at place 3.
    pub position: String,
    /// The layer's name.
    pub layer: String,
    /// What does not fit, with the shapes.
    pub problem: String,
    /// Line and column in the file, where known.
    pub location: Location,
}

impl ModelSpec {
    /// Infers the shapes for images of shape `[channels, height, width]`.
    ///
    /// # Errors
    ///
    /// The first layer that is impossible: its place, its name, its location
    /// in the file and the shapes.
    pub fn resolve(&self, input: [usize; 3]) -> Result<Architecture, ShapeError> {
        let [channels, height, width] = input;
        let shape = Shape::Maps {
            channels,
            height,
            width,
        };
        let (layers, output) = resolve_layers(&self.layers, shape, "")?;
        self.check_parameters(&layers)?;
        Ok(Architecture {
            input,
            layers,
            output,
        })
    }

    /// Refuses the layer with which the network has too many parameters.
    fn check_parameters(&self, layers: &[ResolvedLayer]) -> Result<(), ShapeError> {
        let mut total = 0;
        for (index, (spec, layer)) in self.layers.iter().zip(layers).enumerate() {
            total += layer.parameters();
            if total > MAX_PARAMETERS {
                return Err(ShapeError {
                    position: (index + 1).to_string(),
                    layer: layer.name.clone(),
                    problem: format!(
                        "{total} parameters are more than the limit of {MAX_PARAMETERS}"
                    ),
                    location: spec.referenced,
                });
            }
        }
        Ok(())
    }
}

impl Architecture {
    /// Shape of one image: channels, height, width.
    pub fn input(&self) -> [usize; 3] {
        self.input
    }

    /// The layers in order.
    pub fn layers(&self) -> &[ResolvedLayer] {
        &self.layers
    }

    /// Shape of what the network gives for one image.
    pub fn output(&self) -> Shape {
        self.output
    }

    /// Number of trainable parameters.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(ResolvedLayer::parameters).sum()
    }

    /// The first batch normalisation, by its name, that has one value of a channel in each
    /// sample: of vectors, or of maps of one pixel. A batch of one sample has no variance there.
    pub fn variance_of_the_batch(&self) -> Option<&str> {
        variance_of_the_batch(&self.layers)
    }

    /// The network on `device`, with PyTorch's default initialisation: weights
    /// and biases uniform in ±1/√fan_in, drawn from the device's generator
    /// when they are first used.
    pub fn init(&self, device: &Device) -> Network {
        network::init(&self.layers, device)
    }
}

fn variance_of_the_batch(layers: &[ResolvedLayer]) -> Option<&str> {
    layers.iter().find_map(|layer| match &layer.operation {
        Operation::BatchNorm(channels) => {
            (layer.input.elements() == *channels).then_some(layer.name.as_str())
        }
        Operation::Residual { body, shortcut } => {
            variance_of_the_batch(body).or_else(|| variance_of_the_batch(shortcut))
        }
        _ => None,
    })
}

impl Operation {
    /// How many inputs, each with a weight of its own, every output is the sum of; 0 where
    /// there are no such weights.
    pub(crate) fn fan_in(&self) -> usize {
        match self {
            Self::Conv2d {
                channels: [input, _],
                kernel: [height, width],
                groups,
                ..
            } => input / groups * height * width,
            Self::Linear {
                features: [input, _],
                ..
            } => *input,
            _ => 0,
        }
    }
}

impl ResolvedLayer {
    /// Number of trainable parameters.
    pub fn parameters(&self) -> usize {
        match &self.operation {
            Operation::Conv2d {
                channels: [_, output],
                bias,
                ..
            }
            | Operation::Linear {
                features: [_, output],
                bias,
            } => output * (self.operation.fan_in() + usize::from(*bias)),
            Operation::BatchNorm(channels) => 2 * channels,
            Operation::Residual { body, shortcut } => {
                body.iter().chain(shortcut).map(Self::parameters).sum()
            }
            Operation::Relu
            | Operation::Gelu
            | Operation::LeakyRelu(_)
            | Operation::MaxPool(_)
            | Operation::AvgPool(_)
            | Operation::GlobalAvgPool
            | Operation::Dropout(_)
            | Operation::Flatten => 0,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn resolve(layers: &str) -> Result<Architecture, ShapeError> {
        let spec: ModelSpec = serde_saphyr::from_str(&format!("layers: {layers}")).unwrap();
        spec.resolve([3, 8, 8])
    }

    fn names(layers: &str) -> Vec<String> {
        let architecture = resolve(layers).unwrap();
        let layers = architecture.layers().iter();
        layers.map(|layer| layer.name.clone()).collect()
    }

    #[test]
    fn layers_are_counted_by_kind_past_the_names_that_are_given() {
        assert_eq!(
            names("[relu, relu, max_pool: 2, avg_pool: 2, flatten, linear: 3, linear: 2]"),
            ["relu1", "relu2", "pool1", "pool2", "flatten1", "fc1", "fc2"]
        );
        assert_eq!(
            names("[flatten, linear: 3, linear: { name: fc1, features: 2 }, linear: 2]"),
            ["flatten1", "fc2", "fc1", "fc3"]
        );
    }

    #[test]
    fn same_name_in_another_block_is_no_clash() {
        let block = "residual: { body: [conv2d: { name: a, channels: 3, kernel: 1 }] }";
        assert!(resolve(&format!("[{block}, {block}]")).is_ok());
        let linear = "linear: { name: a, features: 3 }";
        let error = resolve(&format!("[flatten, {linear}, {linear}]")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "layer 3 (`a`): the name `a` is used twice"
        );
    }

    #[test]
    fn errors_name_the_position_the_layer_and_the_shapes() {
        for (layers, message) in [
            (
                "[conv2d: { channels: 2, kernel: 9 }]",
                "layer 1 (`conv1`): a window of 9×9 does not fit into maps of 8×8",
            ),
            (
                "[relu, max_pool: { kernel: 11, padding: 1 }]",
                "layer 2 (`pool1`): a window of 11×11 does not fit into maps of 8×8 padded to \
                 10×10",
            ),
            (
                "[linear: 3]",
                "layer 1 (`fc1`): a linear layer takes a vector, but feature maps of 3×8×8 come \
                 in; put `flatten` before it",
            ),
            (
                "[flatten, max_pool: 2]",
                "layer 2 (`pool1`): it takes feature maps, but a vector of 192 comes in; move it \
                 before `flatten`",
            ),
            (
                "[residual: { body: [conv2d: { channels: 4, kernel: 1 }] }]",
                "layer 1 (`res1`): the body gives 4×8×8 and the shortcut 3×8×8; they must be \
                 equal to be added",
            ),
            (
                "[relu, residual: { body: [], shortcut: [relu, linear: 2] }]",
                "layer 2.shortcut.2 (`fc1`): a linear layer takes a vector, but feature maps of \
                 3×8×8 come in; put `flatten` before it",
            ),
            (
                "[conv2d: { channels: 2, kernel: 3, dilation: 4 }]",
                "layer 1 (`conv1`): a window of 9×9 does not fit into maps of 8×8",
            ),
            (
                "[conv2d: { channels: 6, kernel: 3, groups: 2 }]",
                "layer 1 (`conv1`): groups 2 does not divide both the 3 channels that come \
                 in and the 6 that leave",
            ),
            (
                "[conv2d: { channels: 3, kernel: 3, groups: 0 }]",
                "layer 1 (`conv1`): groups must be at least 1",
            ),
            (
                "[max_pool: { kernel: 3, padding: 2 }]",
                "layer 1 (`pool1`): padding 2 is more than half of the window 3×3",
            ),
        ] {
            assert_eq!(resolve(layers).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn absurd_sizes_are_refused_and_do_not_overflow() {
        for layers in [
            "[conv2d: { channels: 18446744073709551615, kernel: 1 }]",
            "[conv2d: { channels: 1, kernel: 1, padding: 18446744073709551615 }]",
            "[conv2d: { channels: 1, kernel: 18446744073709551615, padding: same }]",
            "[conv2d: { channels: 1, kernel: 3, stride: 18446744073709551615, padding: same }, \
             flatten, linear: 9223372036854775807]",
            "[conv2d: { channels: 1, kernel: 3, stride: 100000, padding: 100000 }]",
            "[conv2d: { channels: 1, kernel: 3, dilation: 18446744073709551615, padding: same }]",
            "[max_pool: 18446744073709551615]",
            "[flatten, linear: 4294967296, linear: 4294967296]",
        ] {
            assert!(resolve(layers).is_err(), "{layers}");
        }
        let spec: ModelSpec = serde_saphyr::from_str("layers: [flatten, linear: 10]").unwrap();
        let error = spec.resolve([1, usize::MAX, 9]).unwrap_err().to_string();
        assert!(error.contains("more than the limit"), "{error}");
    }
}
