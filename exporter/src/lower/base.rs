//! Operations on tensors of any kind: shapes, indices, masks.

use burn::backend::ir::{
    BaseOperationIr, BinaryOpIr, CatOpIr, FlipOpIr, GatherNdOpIr, GatherOpIr, MaskFillOpIr,
    MaskWhereOpIr, ReduceDimOpIr, ReduceOpIr, RepeatDimOpIr, ScalarIr, ScalarOpIr, ScatterNdOpIr,
    ScatterOpIr, SelectAssignOpIr, SelectOpIr, ShapeOpIr, SwapDimsOpIr, TensorIr, UnfoldOpIr,
};
use burn::tensor::{BoolStore, DType, IndexingUpdateOp, TensorData};

use super::context::{Context, Lowered, Refusal, refuse};
use super::operands::scalar_data;
use super::{reduce, slice};
use crate::extent::Extent;
use crate::graph::ValueId;
use crate::node::Node;

const BOOL: DType = DType::Bool(BoolStore::Native);

pub(super) fn lower(cx: &mut Context, op: &BaseOperationIr) -> Lowered {
    use BaseOperationIr as B;
    match op {
        B::Reshape(op) => reshape(cx, op),
        B::SwapDims(op) => swap_dims(cx, op),
        B::Permute(op) => transpose(cx, (&op.input).into(), &op.axes, &op.out),
        B::Flip(op) => flip(cx, op),
        B::Expand(op) => expand(cx, op),
        B::Unfold(op) => unfold(cx, op),
        B::Slice(op) => slice::slice(cx, op),
        B::SliceAssign(op) => slice::slice_assign(cx, op),
        B::Select(op) => select(cx, op),
        B::SelectAssign(op) => select_assign(cx, op),
        B::MaskWhere(op) => mask_where(cx, op),
        B::MaskFill(op) => mask_fill(cx, op),
        B::Gather(op) => gather(cx, op),
        B::Scatter(op) => scatter(cx, op),
        B::ScatterNd(op) => scatter_nd(cx, op),
        B::GatherNd(op) => gather_nd(cx, op),
        B::Equal(op) => cx.apply_to("Equal", [(&op.lhs).into(), (&op.rhs).into()], &op.out),
        B::EqualElem(op) => equal_elem(cx, op),
        B::NotEqual(op) => not_equal(cx, op),
        B::NotEqualElem(op) => not_equal_elem(cx, op),
        B::RepeatDim(op) => repeat_dim(cx, op),
        B::Cat(op) => cat(cx, op),
        B::Cast(op) => cx.cast_to((&op.input).into(), &op.out),
        // What an empty tensor holds is not defined; zeros are as good as any.
        B::Empty(op) | B::Zeros(op) => constant_of_shape(cx, ScalarIr::Int(0), &op.out),
        B::Ones(op) => constant_of_shape(cx, ScalarIr::Int(1), &op.out),
        B::All(op) => every(cx, "ReduceMin", op),
        B::Any(op) => every(cx, "ReduceMax", op),
        B::AllDim(op) => every_along(cx, "ReduceMin", op),
        B::AnyDim(op) => every_along(cx, "ReduceMax", op),
    }
}

/// Reshape's target may say "as in the input" (0) for axes that stay, and
/// "whatever is left" (-1) for one; only what is left after that is computed.
fn reshape(cx: &mut Context, op: &ShapeOpIr) -> Lowered {
    let (from, to) = (cx.shape(&op.input), cx.shape(&op.out));
    if to.iter().any(|size| size.is(0)) {
        return reshape_nothing(cx, op, &to);
    }
    let mut inferred = false;
    let target: Vec<Target> = to
        .iter()
        .enumerate()
        .map(|(axis, size)| {
            if let Some(size) = size.fixed() {
                Target::Number(size)
            } else if from.get(axis) == Some(size) {
                Target::Number(0)
            } else if !inferred {
                inferred = true;
                Target::Number(-1)
            } else {
                Target::Computed(size.clone())
            }
        })
        .collect();
    let computed = target
        .iter()
        .any(|target| matches!(target, Target::Computed(_)));
    let whole = if computed { cx.shape_with(&to) } else { None };
    let shape = match whole {
        Some(shape) => shape,
        None => shape_operand(cx, &target)?,
    };
    cx.apply_to("Reshape", [(&op.input).into(), shape], &op.out)
}

/// Sizes of 0, each of which is meant as such.
fn reshape_nothing(cx: &mut Context, op: &ShapeOpIr, to: &[Extent]) -> Lowered {
    let shape = cx.extents(to)?;
    let node = Node::new("Reshape").inputs([(&op.input).into(), shape]);
    cx.push(node.output(&op.out).attr("allowzero", 1i64))
}

/// An element of Reshape's shape operand.
enum Target {
    Number(i64),
    Computed(Extent),
}

