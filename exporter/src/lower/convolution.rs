//! Convolutions in one to three dimensions.
//!
//! ONNX lists pads as all begins, then all ends.

use burn::backend::ir::{DeformConv2dOpIr, TensorIr};

use super::context::{Context, Lowered, refuse};
use crate::node::Node;

/// The attributes of a convolution, in the order of the spatial axes.
pub(super) struct Window<'a> {
    pub strides: &'a [usize],
    /// Begin and end of each axis.
    pub padding: &'a [(usize, usize)],
    pub dilations: &'a [usize],
    pub groups: usize,
}

pub(super) struct Operands<'a> {
    pub x: &'a TensorIr,
    pub weight: &'a TensorIr,
    pub bias: Option<&'a TensorIr>,
    pub out: &'a TensorIr,
}

/// Begins and ends that are the same.
pub(super) fn symmetric(padding: &[usize]) -> Vec<(usize, usize)> {
    padding.iter().map(|size| (*size, *size)).collect()
}

/// All begins, then all ends.
pub(super) fn pads(padding: &[(usize, usize)]) -> Vec<i64> {
    let begins = padding.iter().map(|(begin, _)| *begin as i64);
    let ends = padding.iter().map(|(_, end)| *end as i64);
    begins.chain(ends).collect()
}

/// `weight` is [out, in / groups, kernel..].
pub(super) fn conv(cx: &mut Context, operands: Operands, window: Window) -> Lowered {
    cx.require_fixed_counts("the padding")?;
    let node = node(cx, "Conv", &operands, &window)?;
    cx.push(node)
}

/// `weight` is [in, out / groups, kernel..]; `output_padding` adds to the ends.
pub(super) fn conv_transpose(
    cx: &mut Context,
    operands: Operands,
    window: Window,
    output_padding: &[usize],
) -> Lowered {
    let node = node(cx, "ConvTranspose", &operands, &window)?;
    let none = vec![0i64; output_padding.len()];
    cx.push(node.attr_unless("output_padding", none, output_padding))
}

fn node(
    cx: &Context,
    op_type: &'static str,
    operands: &Operands,
    window: &Window,
) -> Result<Node, super::Refusal> {
    let kernel = cx.fixed_shape(operands.weight)?;
    let ones = vec![1i64; window.strides.len()];
    let node = Node::new(op_type)
        .input(operands.x)
        .input(operands.weight)
        .optional(operands.bias)
        .output(operands.out)
        .attr("kernel_shape", &kernel[2..])
        .attr("strides", window.strides)
        .attr("pads", pads(window.padding))
        .attr_unless("dilations", ones, window.dilations)
        .attr_unless("group", 1i64, window.groups);
    Ok(node)
}

/// `DeformConv` takes the mask after the bias.
pub(super) fn deformable(cx: &mut Context, op: &DeformConv2dOpIr) -> Lowered {
    if !cx.has(19) {
        return refuse("deformable convolution came with opset 19; choose that or a newer one");
    }
    let kernel = cx.fixed_shape(&op.weight)?;
    let options = &op.options;
    let node = Node::new("DeformConv")
        .input(&op.x)
        .input(&op.weight)
        .input(&op.offset)
        .optional(op.bias.as_ref())
        .optional(op.mask.as_ref())
        .output(&op.out)
        .attr("kernel_shape", &kernel[2..])
        .attr("strides", &options.stride[..])
        .attr("pads", pads(&symmetric(&options.padding)))
        .attr("dilations", &options.dilation[..])
        .attr_unless("group", 1i64, options.weight_groups)
        .attr_unless("offset_group", 1i64, options.offset_groups);
    cx.push(node)
}
