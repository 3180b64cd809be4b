//! Operations on floats alone.

use burn::backend::ir::{
    BinaryOpIr, CastOpIr, CrossOpIr, FloatOperationIr, ScalarIr, TensorIr, UnaryOpIr,
};
use burn::tensor::{BoolStore, DType};

use super::context::{Context, Lowered, refuse};
use super::resample;
use crate::graph::ValueId;
use crate::node::Node;

/// ONNX has one kind of boolean, so Burn's storage is of no concern.
pub(super) const BOOL: DType = DType::Bool(BoolStore::Native);

pub(super) fn lower(cx: &mut Context, op: &FloatOperationIr) -> Lowered {
    use FloatOperationIr as F;
    match op {
        F::Exp(op) => unary(cx, "Exp", op),
        F::Log(op) => unary(cx, "Log", op),
        F::Log1p(op) => log1p(cx, op),
        F::Erf(op) => unary(cx, "Erf", op),
        F::Sqrt(op) => unary(cx, "Sqrt", op),
        F::Cos(op) => unary(cx, "Cos", op),
        F::Cosh(op) => unary(cx, "Cosh", op),
        F::Sin(op) => unary(cx, "Sin", op),
        F::Sinh(op) => unary(cx, "Sinh", op),
        F::Tan(op) => unary(cx, "Tan", op),
        F::Tanh(op) => unary(cx, "Tanh", op),
        F::ArcCos(op) => unary(cx, "Acos", op),
        F::ArcCosh(op) => unary(cx, "Acosh", op),
        F::ArcSin(op) => unary(cx, "Asin", op),
        F::ArcSinh(op) => unary(cx, "Asinh", op),
        F::ArcTan(op) => unary(cx, "Atan", op),
        F::ArcTanh(op) => unary(cx, "Atanh", op),
        F::ArcTan2(op) => arc_tan2(cx, op),
        F::Round(op) => unary(cx, "Round", op),
        F::Floor(op) => unary(cx, "Floor", op),
        F::Ceil(op) => unary(cx, "Ceil", op),
        F::Trunc(op) => trunc(cx, op),
        F::Recip(op) => unary(cx, "Reciprocal", op),
        F::IsNan(op) => unary(cx, "IsNaN", op),
        F::IsInf(op) => is_inf(cx, op),
        F::IntoInt(op) => into_int(cx, op),
        F::Matmul(op) => cx.apply_to("MatMul", [(&op.lhs).into(), (&op.rhs).into()], &op.out),
        F::Powf(op) => cx.apply_to("Pow", [(&op.lhs).into(), (&op.rhs).into()], &op.out),
        F::PowfScalar(op) => {
            let exponent = cx.scalar_operand(op.rhs, op.lhs.dtype)?;
            cx.apply_to("Pow", [(&op.lhs).into(), exponent], &op.out)
        }
        F::Hypot(op) => hypot(cx, op),
        F::Cross(op) => cross(cx, op),
        F::GridSample2d(op) => resample::grid_sample(cx, op),
        F::Random(_) => refuse(RANDOM),
        F::Quantize(_) | F::Dequantize(_) => {
            refuse("quantized tensors are not written; export the module before quantizing it")
        }
    }
}

/// Why random numbers are refused.
pub(super) const RANDOM: &str =
    "random numbers differ from run to run, and ONNX cannot be told Burn's generator";

fn unary(cx: &mut Context, op_type: &'static str, op: &UnaryOpIr) -> Lowered {
    cx.push(Node::new(op_type).input(&op.input).output(&op.out))
}

/// Before opset 20, the operator takes 32 and 64 bits only.
fn is_inf(cx: &mut Context, op: &UnaryOpIr) -> Lowered {
    let wide = cx.has(20) || matches!(op.input.dtype, DType::F32 | DType::F64);
    let x = match wide {
        true => (&op.input).into(),
        false => cx.cast((&op.input).into(), DType::F32),
    };
    cx.apply_to("IsInf", [x], &op.out)
}

