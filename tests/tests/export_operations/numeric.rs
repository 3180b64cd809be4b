//! Operations on floats and on integers.

use burn::tensor::DType::{F16, I8, I16, U8, U16, U32, U64};
use burn::tensor::ops::PadMode;
use burn::tensor::{Distribution, Int, Tensor};

use crate::numbers;
use crate::row::{
    Kind, Row, Start, dims3, distinct_floats, distinct_ints, floats, ints, refused, row,
};

fn start(name: &'static str, nodes: &'static str) -> Start {
    // ONNX's reductions and orders take none of the narrower integers, and
    // ONNX Runtime compares what was before a cast to 16 bits.
    row("Numeric", name, nodes).without(&[F16, I16, I8, U64, U32, U16, U8])
}

/// The same function of two tensors of floats, and of integers.
macro_rules! pairs {
    ($start:expr, |$x:ident, $y:ident| $body:expr) => {
        [
            $start.kind(Kind::Float).with(
                &[dims3(), dims3()],
                1,
                |n| (floats(n), floats(n) + 0.1),
                |($x, $y): (Tensor<3>, Tensor<3>)| $body,
            ),
            $start.kind(Kind::Int).with(
                &[dims3(), dims3()],
                1,
                // No divisor is 0.
                |n| (ints(n), ints(n).abs() + 1),
                |($x, $y): (Tensor<3, Int>, Tensor<3, Int>)| $body,
            ),
        ]
    };
}

/// The same function of floats and of integers of which no two are equal.
macro_rules! orders {
    ($start:expr, $outputs:expr, |$x:ident| $body:expr) => {
        [
            $start.kind(Kind::Float).with(
                &[dims3()],
                $outputs,
                distinct_floats,
                |$x: Tensor<3>| $body,
            ),
            $start.kind(Kind::Int).with(
                &[dims3()],
                $outputs,
                distinct_ints,
                |$x: Tensor<3, Int>| $body,
            ),
        ]
    };
}

fn arithmetic() -> Vec<[Row; 2]> {
    vec![
        pairs!(start("Add", "Add"), |x, y| x + y),
        numbers!(start("AddScalar", "Add"), |x| x + 3),
        pairs!(start("Sub", "Sub"), |x, y| x - y),
        numbers!(start("SubScalar", "Sub"), |x| x - 3),
        pairs!(start("Mul", "Mul"), |x, y| x * y),
        numbers!(start("MulScalar", "Mul"), |x| x * 3),
        pairs!(start("Div", "Div"), |x, y| x / y),
        numbers!(start("DivScalar", "Div"), |x| x / 3),
        pairs!(
            start("Rem", "Mod Sign Sign Mul Less Add Where | Mod"),
            |x, y| x.remainder(y)
        ),
        numbers!(
            start("RemScalar", "Mod Sign Sign Mul Less Add Where | Mod"),
            |x| x.remainder_scalar(3)
        ),
        numbers!(start("PowiScalar", "Pow | Mul Mul"), |x| x.powi_scalar(3)),
        numbers!(start("Abs", "Abs"), |x| x.abs()),
        numbers!(start("Neg", "Neg"), |x| x.neg()),
        numbers!(start("Sign", "Sign"), |x| x.sign()),
        numbers!(start("Clamp", "Clip"), |x| x.clamp(-1, 2)),
        numbers!(start("ClampMin", "Max"), |x| x.clamp_min(-1)),
        numbers!(start("ClampMax", "Min"), |x| x.clamp_max(1)),
        numbers!(start("Full", "Shape Concat ConstantOfShape Mul"), |x| x
            .full_like(2)
            * x),
        numbers!(start("CumSum", "CumSum"), |x| x.cumsum(1)),
        numbers!(start("CumProd", "-; 26: CumProd"), |x| x.cumprod(1)),
        numbers!(start("Pad", "Pad"), |x| x
            .pad((1, 2, 3, 4), PadMode::Constant(1.0))),
    ]
}

fn comparisons() -> Vec<[Row; 2]> {
    vec![
        pairs!(start("Greater", "Greater"), |x, y| x.greater(y)),
        numbers!(start("GreaterElem", "Greater"), |x| x.greater_scalar(1)),
        pairs!(start("GreaterEqual", "GreaterOrEqual"), |x, y| x
            .greater_equal(y)),
        numbers!(start("GreaterEqualElem", "GreaterOrEqual"), |x| x
            .greater_equal_scalar(1)),
        pairs!(start("Lower", "Less"), |x, y| x.lower(y)),
        numbers!(start("LowerElem", "Less"), |x| x.lower_scalar(1)),
        pairs!(start("LowerEqual", "LessOrEqual"), |x, y| x.lower_equal(y)),
        numbers!(start("LowerEqualElem", "LessOrEqual"), |x| x
            .lower_equal_scalar(1)),
    ]
}

