//! Whole layers that Burn records as one operation.

use burn::backend::ir::{
    BatchNormOpIr, EmbeddingOpIr, LayerNormOpIr, LinearOpIr, ModuleOperationIr, Unfold4dOpIr,
};
use burn::tensor::TensorData;

use super::attention::attention;
use super::context::{Context, Lowered, refuse};
use super::convolution::{self, Operands, symmetric};
use super::{pool, resample};
use crate::graph::ValueId;
use crate::node::Node;

/// Why backward operations are refused.
pub(super) const BACKWARD: &str =
    "it belongs to a backward pass; ONNX graphs hold the forward pass alone";

/// A convolution, whose options differ by the number of axes only.
macro_rules! conv {
    ($cx:expr, $op:expr, $padding:expr) => {
        convolution::conv($cx, operands!($op), attributes!($op, $padding))
    };
}

macro_rules! conv_transpose {
    ($cx:expr, $op:expr) => {
        convolution::conv_transpose(
            $cx,
            operands!($op),
            attributes!($op, &symmetric(&$op.options.padding)),
            &$op.options.padding_out,
        )
    };
}

macro_rules! operands {
    ($op:expr) => {
        Operands {
            x: &$op.x,
            weight: &$op.weight,
            bias: $op.bias.as_ref(),
            out: &$op.out,
        }
    };
}

macro_rules! attributes {
    ($op:expr, $padding:expr) => {
        convolution::Window {
            strides: &$op.options.stride,
            padding: $padding,
            dilations: &$op.options.dilation,
            groups: $op.options.groups,
        }
    };
}

macro_rules! window {
    ($op:expr, $kernel:expr, $strides:expr, $padding:expr, $dilations:expr) => {
        pool::Window {
            kernel: &$kernel,
            strides: &$strides,
            padding: &$padding,
            dilations: &$dilations,
            ceil_mode: $op.ceil_mode,
        }
    };
}

pub(super) fn lower(cx: &mut Context, op: &ModuleOperationIr) -> Lowered {
    use ModuleOperationIr as M;
    match op {
        M::BatchNorm(op) => batch_norm(cx, op),
        M::LayerNorm(op) => layer_norm(cx, op),
        M::Embedding(op) => embedding(cx, op),
        M::Linear(op) => linear(cx, op),
        M::Attention(op) => attention(cx, op),
        M::Interpolate(op) => resample::interpolate(cx, op),
        M::Unfold4d(op) => unfold(cx, op),
        M::Conv1d(op) => conv!(cx, op, &op.options.padding),
        M::Conv2d(op) => conv!(cx, op, &op.options.padding),
        M::Conv3d(op) => conv!(cx, op, &symmetric(&op.options.padding)),
        M::ConvTranspose1d(op) => conv_transpose!(cx, op),
        M::ConvTranspose2d(op) => conv_transpose!(cx, op),
        M::ConvTranspose3d(op) => conv_transpose!(cx, op),
        M::DeformableConv2d(op) => convolution::deformable(cx, op),
        M::AvgPool1d(op) => {
            let window = window!(op, [op.kernel_size], [op.stride], [op.padding], [1]);
            pool::average(cx, &op.x, window, op.count_include_pad, &op.out)
        }
        M::AvgPool2d(op) => {
            let window = window!(op, op.kernel_size, op.stride, op.padding, [1, 1]);
            pool::average(cx, &op.x, window, op.count_include_pad, &op.out)
        }
        M::MaxPool1d(op) => {
            let window = window!(
                op,
                [op.kernel_size],
                [op.stride],
                [op.padding],
                [op.dilation]
            );
            pool::max(cx, &op.x, window, &op.out)
        }
        M::MaxPool2d(op) => {
            let window = window!(op, op.kernel_size, op.stride, op.padding, op.dilation);
            pool::max(cx, &op.x, window, &op.out)
        }
        M::MaxPool1dWithIndices(op) => {
            let window = window!(
                op,
                [op.kernel_size],
                [op.stride],
                [op.padding],
                [op.dilation]
            );
            pool::max_with_positions(cx, &op.x, window, (&op.out, &op.out_indices))
        }
        M::MaxPool2dWithIndices(op) => {
            let window = window!(op, op.kernel_size, op.stride, op.padding, op.dilation);
            pool::max_with_positions(cx, &op.x, window, (&op.out, &op.out_indices))
        }
        M::AdaptiveAvgPool1d(op) => pool::adaptive_average(cx, &op.x, &op.out),
        M::AdaptiveAvgPool2d(op) => pool::adaptive_average(cx, &op.x, &op.out),
        M::AdaptiveAvgPool3d(op) => pool::adaptive_average(cx, &op.x, &op.out),
        M::CtcLoss(_) => refuse("ONNX has no CTC loss"),
        M::EmbeddingBackward(_)
        | M::LinearXBackward(_)
        | M::LinearWeightBackward(_)
        | M::LinearBiasBackward(_)
        | M::Conv1dXBackward(_)
        | M::Conv1dWeightBackward(_)
        | M::Conv1dBiasBackward(_)
        | M::Conv2dXBackward(_)
        | M::Conv2dWeightBackward(_)
        | M::Conv2dBiasBackward(_)
        | M::Conv3dXBackward(_)
        | M::Conv3dWeightBackward(_)
        | M::Conv3dBiasBackward(_)
        | M::DeformableConv2dBackward(_)
        | M::AvgPool1dBackward(_)
        | M::AvgPool2dBackward(_)
        | M::AdaptiveAvgPool1dBackward(_)
        | M::AdaptiveAvgPool2dBackward(_)
        | M::AdaptiveAvgPool3dBackward(_)
        | M::MaxPool1dWithIndicesBackward(_)
        | M::MaxPool2dWithIndicesBackward(_)
        | M::InterpolateBackward(_)
        | M::CtcLossBackward(_)
        | M::ConvTranspose1dWeightBackward(_)
        | M::ConvTranspose1dBiasBackward(_)
        | M::ConvTranspose2dWeightBackward(_)
        | M::ConvTranspose2dBiasBackward(_)
        | M::ConvTranspose3dWeightBackward(_)
        | M::ConvTranspose3dBiasBackward(_) => refuse(BACKWARD),
    }
}