/// As Rust's `as`: rounded to 0, NaN to 0, and what is beyond the type to its
/// ends, of which ONNX says nothing. Types of 32 and 64 bits are left to `Cast`,
/// as their ends are no floats.
fn into_int(cx: &mut Context, op: &CastOpIr) -> Lowered {
    /// Beyond 16 bits and within 32.
    const LIMIT: f64 = 65536.0;
    let Some(ends) = ends(op.out.dtype) else {
        return cx.cast_to((&op.input).into(), &op.out);
    };
    let dtype = match op.input.dtype {
        DType::F64 => DType::F64,
        // In 16 bits, the limit would be infinite.
        _ => DType::F32,
    };
    let x = cx.cast((&op.input).into(), dtype);
    let undefined = cx.compute(Node::new("IsNaN").input(x), BOOL);
    let zero = cx.number(0.0, dtype);
    let x = cx.compute(Node::new("Where").inputs([undefined, zero, x]), dtype);
    let [low, high] = [-LIMIT, LIMIT].map(|end| cx.number(end, dtype));
    let x = cx.apply("Clip", [x, low, high]);
    // As integers, the ends are exact in half precision, too.
    let x = cx.cast(x, DType::I32);
    let [low, high] = ends.map(|end| cx.scalar(ScalarIr::Int(end), DType::I32));
    let x = cx.apply("Clip", [x, low, high]);
    cx.cast_to(x, &op.out)
}

/// The least and the greatest number of an integer type of 8 or 16 bits.
fn ends(dtype: DType) -> Option<[i64; 2]> {
    match dtype {
        DType::I8 => Some([i8::MIN.into(), i8::MAX.into()]),
        DType::U8 => Some([u8::MIN.into(), u8::MAX.into()]),
        DType::I16 => Some([i16::MIN.into(), i16::MAX.into()]),
        DType::U16 => Some([u16::MIN.into(), u16::MAX.into()]),
        _ => None,
    }
}

/// `log(u) · x / (u - 1)` with `u = 1 + x`, which gives back what rounding took
/// from `x` (Kahan); `x` where that was all of it, and `log(u)` where `u = x`, even
/// if infinite.
fn log1p(cx: &mut Context, op: &UnaryOpIr) -> Lowered {
    let (x, dtype) = (ValueId::from(&op.input), op.input.dtype);
    let one = cx.number(1.0, dtype);
    let sum = cx.apply("Add", [x, one]);
    let log = cx.apply("Log", [sum]);
    let rounded = cx.apply("Sub", [sum, one]);
    let ratio = cx.apply("Div", [x, rounded]);
    let is_large = cx.compute(Node::new("Equal").inputs([sum, x]), BOOL);
    let ratio = cx.compute(Node::new("Where").inputs([is_large, one, ratio]), dtype);
    let product = cx.apply("Mul", [log, ratio]);
    let is_tiny = cx.compute(Node::new("Equal").inputs([sum, one]), BOOL);
    cx.apply_to("Where", [is_tiny, x, product], &op.out)
}

/// `sign(x) · ⌊|x|⌋`
fn trunc(cx: &mut Context, op: &UnaryOpIr) -> Lowered {
    let x = ValueId::from(&op.input);
    let sign = cx.apply("Sign", [x]);
    let size = cx.apply("Abs", [x]);
    let floor = cx.apply("Floor", [size]);
    cx.apply_to("Mul", [sign, floor], &op.out)
}

