//! One layer after the other: its settings against the shape that enters it, and
//! the shape that leaves it.

use std::fmt;

use serde_saphyr::Spanned;

use super::names::Names;
use super::window::{conv_padding, dilated, slide};
use super::{Operation, ResolvedLayer, ShapeError, Window};
use crate::{LayerSpec, Pair, Pool, Shape};

/// The most values that one layer's weights or one sample's output may have;
/// it keeps a mistyped size from asking for more memory than any machine has.
const MAX_ELEMENTS: usize = 1 << 31;

/// Resolves a list of layers; `prefix` is the position of the block they are
/// in ("3." for the layers of block 3).
pub(super) fn resolve_layers(
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
        // What comes in from outside may have any size.
        representable(shape).map_err(at)?;
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
pub(super) enum Problem {
    Here(String),
    Inside(ShapeError),
}

pub(super) fn here(problem: impl fmt::Display) -> Problem {
    Problem::Here(problem.to_string())
}

impl From<ShapeError> for Problem {
    fn from(error: ShapeError) -> Self {
        Self::Inside(error)
    }
}

/// Resolves the settings of a layer against the shape that enters it.
fn operation(spec: &LayerSpec, input: Shape, position: &str) -> Result<Operation, Problem> {
    Ok(match spec {
        LayerSpec::Conv2d(conv) => {
            let (channels, size) = maps(input)?;
            let kernel = positive("kernel", conv.kernel)?;
            let stride = positive("stride", conv.stride)?;
            let dilation = positive("dilation", conv.dilation)?;
            let channels = [channels, at_least_one("channels", conv.channels)?];
            let window = dilated(kernel, dilation);
            Operation::Conv2d {
                channels,
                kernel,
                stride,
                padding: conv_padding(conv.padding, size, window, stride),
                dilation,
                groups: groups_of(conv.groups, channels)?,
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
            dilation,
            ..
        } => {
            let (_, size) = maps(input)?;
            bounded(&[*input_channels, *channels, kernel[0], kernel[1]])?;
            let padding = [top.saturating_add(*bottom), left.saturating_add(*right)];
            let padded = [0, 1].map(|axis| padding[axis].saturating_add(size[axis]));
            bounded(&[*input_channels, padded[0], padded[1]])?;
            let window = dilated(*kernel, *dilation);
            let [height, width] = slide(size, padding, window, *stride)?;
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
    representable(output)?;
    Ok(output)
}

/// Refuses a sample of too many values.
fn representable(shape: Shape) -> Result<(), Problem> {
    match shape {
        Shape::Maps {
            channels,
            height,
            width,
        } => bounded(&[channels, height, width]),
        Shape::Features(features) => bounded(&[features]),
    }
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

/// Groups that divide the input and output channels.
fn groups_of(groups: usize, [input, output]: [usize; 2]) -> Result<usize, Problem> {
    at_least_one("groups", groups)?;
    if input.is_multiple_of(groups) && output.is_multiple_of(groups) {
        Ok(groups)
    } else {
        Err(here(format!(
            "groups {groups} does not divide both the {input} channels that come in and the \
             {output} that leave"
        )))
    }
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