fn shape_operand(cx: &mut Context, target: &[Target]) -> Result<ValueId, Refusal> {
    let numbers: Option<Vec<i64>> = target
        .iter()
        .map(|target| match target {
            Target::Number(number) => Some(*number),
            Target::Computed(_) => None,
        })
        .collect();
    if let Some(numbers) = numbers {
        return Ok(cx.integers(&numbers));
    }
    let parts: Vec<ValueId> = target
        .iter()
        .map(|target| match target {
            Target::Number(number) => Ok(cx.integers(&[*number])),
            Target::Computed(extent) => cx.extent(extent),
        })
        .collect::<Result<_, _>>()?;
    let concat = Node::new("Concat").inputs(parts).attr("axis", 0i64);
    Ok(cx.compute(concat, DType::I64))
}

pub(super) fn transpose(
    cx: &mut Context,
    input: ValueId,
    order: &[usize],
    out: &TensorIr,
) -> Lowered {
    let node = Node::new("Transpose").input(input).output(out);
    cx.push(node.attr("perm", order))
}

fn swap_dims(cx: &mut Context, op: &SwapDimsOpIr) -> Lowered {
    let mut order: Vec<usize> = (0..op.input.shape.num_dims()).collect();
    order.swap(op.dim1, op.dim2);
    transpose(cx, (&op.input).into(), &order, &op.out)
}

/// A slice from the last element back to the first.
fn flip(cx: &mut Context, op: &FlipOpIr) -> Lowered {
    let count = op.axes.len();
    let axes: Vec<i64> = op.axes.iter().map(|axis| *axis as i64).collect();
    let last = cx.integers(&vec![-1; count]);
    let before_first = cx.integers(&vec![i64::MIN; count]);
    let axes = cx.integers(&axes);
    let back = cx.integers(&vec![-1; count]);
    let operands = [(&op.input).into(), last, before_first, axes, back];
    cx.apply_to("Slice", operands, &op.out)
}

/// Expand's shape may be 1 for axes that stay, so that only sizes of axes that
/// grow are needed.
fn expand(cx: &mut Context, op: &ShapeOpIr) -> Lowered {
    let (from, to) = (cx.shape(&op.input), cx.shape(&op.out));
    let added = to.len() - from.len();
    let one = cx.constant_extent(1);
    let sizes: Vec<Extent> = to
        .iter()
        .enumerate()
        .map(|(axis, size)| {
            let stays = axis >= added && from[axis - added] == *size;
            if stays { one.clone() } else { size.clone() }
        })
        .collect();
    let shape = cx.extents(&sizes)?;
    cx.apply_to("Expand", [(&op.input).into(), shape], &op.out)
}

/// Windows along an axis, gathered: `[.., windows, size, ..]`, with `size`
/// then moved to the end.
fn unfold(cx: &mut Context, op: &UnfoldOpIr) -> Lowered {
    let windows = cx.shape(&op.out)[op.dim].clone();
    let windows = cx.fixed(&windows, "the number of windows")? as usize;
    let indices: Vec<i64> = (0..windows)
        .flat_map(|window| (0..op.size).map(move |offset| (window * op.step + offset) as i64))
        .collect();
    let indices = cx.constant(TensorData::new(indices, [windows, op.size]));
    let gather = Node::new("Gather").inputs([(&op.input).into(), indices]);
    let gathered = cx.compute(gather.attr("axis", op.dim), op.input.dtype);
    let rank = op.out.shape.num_dims();
    let mut order: Vec<usize> = (0..rank).filter(|axis| *axis != op.dim + 1).collect();
    order.push(op.dim + 1);
    transpose(cx, gathered, &order, &op.out)
}

fn select(cx: &mut Context, op: &SelectOpIr) -> Lowered {
    let indices = cx.indices(&op.indices, true);
    let node = Node::new("Gather").input(&op.tensor).input(indices);
    cx.push(node.output(&op.out).attr("axis", op.dim))
}

/// ONNX scatters element by element, so the indices are repeated along the
/// other axes of the update.
fn select_assign(cx: &mut Context, op: &SelectAssignOpIr) -> Lowered {
    let rank = op.tensor.shape.num_dims();
    let mut column = vec![1i64; rank];
    column[op.dim] = -1;
    let column = cx.integers(&column);
    let indices = cx.indices(&op.indices, true);
    let indices = cx.apply("Reshape", [indices, column]);
    let sizes = cx.shape(&op.value);
    let sizes = cx.extents(&sizes)?;
    let indices = cx.apply("Expand", [indices, sizes]);
    let node = Node::new("ScatterElements");
    let node = node.inputs([(&op.tensor).into(), indices, (&op.value).into()]);
    let node = node.output(&op.out).attr("axis", op.dim);
    let node = with_reduction(cx, node, &op.update)?;
    cx.push(node)
}

fn mask_where(cx: &mut Context, op: &MaskWhereOpIr) -> Lowered {
    let choices = [(&op.value).into(), (&op.tensor).into()];
    cx.choose_to((&op.mask).into(), choices, &op.out)
}

fn mask_fill(cx: &mut Context, op: &MaskFillOpIr) -> Lowered {
    let value = cx.scalar_operand(op.value, op.tensor.dtype)?;
    cx.choose_to((&op.mask).into(), [value, (&op.tensor).into()], &op.out)
}