fn reductions() -> Vec<[Row; 2]> {
    vec![
        numbers!(start("Mean", "ReduceMean Reshape"), |x| x.mean()),
        numbers!(start("MeanDim", "ReduceMean"), |x| x.mean_dim(1)),
        numbers!(start("Sum", "ReduceSum Reshape"), |x| x.sum()),
        numbers!(start("SumDim", "ReduceSum"), |x| x.sum_dim(1)),
        numbers!(start("Prod", "Clip ReduceProd Reshape"), |x| x
            .clamp(-1, 1)
            .prod()),
        numbers!(start("ProdDim", "Clip ReduceProd"), |x| x
            .clamp(-2, 2)
            .prod_dim(1)),
        numbers!(start("Max", "ReduceMax Reshape"), |x| x.max()),
        numbers!(start("MaxDim", "ReduceMax"), |x| x.max_dim(2)),
        numbers!(start("Min", "ReduceMin Reshape"), |x| x.min()),
        numbers!(start("MinDim", "ReduceMin"), |x| x.min_dim(2)),
        numbers!(start("MaxAbs", "Abs ReduceMax Reshape"), |x| x.max_abs()),
        numbers!(start("MaxAbsDim", "Abs ReduceMax"), |x| x.max_abs_dim(2)),
    ]
}

fn positions() -> Vec<[Row; 2]> {
    vec![
        orders!(start("ArgMax", "ArgMax"), 1, |x| x.argmax(1)),
        orders!(start("ArgMin", "ArgMin"), 1, |x| x.argmin(1)),
        orders!(start("MaxDimWithIndices", "ReduceMax ArgMax"), 2, |x| x
            .max_dim_with_indices(1)),
        orders!(start("MinDimWithIndices", "ReduceMin ArgMin"), 2, |x| x
            .min_dim_with_indices(1)),
        orders!(start("TopK", "TopK"), 1, |x| x.topk(3, 2)),
        orders!(start("ArgTopK", "TopK"), 1, |x| x.argtopk(3, 2)),
        orders!(start("TopKWithIndices", "TopK"), 2, |x| x
            .topk_with_indices(3, 2)),
        orders!(start("Sort", "TopK"), 1, |x| x.sort(2)),
        orders!(start("ArgSort", "TopK"), 1, |x| x.argsort_descending(2)),
        orders!(start("SortWithIndices", "TopK"), 2, |x| x
            .sort_with_indices(2)),
    ]
}

/// Those that Burn has for floats or for integers only.
fn of_one_kind() -> Vec<Row> {
    let powers = |n| (ints(n).clamp(-3, 3), ints(n).clamp(0, 3));
    type Pair = (Tensor<3, Int>, Tensor<3, Int>);
    vec![
        start("Powi", "Pow").with(&[dims3(), dims3()], 1, powers, |(x, y): Pair| x.powi(y)),
        start("SumDims", "ReduceSum").of(dims3(), floats, |x: Tensor<3>| x.sum_dims(&[1, 2])),
    ]
}

fn refusals() -> Vec<Row> {
    let random = "random numbers differ from run to run, and ONNX cannot be told Burn's generator";
    let minimum = "ONNX has no cumulative minimum, only a cumulative sum and product";
    let maximum = "ONNX has no cumulative maximum, only a cumulative sum and product";
    let no = |name, reason| refused("Numeric", name, reason);
    vec![
        no("IntRandom", random).of(dims3(), ints, |x: Tensor<3, Int>| {
            let noise = Distribution::Uniform(0.0, 5.0);
            Tensor::<3, Int>::random(x.dims(), noise, &x.device()) + x
        }),
        no("CumMin", minimum).of(dims3(), floats, |x: Tensor<3>| x.cummin(1)),
        no("CumMax", maximum).of(dims3(), floats, |x: Tensor<3>| x.cummax(1)),
    ]
}

pub fn rows() -> Vec<Row> {
    let both = [arithmetic(), comparisons(), reductions(), positions()];
    let both = both.into_iter().flatten().flatten();
    both.chain(of_one_kind()).chain(refusals()).collect()
}
