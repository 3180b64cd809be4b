//! Operations on floats alone.

use burn::backend::ir::FloatOperationIr as F;
use burn::tensor::ops::{GridSampleOptions, InterpolateMode};
use burn::tensor::quantization::QuantScheme;
use burn::tensor::{DType, Distribution, Tensor};
use exporter::dims;
use tests::export::{normal, recorded, uniform};

use crate::row::{Kind, Row, Start, refused, row};

const ALL: (f64, f64) = (-4.0, 4.0);
const POSITIVE: (f64, f64) = (0.1, 4.0);
const UNIT: (f64, f64) = (-0.9, 0.9);

fn start(name: &'static str, nodes: &'static str) -> Start {
    let without: &[DType] = match name {
        "ArcTan2" => &[DType::F64, DType::F16],
        // ONNX Runtime has no kernels for them.
        "Erf" | "Cosh" | "Sinh" | "Tan" | "ArcCos" | "ArcCosh" | "ArcSin" | "ArcSinh"
        | "ArcTan" | "ArcTanh" | "GridSample2d" => &[DType::F64],
        // Steps, before which ONNX Runtime leaves out a cast to 16 bits.
        "Round" | "Floor" | "Ceil" | "Trunc" | "IntoInt" | "Hypot" => &[DType::F16],
        _ => &[],
    };
    let start = row("Float", name, nodes).without(without);
    start.kind(Kind::Float)
}

fn unary(
    name: &'static str,
    nodes: &'static str,
    (low, high): (f64, f64),
    forward: fn(Tensor<2>) -> Tensor<2>,
) -> Row {
    let inputs = move |n| uniform([n, 7], low, high);
    start(name, nodes).of(dims!["n", 7], inputs, forward)
}

type Pair = (Tensor<2>, Tensor<2>);

fn binary(name: &'static str, nodes: &'static str, forward: fn(Pair) -> Tensor<2>) -> Row {
    let inputs = |n| (normal([n, 6]), normal([n, 6]));
    start(name, nodes).with(&[dims!["n", 6], dims!["n", 6]], 1, inputs, forward)
}

/// Numbers, NaN and -∞.
fn logarithms(n: usize) -> Tensor<2> {
    uniform([n, 7], -3.0, 3.0).round().log()
}

fn functions() -> Vec<Row> {
    vec![
        unary("Exp", "Exp", ALL, Tensor::exp),
        unary("Log", "Log", POSITIVE, Tensor::log),
        unary(
            "Log1p",
            "Add Log Sub Div Equal Where Mul Equal Where",
            UNIT,
            Tensor::log1p,
        ),
        unary("Erf", "Erf", ALL, Tensor::erf),
        unary("PowfScalar", "Pow", POSITIVE, |x| x.powf_scalar(1.7)),
        unary("Sqrt", "Sqrt", POSITIVE, Tensor::sqrt),
        unary("Cos", "Cos", ALL, Tensor::cos),
        unary("Cosh", "Cosh", ALL, Tensor::cosh),
        unary("Sin", "Sin", ALL, Tensor::sin),
        unary("Sinh", "Sinh", ALL, Tensor::sinh),
        unary("Tan", "Tan", UNIT, Tensor::tan),
        unary("Tanh", "Tanh", ALL, Tensor::tanh),
        unary("ArcCos", "Acos", UNIT, Tensor::acos),
        unary("ArcCosh", "Acosh", (1.1, 4.0), Tensor::acosh),
        unary("ArcSin", "Asin", UNIT, Tensor::asin),
        unary("ArcSinh", "Asinh", ALL, Tensor::asinh),
        unary("ArcTan", "Atan", ALL, Tensor::atan),
        unary("ArcTanh", "Atanh", UNIT, Tensor::atanh),
        unary("Round", "Round", ALL, Tensor::round),
        unary("Floor", "Floor", ALL, Tensor::floor),
        unary("Ceil", "Ceil", ALL, Tensor::ceil),
        unary("Trunc", "Sign Abs Floor Mul", ALL, Tensor::trunc),
        unary("Recip", "Reciprocal", POSITIVE, Tensor::recip),
    ]
}

pub fn rows() -> Vec<Row> {
    let mut rows = functions();
    rows.extend([
        start("IntoInt", "Cast").of(dims!["n", 6], |n| normal([n, 6]), |x: Tensor<2>| x.int()),
        start("IsNan", "Equal Not").of(dims!["n", 7], logarithms, |x: Tensor<2>| x.is_nan())
            .never_recorded("Burn 0.22.1 records NotEqual in its place"),
        start("IsInf", "Abs Equal").of(dims!["n", 7], logarithms, |x: Tensor<2>| x.is_inf())
            .never_recorded("Burn 0.22.1 records Abs and EqualElem in its place"),
        start("IsNan", "IsNaN").of(dims!["n", 7], logarithms, |x: Tensor<2>| {
            recorded(x, F::IsNan, Tensor::is_nan)
        }),
        start("IsInf", "IsInf").of(dims!["n", 7], logarithms, |x: Tensor<2>| {
            recorded(x, F::IsInf, Tensor::is_inf)
        }),
        binary("Matmul", "Transpose MatMul ReduceSum", |(x, y)| x.matmul(y.transpose()).sum_dim(1)),
        binary("ArcTan2", "Round Round Abs Abs Equal Sign Sign Mul Div Where Atan Less Reciprocal Less Or Less Reciprocal Less Or Where Where Add", |(x, y)| x.round().atan2(y.round())),
        binary("Hypot", "Round Round Abs Abs Max Min Equal Div Where Mul Add Sqrt Mul", |(x, y)| x.round().hypot(y.round())),
        binary("Powf", "Abs Add Pow", |(x, y)| (x.abs() + 0.1).powf(y)),
        start("Cross", "Gather Gather Gather Gather Mul Mul Sub").with(
            &[dims!["n", 3], dims!["n", 3]],
            1,
            |n| (normal([n, 3]), normal([n, 3])),
            |(x, y): Pair| x.cross(y, 1),
        ),
        start("GridSample2d", "GridSample").with(
            &[dims!["n", 2, 5, 6], dims!["n", 4, 3, 2]],
            1,
            |n| (normal([n, 2, 5, 6]), uniform([n, 4, 3, 2], -1.2, 1.2)),
            |(x, grid): (Tensor<4>, Tensor<4>)| {
                x.grid_sample_2d(grid, GridSampleOptions::new(InterpolateMode::Bilinear))
            },
        ),
    ]);
    rows.extend(refusals());
    rows
}

fn refusals() -> [Row; 3] {
    let inputs = |n| normal([n, 6]);
    let random = "random numbers differ from run to run, and ONNX cannot be told Burn's generator";
    let quantized = "not implemented";
    [
        refused("Float", "Random", random).of(dims!["n", 6], inputs, |x: Tensor<2>| {
            x.clone() + x.random_like(Distribution::Default)
        }),
        refused("Float", "Quantize", quantized)
            .of(dims!["n", 6], inputs, |x: Tensor<2>| {
                x.quantize_dynamic(&QuantScheme::default()).dequantize()
            })
            .never_recorded("Burn 0.22.1 cannot record quantized tensors"),
        refused("Float", "Dequantize", quantized)
            .of(dims!["n", 6], inputs, |x: Tensor<2>| {
                x.quantize_dynamic(&QuantScheme::default()).dequantize()
            })
            .never_recorded("Burn 0.22.1 cannot record quantized tensors"),
    ]
}
