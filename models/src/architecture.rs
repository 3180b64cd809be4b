//! Shape inference: from the layers as written to named layers with known
//! shapes, or the first layer that does not fit.

use std::collections::HashSet;
use std::fmt;

use burn::tensor::Device;
use serde_saphyr::{Location, Spanned};

use crate::network::{self, Network};
use crate::{LayerSpec, ModelSpec, Padding, Pair, Pool, Shape};

/// The most values that one layer's weights or one sample's output may have;
/// it keeps a mistyped size from asking for more memory than any machine has.
const MAX_ELEMENTS: usize = 1 << 31;

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

    /// The network on `device`, with PyTorch's default initialisation: weights
    /// and biases uniform in ±1/√fan_in, drawn from the device's generator
    /// when they are first used.
    pub fn init(&self, device: &Device) -> Network {
        network::init(&self.layers, device)
    }
}

impl ResolvedLayer {
    /// Number of trainable parameters.
    pub fn parameters(&self) -> usize {
        match &self.operation {
            Operation::Conv2d {
                channels: [input, output],
                kernel: [height, width],
                bias,
                ..
            } => output * (input * height * width + usize::from(*bias)),
            Operation::BatchNorm(channels) => 2 * channels,
            Operation::Linear {
                features: [input, output],
                bias,
            } => output * (input + usize::from(*bias)),
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

/// Resolves a list of layers; `prefix` is the position of the block they are
/// in ("3." for the layers of block 3).
fn resolve_layers(
    specs: &[Spanned<LayerSpec>],
    input: Shape,
    prefix: &str,
) -> Result<(Vec<ResolvedLayer>, Shape), ShapeError> {
    let mut names = Names::reserving(specs);
    let mut layers = Vec::with_capacity(specs.len());
    let mut shape = input;
    for (index, spec) in specs.iter().enumerate() {
        let position = format!("{prefix}{}", index + 1);
        let name = names.of(&spec.value);
        let at = |problem: Problem| match problem {
            Problem::Here(problem) => ShapeError {
                position: position.clone(),
                layer: name.clone().unwrap_or_else(|name| name),
                problem,
                location: spec.referenced,
            },
            Problem::Inside(error) => error,
        };
        if let Err(name) = &name {
            return Err(at(here(format!("the name `{name}` is used twice"))));
        }
        if let Ok(name) = &name
            && (name.is_empty() || name.contains('.'))
        {
            return Err(at(here(
                "a name is neither empty nor has it dots, which separate names in `res1.conv1.weight`",
            )));
        }
        let operation = operation(&spec.value, shape, &position).map_err(at)?;
        let output = output_shape(&operation, shape).map_err(at)?;
        layers.push(ResolvedLayer {
            name: name.unwrap_or_else(|name| name),
            operation,
            input: shape,
            output,
        });
        shape = output;
    }
    Ok((layers, shape))
}

/// Why a layer does not fit: itself, or a layer inside it.
enum Problem {
    Here(String),
    Inside(ShapeError),
}

fn here(problem: impl fmt::Display) -> Problem {
    Problem::Here(problem.to_string())
}

impl From<ShapeError> for Problem {
    fn from(error: ShapeError) -> Self {
        Self::Inside(error)
    }
}

/// Names of one list of layers: as given, else counted by kind.
struct Names<'a> {
    given: HashSet<&'a str>,
    used: HashSet<String>,
}

impl<'a> Names<'a> {
    fn reserving(specs: &'a [Spanned<LayerSpec>]) -> Self {
        Self {
            given: specs.iter().filter_map(|spec| spec.value.name()).collect(),
            used: HashSet::new(),
        }
    }

    /// The layer's name, or `Err` with it where another layer has it.
    fn of(&mut self, spec: &LayerSpec) -> Result<String, String> {
        let name = match spec.name() {
            Some(name) => name.to_owned(),
            None => self.next(spec.stem()),
        };
        if self.used.insert(name.clone()) {
            Ok(name)
        } else {
            Err(name)
        }
    }

    fn next(&self, stem: &str) -> String {
        (1..)
            .map(|number| format!("{stem}{number}"))
            .find(|name| !self.given.contains(name.as_str()) && !self.used.contains(name))
            .unwrap_or_default()
    }
}

impl LayerSpec {
    /// The name as given.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Conv2d(conv) => conv.name.as_deref(),
            Self::BatchNorm(norm) => norm.as_ref()?.name.as_deref(),
            Self::Linear(linear) => linear.name.as_deref(),
            Self::Residual(residual) => residual.name.as_deref(),
            Self::Relu
            | Self::Gelu
            | Self::LeakyRelu(_)
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::GlobalAvgPool
            | Self::Dropout(_)
            | Self::Flatten => None,
        }
    }