fn gather(cx: &mut Context, op: &GatherOpIr) -> Lowered {
    let indices = cx.indices(&op.indices, true);
    let node = Node::new("GatherElements");
    let node = node.input(&op.tensor).input(indices);
    cx.push(node.output(&op.out).attr("axis", op.dim))
}

fn gather_nd(cx: &mut Context, op: &GatherNdOpIr) -> Lowered {
    let indices = cx.indices(&op.indices, false);
    cx.apply_to("GatherND", [(&op.data).into(), indices], &op.out)
}

fn scatter(cx: &mut Context, op: &ScatterOpIr) -> Lowered {
    let indices = cx.indices(&op.indices, true);
    let node = Node::new("ScatterElements");
    let node = node.inputs([(&op.tensor).into(), indices, (&op.value).into()]);
    let node = node.output(&op.out).attr("axis", op.dim);
    let node = with_reduction(cx, node, &op.update)?;
    cx.push(node)
}

fn scatter_nd(cx: &mut Context, op: &ScatterNdOpIr) -> Lowered {
    let indices = cx.indices(&op.indices, false);
    let node = Node::new("ScatterND");
    let node = node.inputs([(&op.data).into(), indices, (&op.values).into()]);
    let node = with_reduction(cx, node.output(&op.out), &op.reduction)?;
    cx.push(node)
}

/// What happens to an element that is written to: overwritten by default.
fn with_reduction(cx: &Context, node: Node, update: &IndexingUpdateOp) -> Result<Node, Refusal> {
    let name = match update {
        IndexingUpdateOp::Assign => return Ok(node),
        IndexingUpdateOp::Add => "add",
        IndexingUpdateOp::Mul => "mul",
        IndexingUpdateOp::Min => "min",
        IndexingUpdateOp::Max => "max",
    };
    if !cx.has(18) && matches!(name, "min" | "max") {
        return refuse(format!(
            "scattering with `{name}` came with opset 18; choose that or a newer one"
        ));
    }
    Ok(node.attr("reduction", name))
}

fn equal_elem(cx: &mut Context, op: &ScalarOpIr) -> Lowered {
    let value = cx.scalar_operand(op.rhs, op.lhs.dtype)?;
    cx.apply_to("Equal", [(&op.lhs).into(), value], &op.out)
}

fn not_equal(cx: &mut Context, op: &BinaryOpIr) -> Lowered {
    differs(cx, &op.lhs, (&op.rhs).into(), &op.out)
}

fn not_equal_elem(cx: &mut Context, op: &ScalarOpIr) -> Lowered {
    let value = cx.scalar_operand(op.rhs, op.lhs.dtype)?;
    differs(cx, &op.lhs, value, &op.out)
}

fn differs(cx: &mut Context, lhs: &TensorIr, rhs: ValueId, out: &TensorIr) -> Lowered {
    let equal = cx.compute(Node::new("Equal").inputs([lhs.into(), rhs]), BOOL);
    cx.apply_to("Not", [equal], out)
}

fn repeat_dim(cx: &mut Context, op: &RepeatDimOpIr) -> Lowered {
    let times = cx.counts()[0].clone();
    let mut repeats = vec![cx.constant_extent(1); op.tensor.shape.num_dims()];
    repeats[op.dim] = times;
    let repeats = cx.extents(&repeats)?;
    cx.apply_to("Tile", [(&op.tensor).into(), repeats], &op.out)
}

fn cat(cx: &mut Context, op: &CatOpIr) -> Lowered {
    let node = Node::new("Concat").inputs(op.tensors.iter().map(ValueId::from));
    cx.push(node.output(&op.out).attr("axis", op.dim))
}

/// A tensor of one value: a constant where its shape is fixed and small.
pub(super) fn constant_of_shape(cx: &mut Context, value: ScalarIr, out: &TensorIr) -> Lowered {
    let shape = cx.shape(out);
    let shape = cx.extents(&shape)?;
    let value = scalar_data(value, vec![1], out.dtype);
    let node = Node::new("ConstantOfShape").input(shape).output(out);
    cx.push(node.attr("value", value))
}

/// Whether all (the minimum) or any (the maximum) elements are not zero.
fn every(cx: &mut Context, op_type: &'static str, op: &ReduceOpIr) -> Lowered {
    let truths = truths(cx, &op.input);
    reduce::all_of(cx, op_type, truths, &op.input, &op.out)
}

fn every_along(cx: &mut Context, op_type: &'static str, op: &ReduceDimOpIr) -> Lowered {
    let truths = truths(cx, &op.input);
    reduce::along_of(cx, op_type, truths, op)
}

/// 1 for what is not zero; ONNX reduces booleans from opset 20 only.
fn truths(cx: &mut Context, tensor: &TensorIr) -> ValueId {
    let booleans = cx.cast(tensor.into(), BOOL);
    cx.cast(booleans, DType::I32)
}