/// `M √(1 + (m/M)²)` with the larger `M` and the smaller `m` of `|x|` and `|y|`,
/// which does not overflow; `m/M` is 1 where they are equal, even if 0 or infinite.
fn hypot(cx: &mut Context, op: &BinaryOpIr) -> Lowered {
    let dtype = op.lhs.dtype;
    let x = cx.apply("Abs", [(&op.lhs).into()]);
    let y = cx.apply("Abs", [(&op.rhs).into()]);
    let largest = cx.apply("Max", [x, y]);
    let smallest = cx.apply("Min", [x, y]);
    let one = cx.number(1.0, dtype);
    let are_equal = cx.compute(Node::new("Equal").inputs([largest, smallest]), BOOL);
    let ratio = cx.apply("Div", [smallest, largest]);
    let ratio = cx.compute(Node::new("Where").inputs([are_equal, one, ratio]), dtype);
    let square = cx.apply("Mul", [ratio, ratio]);
    let sum = cx.apply("Add", [square, one]);
    let root = cx.apply("Sqrt", [sum]);
    cx.apply_to("Mul", [largest, root], &op.out)
}

/// `atan(y / x)`, moved by ±π where `x` is negative; 0 counts as negative when
/// its sign is. Where `|y| = |x|`, the quotient is `sign(y) · sign(x)`, even of
/// infinities and of zeros.
fn arc_tan2(cx: &mut Context, op: &BinaryOpIr) -> Lowered {
    use std::f64::consts::PI;
    let (y, x, dtype) = (ValueId::from(&op.lhs), ValueId::from(&op.rhs), op.out.dtype);
    let [zero, pi, negative_pi] = [0.0, PI, -PI].map(|value| cx.number(value, dtype));
    let sizes = [y, x].map(|value| cx.apply("Abs", [value]));
    let are_equal = cx.compute(Node::new("Equal").inputs(sizes), BOOL);
    let signs = [y, x].map(|value| cx.apply("Sign", [value]));
    let sign = cx.apply("Mul", signs);
    let ratio = cx.apply("Div", [y, x]);
    let ratio = Node::new("Where").inputs([are_equal, sign, ratio]);
    let ratio = cx.compute(ratio, dtype);
    let angle = cx.apply("Atan", [ratio]);
    let y_is_negative = is_negative(cx, y, zero);
    let x_is_negative = is_negative(cx, x, zero);
    let turn = Node::new("Where").inputs([y_is_negative, negative_pi, pi]);
    let turn = cx.compute(turn, dtype);
    let turn = Node::new("Where").inputs([x_is_negative, turn, zero]);
    let turn = cx.compute(turn, dtype);
    cx.apply_to("Add", [angle, turn], &op.out)
}

/// `v < 0` or `1 / v < 0`, which is true for -0 as well.
fn is_negative(cx: &mut Context, value: ValueId, zero: ValueId) -> ValueId {
    let below = cx.compute(Node::new("Less").inputs([value, zero]), BOOL);
    let inverse = cx.apply("Reciprocal", [value]);
    let inverse_below = cx.compute(Node::new("Less").inputs([inverse, zero]), BOOL);
    cx.apply("Or", [below, inverse_below])
}

/// `a × b` along an axis of 3: the component `i` is
/// `a[i+1] b[i+2] - a[i+2] b[i+1]`, indices modulo 3.
fn cross(cx: &mut Context, op: &CrossOpIr) -> Lowered {
    let turned = |cx: &mut Context, tensor: &TensorIr, order: &[i64]| {
        let indices = cx.integers(order);
        let gather = Node::new("Gather").inputs([tensor.into(), indices]);
        cx.compute(gather.attr("axis", op.dim), tensor.dtype)
    };
    let a_next = turned(cx, &op.lhs, &[1, 2, 0]);
    let b_after = turned(cx, &op.rhs, &[2, 0, 1]);
    let a_after = turned(cx, &op.lhs, &[2, 0, 1]);
    let b_next = turned(cx, &op.rhs, &[1, 2, 0]);
    let first = cx.apply("Mul", [a_next, b_after]);
    let second = cx.apply("Mul", [a_after, b_next]);
    cx.apply_to("Sub", [first, second], &op.out)
}