    /// What a name of this kind of layer begins with, by PyTorch's habit.
    fn stem(&self) -> &'static str {
        match self {
            Self::Conv2d(_) => "conv",
            Self::BatchNorm(_) => "bn",
            Self::Relu => "relu",
            Self::Gelu => "gelu",
            Self::LeakyRelu(_) => "leaky_relu",
            Self::MaxPool(_) | Self::AvgPool(_) => "pool",
            Self::GlobalAvgPool => "global_pool",
            Self::Dropout(_) => "dropout",
            Self::Flatten => "flatten",
            Self::Linear(_) => "fc",
            Self::Residual(_) => "res",
        }
    }
}

/// Resolves the settings of a layer against the shape that enters it.
fn operation(spec: &LayerSpec, input: Shape, position: &str) -> Result<Operation, Problem> {
    Ok(match spec {
        LayerSpec::Conv2d(conv) => {
            let (channels, size) = maps(input)?;
            let kernel = positive("kernel", conv.kernel)?;
            let stride = positive("stride", conv.stride)?;
            Operation::Conv2d {
                channels: [channels, at_least_one("channels", conv.channels)?],
                kernel,
                stride,
                padding: conv_padding(conv.padding, size, kernel, stride),
                bias: conv.bias,
            }
        }
        LayerSpec::BatchNorm(_) => Operation::BatchNorm(match input {
            Shape::Maps { channels, .. } => channels,
            Shape::Features(features) => features,
        }),
        LayerSpec::Relu => Operation::Relu,
        LayerSpec::Gelu => Operation::Gelu,
        LayerSpec::LeakyRelu(settings) => {
            let slope = settings.clone().unwrap_or_default().slope;
            if !slope.is_finite() {
                return Err(here(format!("slope {slope} is not a finite number")));
            }
            Operation::LeakyRelu(slope)
        }
        LayerSpec::MaxPool(pool) => Operation::MaxPool(window(pool, input)?),
        LayerSpec::AvgPool(pool) => Operation::AvgPool(window(pool, input)?),
        LayerSpec::GlobalAvgPool => maps(input).map(|_| Operation::GlobalAvgPool)?,
        LayerSpec::Dropout(dropout) if (0.0..1.0).contains(&dropout.probability) => {
            Operation::Dropout(dropout.probability)
        }
        LayerSpec::Dropout(dropout) => {
            return Err(here(format!(
                "probability {} is not in [0, 1)",
                dropout.probability
            )));
        }
        LayerSpec::Flatten => Operation::Flatten,
        LayerSpec::Linear(linear) => match input {
            Shape::Features(features) => Operation::Linear {
                features: [features, at_least_one("features", linear.features)?],
                bias: linear.bias,
            },
            Shape::Maps { .. } => {
                return Err(here(format!(
                    "a linear layer takes a vector, but feature maps of {input} come in; \
                     put `flatten` before it"
                )));
            }
        },
        LayerSpec::Residual(residual) => {
            let inner = format!("{position}.");
            let (body, body_shape) = resolve_layers(&residual.body, input, &inner)?;
            let inner = format!("{position}.shortcut.");
            let (shortcut, shortcut_shape) = resolve_layers(&residual.shortcut, input, &inner)?;
            if body_shape != shortcut_shape {
                return Err(here(format!(
                    "the body gives {body_shape} and the shortcut {shortcut_shape}; \
                     they must be equal to be added"
                )));
            }
            Operation::Residual { body, shortcut }
        }
    })
}

fn output_shape(operation: &Operation, input: Shape) -> Result<Shape, Problem> {
    let output = match operation {
        Operation::Conv2d {
            channels: [input_channels, channels],
            kernel,
            stride,
            padding: [top, left, bottom, right],
            ..
        } => {
            let (_, size) = maps(input)?;
            bounded(&[*input_channels, *channels, kernel[0], kernel[1]])?;
            let padding = [top.saturating_add(*bottom), left.saturating_add(*right)];
            let [height, width] = slide(size, padding, *kernel, *stride)?;
            Shape::Maps {
                channels: *channels,
                height,
                width,
            }
        }
        Operation::MaxPool(window) | Operation::AvgPool(window) => {
            let (channels, size) = maps(input)?;
            let padding = [2 * window.padding; 2];
            let [height, width] = slide(size, padding, window.kernel, window.stride)?;
            Shape::Maps {
                channels,
                height,
                width,
            }
        }
        Operation::GlobalAvgPool => Shape::Features(maps(input)?.0),
        Operation::Flatten => Shape::Features(input.elements()),
        Operation::Linear { features, .. } => {
            bounded(features)?;
            Shape::Features(features[1])
        }
        Operation::Residual { body, .. } => body.last().map_or(input, |layer| layer.output),
        Operation::BatchNorm(_)
        | Operation::Relu
        | Operation::Gelu
        | Operation::LeakyRelu(_)
        | Operation::Dropout(_) => input,
    };
    match output {
        Shape::Maps {
            channels,
            height,
            width,
        } => bounded(&[channels, height, width])?,
        Shape::Features(features) => bounded(&[features])?,
    }
    Ok(output)
}

