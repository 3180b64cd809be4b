//! Arithmetic and comparison of floats and integers.

use burn::backend::ir::{
    BinaryOpIr, ClampOpIr, DimOpIr, FullOpIr, NumericOperationIr, PadModeIr, PadOpIr, ScalarIr,
    ScalarOpIr, TensorIr, UnaryOpIr,
};

use super::base::constant_of_shape;
use super::context::{Context, Lowered, refuse};
use super::float::{BOOL, RANDOM};
use super::reduce;
use crate::graph::ValueId;
use crate::node::Node;

/// The first opset with `CumProd`.
const CUM_PROD: u8 = 26;

/// Beyond this power, 64 bits hold those of -1, 0 and 1 alone.
const LARGEST_POWER: u64 = 63;

pub(super) fn lower(cx: &mut Context, op: &NumericOperationIr) -> Lowered {
    use NumericOperationIr as N;
    match op {
        N::Add(op) => binary(cx, "Add", op),
        N::AddScalar(op) => wrapping(cx, "Add", op),
        N::Sub(op) => binary(cx, "Sub", op),
        N::SubScalar(op) => wrapping(cx, "Sub", op),
        N::Mul(op) => binary(cx, "Mul", op),
        N::MulScalar(op) => wrapping(cx, "Mul", op),
        N::Div(op) => binary(cx, "Div", op),
        N::DivScalar(op) => scalar(cx, "Div", op),
        N::Rem(op) => remainder(cx, &op.lhs, (&op.rhs).into(), &op.out),
        N::RemScalar(op) => {
            let divisor = cx.scalar_operand(op.rhs, op.lhs.dtype)?;
            remainder(cx, &op.lhs, divisor, &op.out)
        }
        N::Powi(op) => binary(cx, "Pow", op),
        N::PowiScalar(op) => power(cx, op),
        N::Abs(op) => unary(cx, "Abs", op),
        N::Neg(op) => unary(cx, "Neg", op),
        N::Sign(op) => unary(cx, "Sign", op),
        N::Full(op) => full(cx, op),
        N::Greater(op) => binary(cx, "Greater", op),
        N::GreaterElem(op) => scalar(cx, "Greater", op),
        N::GreaterEqual(op) => binary(cx, "GreaterOrEqual", op),
        N::GreaterEqualElem(op) => scalar(cx, "GreaterOrEqual", op),
        N::Lower(op) => binary(cx, "Less", op),
        N::LowerElem(op) => scalar(cx, "Less", op),
        N::LowerEqual(op) => binary(cx, "LessOrEqual", op),
        N::LowerEqualElem(op) => scalar(cx, "LessOrEqual", op),
        N::Clamp(op) => clamp(cx, op),
        N::ClampMin(op) => scalar(cx, "Max", op),
        N::ClampMax(op) => scalar(cx, "Min", op),
        N::CumSum(op) => cumulative_sum(cx, op),
        N::Pad(op) => pad(cx, op),
        N::Mean(op) => reduce::all(cx, "ReduceMean", op),
        N::Sum(op) => reduce::all(cx, "ReduceSum", op),
        N::Prod(op) => reduce::all(cx, "ReduceProd", op),
        N::Max(op) => reduce::all(cx, "ReduceMax", op),
        N::Min(op) => reduce::all(cx, "ReduceMin", op),
        N::MaxAbs(op) => reduce::max_abs(cx, op),
        N::MeanDim(op) => reduce::along(cx, "ReduceMean", op),
        N::SumDim(op) => reduce::along(cx, "ReduceSum", op),
        N::ProdDim(op) => reduce::along(cx, "ReduceProd", op),
        N::MaxDim(op) => reduce::along(cx, "ReduceMax", op),
        N::MinDim(op) => reduce::along(cx, "ReduceMin", op),
        N::MaxAbsDim(op) => reduce::max_abs_along(cx, op),
        N::SumDims(op) => reduce::sum_dims(cx, op),
        N::ArgMax(op) => reduce::position(cx, "ArgMax", op),
        N::ArgMin(op) => reduce::position(cx, "ArgMin", op),
        N::MaxDimWithIndices(op) => reduce::with_position(cx, "ReduceMax", "ArgMax", op),
        N::MinDimWithIndices(op) => reduce::with_position(cx, "ReduceMin", "ArgMin", op),
        N::TopK(op) => reduce::top_k(cx, op),
        N::ArgTopK(op) => reduce::arg_top_k(cx, op),
        N::TopKWithIndices(op) => reduce::top_k_with_indices(cx, op),
        N::Sort(op) => reduce::sort(cx, op),
        N::ArgSort(op) => reduce::arg_sort(cx, op),
        N::SortWithIndices(op) => reduce::sort_with_indices(cx, op),
        N::IntRandom(_) => refuse(RANDOM),
        N::CumProd(op) => cumulative_product(cx, op),
        N::CumMin(_) => refuse(cumulative("minimum")),
        N::CumMax(_) => refuse(cumulative("maximum")),
    }
}

fn cumulative(what: &str) -> String {
    format!("ONNX has no cumulative {what}, only a cumulative sum and product")
}

fn unary(cx: &mut Context, op_type: &'static str, op: &UnaryOpIr) -> Lowered {
    cx.push(Node::new(op_type).input(&op.input).output(&op.out))
}