/// `(x - mean) / √(variance + ε) · γ + β`, by channel.
fn batch_norm(cx: &mut Context, op: &BatchNormOpIr) -> Lowered {
    let node = Node::new("BatchNormalization")
        .input(&op.x)
        .input(&op.gamma)
        .input(&op.beta)
        .input(&op.mean)
        .input(&op.variance)
        .output(&op.out);
    cx.push(node.attr("epsilon", op.epsilon.elem::<f64>()))
}

/// `(x - mean) / √(variance + ε) · γ + β`, over the last axis.
fn layer_norm(cx: &mut Context, op: &LayerNormOpIr) -> Lowered {
    if cx.has(17) {
        let node = Node::new("LayerNormalization")
            .input(&op.input)
            .input(&op.gamma)
            .optional(op.beta.as_ref())
            .output(&op.out)
            .attr("axis", -1i64);
        return cx.push(node.attr("epsilon", op.epsilon.elem::<f64>()));
    }
    let (x, dtype) = (ValueId::from(&op.input), op.input.dtype);
    let mean = mean_of_last(cx, x);
    let centered = cx.apply("Sub", [x, mean]);
    let squares = cx.apply("Mul", [centered, centered]);
    let variance = mean_of_last(cx, squares);
    let epsilon = cx.number(op.epsilon.elem(), dtype);
    let variance = cx.apply("Add", [variance, epsilon]);
    let deviation = cx.apply("Sqrt", [variance]);
    let normal = cx.apply("Div", [centered, deviation]);
    match &op.beta {
        Some(beta) => {
            let scaled = cx.apply("Mul", [normal, (&op.gamma).into()]);
            cx.apply_to("Add", [scaled, beta.into()], &op.out)
        }
        None => cx.apply_to("Mul", [normal, (&op.gamma).into()], &op.out),
    }
}

/// Below opset 18, which is where this is used, axes are an attribute.
fn mean_of_last(cx: &mut Context, x: ValueId) -> ValueId {
    let dtype = cx.dtype(x);
    let node = Node::new("ReduceMean").input(x);
    cx.compute(node.attr("axes", vec![-1i64]), dtype)
}

/// Rows of the table.
fn embedding(cx: &mut Context, op: &EmbeddingOpIr) -> Lowered {
    let indices = cx.indices(&op.indices, true);
    let node = Node::new("Gather").input(&op.weights).input(indices);
    cx.push(node.output(&op.out))
}

/// `x W + b`, with `W` as [in, out].
fn linear(cx: &mut Context, op: &LinearOpIr) -> Lowered {
    let (x, weight) = (ValueId::from(&op.x), ValueId::from(&op.weight));
    let Some(bias) = &op.bias else {
        return cx.apply_to("MatMul", [x, weight], &op.out);
    };
    if op.x.shape.num_dims() == 2 {
        return cx.apply_to("Gemm", [x, weight, bias.into()], &op.out);
    }
    let product = cx.apply("MatMul", [x, weight]);
    cx.apply_to("Add", [product, bias.into()], &op.out)
}

/// Sliding windows as columns, [n, c·kh·kw, positions]: the convolution of each
/// channel with kernels that pick one element each.
fn unfold(cx: &mut Context, op: &Unfold4dOpIr) -> Lowered {
    let channels = cx.shape(&op.x)[1].clone();
    let channels = cx.fixed(&channels, "the number of channels")? as usize;
    let elements: usize = op.kernel_size.iter().product();
    let picks = (0..channels).flat_map(|_| 0..elements);
    let picks = picks.flat_map(|picked| (0..elements).map(move |at| f64::from(at == picked)));
    let [height, width] = op.kernel_size;
    let weight = TensorData::new(
        picks.collect::<Vec<f64>>(),
        [channels * elements, 1, height, width],
    );
    let weight = cx.constant(weight.convert_dtype(op.x.dtype));
    let options = &op.options;
    let windows = Node::new("Conv")
        .inputs([(&op.x).into(), weight])
        .attr("kernel_shape", &op.kernel_size[..])
        .attr("strides", &options.stride[..])
        .attr("pads", convolution::pads(&symmetric(&options.padding)))
        .attr("dilations", &options.dilation[..])
        .attr_unless("group", 1i64, channels);
    let windows = cx.compute(windows, op.x.dtype);
    let shape = cx.integers(&[0, (channels * elements) as i64, -1]);
    cx.apply_to("Reshape", [windows, shape], &op.out)
}
