//! Operations on integers alone.

use burn::backend::ir::{IntOperationIr, ScalarIr, TensorIr};
use burn::tensor::DType;

use super::context::{Context, Lowered, refuse};
use crate::graph::ValueId;
use crate::node::Node;

/// The first opset with bitwise operators.
const BITWISE: u8 = 18;

pub(super) fn lower(cx: &mut Context, op: &IntOperationIr) -> Lowered {
    use IntOperationIr as I;
    match op {
        I::IntoFloat(op) => cx.cast_to((&op.input).into(), &op.out),
        I::Matmul(op) => cx.apply_to("MatMul", [(&op.lhs).into(), (&op.rhs).into()], &op.out),
        I::BitwiseAnd(op) => bitwise(cx, "BitwiseAnd", &[&op.lhs, &op.rhs], &op.out),
        I::BitwiseOr(op) => bitwise(cx, "BitwiseOr", &[&op.lhs, &op.rhs], &op.out),
        I::BitwiseXor(op) => bitwise(cx, "BitwiseXor", &[&op.lhs, &op.rhs], &op.out),
        I::BitwiseNot(op) => bitwise(cx, "BitwiseNot", &[&op.input], &op.out),
        I::BitwiseAndScalar(op) => bitwise_scalar(cx, "BitwiseAnd", &op.lhs, op.rhs, &op.out),
        I::BitwiseOrScalar(op) => bitwise_scalar(cx, "BitwiseOr", &op.lhs, op.rhs, &op.out),
        I::BitwiseXorScalar(op) => bitwise_scalar(cx, "BitwiseXor", &op.lhs, op.rhs, &op.out),
        I::BitwiseLeftShift(op) => left_shift(cx, &op.lhs, (&op.rhs).into(), &op.out),
        I::BitwiseRightShift(op) => right_shift(cx, &op.lhs, (&op.rhs).into(), &op.out),
        I::BitwiseLeftShiftScalar(op) => {
            let amount = cx.scalar_operand(op.rhs, op.lhs.dtype)?;
            left_shift(cx, &op.lhs, amount, &op.out)
        }
        I::BitwiseRightShiftScalar(op) => {
            let amount = cx.scalar_operand(op.rhs, op.lhs.dtype)?;
            right_shift(cx, &op.lhs, amount, &op.out)
        }
    }
}

fn require_bitwise(cx: &Context) -> Lowered {
    if cx.has(BITWISE) {
        return Ok(());
    }
    refuse(format!(
        "bitwise operators came with opset {BITWISE}; choose that or a newer one"
    ))
}

fn bitwise(
    cx: &mut Context,
    op_type: &'static str,
    operands: &[&TensorIr],
    out: &TensorIr,
) -> Lowered {
    require_bitwise(cx)?;
    let operands = operands.iter().map(|operand| ValueId::from(*operand));
    cx.push(Node::new(op_type).inputs(operands).output(out))
}

fn bitwise_scalar(
    cx: &mut Context,
    op_type: &'static str,
    lhs: &TensorIr,
    rhs: ScalarIr,
    out: &TensorIr,
) -> Lowered {
    require_bitwise(cx)?;
    let rhs = cx.scalar_operand(rhs, lhs.dtype)?;
    cx.apply_to(op_type, [lhs.into(), rhs], out)
}

/// ONNX shifts unsigned integers only; the bits of a left shift are the same.
fn left_shift(cx: &mut Context, lhs: &TensorIr, amount: ValueId, out: &TensorIr) -> Lowered {
    let unsigned = unsigned(lhs.dtype);
    let shifted = shift(cx, "LEFT", lhs.into(), amount, unsigned);
    cx.cast_to(shifted, out)
}

/// A right shift keeps the sign: `x >> n`, and `!(!x >> n)` for negative `x`.
fn right_shift(cx: &mut Context, lhs: &TensorIr, amount: ValueId, out: &TensorIr) -> Lowered {
    let unsigned = unsigned(lhs.dtype);
    if unsigned == lhs.dtype {
        let shifted = shift(cx, "RIGHT", lhs.into(), amount, unsigned);
        return cx.cast_to(shifted, out);
    }
    require_bitwise(cx)?;
    let zero = cx.scalar(ScalarIr::Int(0), lhs.dtype);
    let less = Node::new("Less").inputs([lhs.into(), zero]);
    let negative = cx.compute(less, DType::Bool(burn::tensor::BoolStore::Native));
    let inverted = cx.apply("BitwiseNot", [lhs.into()]);
    let select = Node::new("Where").inputs([negative, inverted, lhs.into()]);
    let magnitude = cx.compute(select, lhs.dtype);
    let shifted = shift(cx, "RIGHT", magnitude, amount, unsigned);
    let shifted = cx.cast(shifted, lhs.dtype);
    let restored = cx.apply("BitwiseNot", [shifted]);
    cx.apply_to("Where", [negative, restored, shifted], out)
}

fn shift(
    cx: &mut Context,
    direction: &'static str,
    value: ValueId,
    amount: ValueId,
    unsigned: DType,
) -> ValueId {
    let value = cx.cast(value, unsigned);
    let amount = cx.cast(amount, unsigned);
    let node = Node::new("BitShift").inputs([value, amount]);
    cx.compute(node.attr("direction", direction), unsigned)
}

fn unsigned(dtype: DType) -> DType {
    match dtype {
        DType::I64 => DType::U64,
        DType::I32 => DType::U32,
        DType::I16 => DType::U16,
        DType::I8 => DType::U8,
        other => other,
    }
}