/// Channels and size of feature maps, or what to do about a vector.
fn maps(input: Shape) -> Result<(usize, [usize; 2]), Problem> {
    match input {
        Shape::Maps {
            channels,
            height,
            width,
        } => Ok((channels, [height, width])),
        Shape::Features(features) => Err(here(format!(
            "it takes feature maps, but a vector of {features} comes in; \
             move it before `flatten`"
        ))),
    }
}

fn window(pool: &Pool, input: Shape) -> Result<Window, Problem> {
    maps(input)?;
    let kernel = positive("kernel", pool.kernel)?;
    let stride = positive("stride", pool.stride.unwrap_or(pool.kernel))?;
    if pool.padding > kernel[0].min(kernel[1]) / 2 {
        return Err(here(format!(
            "padding {} is more than half of the window {}×{}",
            pool.padding, kernel[0], kernel[1]
        )));
    }
    Ok(Window {
        kernel,
        stride,
        padding: pool.padding,
    })
}

/// Top, left, bottom and right padding of a convolution.
fn conv_padding(
    padding: Padding,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
) -> [usize; 4] {
    match padding {
        Padding::Valid => [0; 4],
        Padding::Pixels(Pair([height, width])) => [height, width, height, width],
        Padding::Same => {
            let [(top, bottom), (left, right)] =
                [0, 1].map(|axis| same_padding(size[axis], kernel[axis], stride[axis]));
            [top, left, bottom, right]
        }
    }
}

/// Padding before and after, for an output of ⌈size / stride⌉:
/// `(⌈size/stride⌉ - 1)·stride + kernel - size`, an odd one more after
/// (ONNX's `SAME_UPPER`).
fn same_padding(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let covered = (size.div_ceil(stride) - 1)
        .saturating_mul(stride)
        .saturating_add(kernel);
    let total = covered.saturating_sub(size);
    (total / 2, total - total / 2)
}

/// Output size of a window: `⌊(size + padding - kernel) / stride⌋ + 1`.
fn slide(
    size: [usize; 2],
    padding: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
) -> Result<[usize; 2], Problem> {
    let padded = [0, 1].map(|axis| size[axis].saturating_add(padding[axis]));
    if kernel[0] > padded[0] || kernel[1] > padded[1] {
        return Err(here(format!(
            "a window of {}×{} does not fit into maps of {}×{}{}",
            kernel[0],
            kernel[1],
            size[0],
            size[1],
            if padding == [0, 0] {
                String::new()
            } else {
                format!(" padded to {}×{}", padded[0], padded[1])
            }
        )));
    }
    Ok([0, 1].map(|axis| (padded[axis] - kernel[axis]) / stride[axis] + 1))
}

fn positive(setting: &str, pair: Pair) -> Result<[usize; 2], Problem> {
    at_least_one(setting, pair.0[0].min(pair.0[1]))?;
    Ok(pair.0)
}

fn at_least_one(setting: &str, value: usize) -> Result<usize, Problem> {
    match value {
        0 => Err(here(format!("{setting} must be at least 1"))),
        value => Ok(value),
    }
}

/// Refuses sizes whose product is beyond [`MAX_ELEMENTS`].
fn bounded(sizes: &[usize]) -> Result<(), Problem> {
    let elements = sizes
        .iter()
        .try_fold(1_usize, |product, size| product.checked_mul(*size));
    match elements {
        Some(elements) if elements <= MAX_ELEMENTS => Ok(()),
        _ => Err(here(format!(
            "{} values are more than the limit of {MAX_ELEMENTS}",
            sizes
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join("×")
        ))),
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
            "[max_pool: 18446744073709551615]",
            "[flatten, linear: 4294967296, linear: 4294967296]",
        ] {
            assert!(resolve(layers).is_err(), "{layers}");
        }
    }
}