fn binary(cx: &mut Context, op_type: &'static str, op: &BinaryOpIr) -> Lowered {
    cx.apply_to(op_type, [(&op.lhs).into(), (&op.rhs).into()], &op.out)
}

fn scalar(cx: &mut Context, op_type: &'static str, op: &ScalarOpIr) -> Lowered {
    let operand = cx.scalar_operand(op.rhs, op.lhs.dtype)?;
    cx.apply_to(op_type, [(&op.lhs).into(), operand], &op.out)
}

/// An operation on integers that wraps, for which a scalar may wrap before.
fn wrapping(cx: &mut Context, op_type: &'static str, op: &ScalarOpIr) -> Lowered {
    let operand = cx.wrapping_operand(op.rhs, op.lhs.dtype)?;
    cx.apply_to(op_type, [(&op.lhs).into(), operand], &op.out)
}

/// A small power of integers as products, by squaring: ONNX Runtime computes
/// `Pow` in floats, which hold 53 bits.
fn power(cx: &mut Context, op: &ScalarOpIr) -> Lowered {
    let exponent = match op.rhs {
        ScalarIr::Int(exponent) => u64::try_from(exponent).unwrap_or_default(),
        ScalarIr::UInt(exponent) => exponent,
        ScalarIr::Float(_) | ScalarIr::Bool(_) => 0,
    };
    let small = (1..=LARGEST_POWER).contains(&exponent) && cx.require_fixed_scalars().is_ok();
    if op.lhs.dtype.is_float() || !small {
        return scalar(cx, "Pow", op);
    }
    let mut square = ValueId::from(&op.lhs);
    let mut product = None;
    for bit in 0..=exponent.ilog2() {
        if bit > 0 {
            square = cx.apply("Mul", [square, square]);
        }
        if exponent >> bit & 1 == 1 {
            product = Some(product.map_or(square, |product| cx.apply("Mul", [product, square])));
        }
    }
    cx.rename(product.unwrap_or(square), &op.out)
}

/// The result has the divisor's sign, as `Mod` has it for integers. For floats, `r`
/// has the dividend's, and `r + y` is taken where `sign(r) · sign(y) < 0`.
///
/// `x - y ⌊x / y⌋` would not do: the quotient is rounded.
fn remainder(cx: &mut Context, lhs: &TensorIr, rhs: ValueId, out: &TensorIr) -> Lowered {
    let node = Node::new("Mod").inputs([lhs.into(), rhs]);
    if !lhs.dtype.is_float() {
        return cx.push(node.output(out));
    }
    let rest = cx.compute(node.attr("fmod", 1i64), lhs.dtype);
    let zero = cx.number(0.0, lhs.dtype);
    let signs = [rest, rhs].map(|value| cx.apply("Sign", [value]));
    let product = cx.apply("Mul", signs);
    let differ = cx.compute(Node::new("Less").inputs([product, zero]), BOOL);
    let moved = cx.apply("Add", [rest, rhs]);
    cx.apply_to("Where", [differ, moved, rest], out)
}

fn full(cx: &mut Context, op: &FullOpIr) -> Lowered {
    cx.require_fixed_scalars()?;
    cx.require_within(op.value, op.out.dtype)?;
    constant_of_shape(cx, op.value, &op.out)
}

fn clamp(cx: &mut Context, op: &ClampOpIr) -> Lowered {
    cx.require_fixed_scalars()?;
    cx.require_within(op.min, op.tensor.dtype)?;
    cx.require_within(op.max, op.tensor.dtype)?;
    let low = cx.scalar(op.min, op.tensor.dtype);
    let high = cx.scalar(op.max, op.tensor.dtype);
    cx.apply_to("Clip", [(&op.tensor).into(), low, high], &op.out)
}

fn cumulative_sum(cx: &mut Context, op: &DimOpIr) -> Lowered {
    let axis = cx.integer(op.axis as i64);
    cx.apply_to("CumSum", [(&op.input).into(), axis], &op.out)
}

fn cumulative_product(cx: &mut Context, op: &DimOpIr) -> Lowered {
    if !cx.has(CUM_PROD) {
        return refuse(format!(
            "a cumulative product came with opset {CUM_PROD}; choose that or a newer one"
        ));
    }
    let axis = cx.integer(op.axis as i64);
    cx.apply_to("CumProd", [(&op.input).into(), axis], &op.out)
}

/// Pads are all begins, then all ends, in the order of the axes.
fn pad(cx: &mut Context, op: &PadOpIr) -> Lowered {
    cx.require_fixed_counts("the padding")?;
    let begins = op.padding.iter().map(|(begin, _)| *begin as i64);
    let ends = op.padding.iter().map(|(_, end)| *end as i64);
    let pads = cx.integers(&begins.chain(ends).collect::<Vec<_>>());
    let node = Node::new("Pad").inputs([(&op.input).into(), pads]);
    let node = match op.mode {
        PadModeIr::Constant(value) => {
            cx.require_within(value, op.input.dtype)?;
            let value = cx.scalar(value, op.input.dtype);
            node.input(value)
        }
        PadModeIr::Reflect => node.attr("mode", "reflect"),
        PadModeIr::Edge => node.attr("mode", "edge"),
    };
    cx.push(node.output(&op.out))
}
