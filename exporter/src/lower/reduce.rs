//! Reductions, and what orders the elements of an axis.

use burn::backend::ir::{
    ReduceDimOpIr, ReduceDimWithIndicesOpIr, ReduceDimsOpIr, ReduceOpIr, SortOpIr,
    SortWithIndicesOpIr, TensorIr, TopKWithIndicesOpIr,
};
use burn::tensor::DType;

use super::context::{Context, Lowered, Refusal};
use crate::graph::ValueId;
use crate::node::Node;

/// The first opset in which every reduction takes its axes as an input.
const AXES_AS_INPUT: u8 = 18;

/// A node that reduces `axes` and keeps them with size 1.
fn reduction(cx: &mut Context, op_type: &'static str, x: ValueId, axes: &[i64]) -> Node {
    let node = Node::new(op_type).input(x);
    // ReduceSum changed first, with opset 13.
    if cx.has(AXES_AS_INPUT) || op_type == "ReduceSum" {
        let axes = cx.integers(axes);
        node.input(axes)
    } else {
        node.attr("axes", axes.to_vec())
    }
}

/// Reduces all axes; Burn's result has the shape `[1]`.
pub(super) fn all(cx: &mut Context, op_type: &'static str, op: &ReduceOpIr) -> Lowered {
    all_of(cx, op_type, (&op.input).into(), &op.input, &op.out)
}

/// As [`all`], of a value with the rank of `like`.
pub(super) fn all_of(
    cx: &mut Context,
    op_type: &'static str,
    x: ValueId,
    like: &TensorIr,
    out: &TensorIr,
) -> Lowered {
    let axes: Vec<i64> = (0..like.shape.num_dims() as i64).collect();
    let dtype = cx.dtype(x);
    let node = reduction(cx, op_type, x, &axes);
    if axes.len() == 1 {
        return cx.finish_as(node, dtype, out);
    }
    let reduced = cx.compute(node.attr("keepdims", 0i64), dtype);
    let shape = cx.integers(&[1]);
    let reshape = Node::new("Reshape").inputs([reduced, shape]);
    cx.finish_as(reshape, dtype, out)
}

pub(super) fn along(cx: &mut Context, op_type: &'static str, op: &ReduceDimOpIr) -> Lowered {
    let node = reduction(cx, op_type, (&op.input).into(), &[op.axis as i64]);
    cx.push(node.output(&op.out))
}

/// As [`along`], of another value.
pub(super) fn along_of(
    cx: &mut Context,
    op_type: &'static str,
    x: ValueId,
    op: &ReduceDimOpIr,
) -> Lowered {
    let dtype = cx.dtype(x);
    let node = reduction(cx, op_type, x, &[op.axis as i64]);
    cx.finish_as(node, dtype, &op.out)
}

pub(super) fn sum_dims(cx: &mut Context, op: &ReduceDimsOpIr) -> Lowered {
    let axes: Vec<i64> = op.axes.iter().map(|axis| *axis as i64).collect();
    let node = reduction(cx, "ReduceSum", (&op.input).into(), &axes);
    cx.push(node.output(&op.out))
}

pub(super) fn max_abs(cx: &mut Context, op: &ReduceOpIr) -> Lowered {
    let size = cx.apply("Abs", [(&op.input).into()]);
    all_of(cx, "ReduceMax", size, &op.input, &op.out)
}

pub(super) fn max_abs_along(cx: &mut Context, op: &ReduceDimOpIr) -> Lowered {
    let size = cx.apply("Abs", [(&op.input).into()]);
    along_of(cx, "ReduceMax", size, op)
}

/// The first position of the extreme, as Burn has it.
pub(super) fn position(cx: &mut Context, op_type: &'static str, op: &ReduceDimOpIr) -> Lowered {
    let node = Node::new(op_type).input(&op.input);
    cx.finish_as(node.attr("axis", op.axis), DType::I64, &op.out)
}

pub(super) fn with_position(
    cx: &mut Context,
    value: &'static str,
    position: &'static str,
    op: &ReduceDimWithIndicesOpIr,
) -> Lowered {
    let node = reduction(cx, value, (&op.tensor).into(), &[op.dim as i64]);
    cx.push(node.output(&op.out))?;
    let node = Node::new(position).input(&op.tensor);
    cx.finish_as(node.attr("axis", op.dim), DType::I64, &op.out_indices)
}

/// The first `k` along an axis in order: values and positions.
fn ordered(
    cx: &mut Context,
    tensor: &TensorIr,
    (axis, like): (usize, &TensorIr),
    largest: bool,
) -> Result<(ValueId, ValueId), Refusal> {
    let extent = cx.shape(like)[axis].clone();
    let k = cx.extent(&extent)?;
    let node = Node::new("TopK").inputs([tensor.into(), k]);
    let node = node
        .attr("axis", axis)
        .attr_unless("largest", true, largest);
    let values = cx.fresh(tensor.dtype);
    let positions = cx.fresh(DType::I64);
    cx.push(node.output(values).output(positions))?;
    Ok((values, positions))
}

pub(super) fn top_k(cx: &mut Context, op: &ReduceDimOpIr) -> Lowered {
    let (values, _) = ordered(cx, &op.input, (op.axis, &op.out), true)?;
    cx.rename(values, &op.out)
}

pub(super) fn arg_top_k(cx: &mut Context, op: &ReduceDimOpIr) -> Lowered {
    let (_, positions) = ordered(cx, &op.input, (op.axis, &op.out), true)?;
    cx.rename(positions, &op.out)
}

pub(super) fn top_k_with_indices(cx: &mut Context, op: &TopKWithIndicesOpIr) -> Lowered {
    let (values, positions) = ordered(cx, &op.tensor, (op.dim, &op.out), true)?;
    cx.rename(values, &op.out)?;
    cx.rename(positions, &op.out_indices)
}

pub(super) fn sort(cx: &mut Context, op: &SortOpIr) -> Lowered {
    let (values, _) = ordered(cx, &op.input, (op.dim, &op.input), op.descending)?;
    cx.rename(values, &op.out)
}

pub(super) fn arg_sort(cx: &mut Context, op: &SortOpIr) -> Lowered {
    let (_, positions) = ordered(cx, &op.input, (op.dim, &op.input), op.descending)?;
    cx.rename(positions, &op.out)
}

pub(super) fn sort_with_indices(cx: &mut Context, op: &SortWithIndicesOpIr) -> Lowered {
    let (values, positions) = ordered(cx, &op.input, (op.dim, &op.input), op.descending)?;
    cx.rename(values, &op.out)?;
    cx.rename(positions, &op.out_indices)
}
