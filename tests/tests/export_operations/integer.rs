//! Operations on integers alone.

use burn::tensor::{DType, Int, Tensor};

use crate::row::{Kind, Row, Start, dims3, ints, row};

fn start(name: &'static str, nodes: &'static str) -> Start {
    row("Int", name, nodes)
        .without(without(name))
        .kind(Kind::Int)
}

fn without(name: &str) -> &'static [DType] {
    use DType::{I8, I16, U8, U16, U32, U64};
    match name {
        // Flex multiplies matrices of the wider integers only.
        "Matmul" => &[I16, I8, U64, U32, U16, U8],
        // ONNX Runtime shifts no integers of 16 bits.
        "BitwiseLeftShift" | "BitwiseLeftShiftScalar" => &[I16, U16],
        // Those without a sign become other nodes.
        "BitwiseRightShift" | "BitwiseRightShiftScalar" => &[I16, U64, U32, U16, U8],
        _ => &[],
    }
}

type Pair = (Tensor<3, Int>, Tensor<3, Int>);

fn unary(
    name: &'static str,
    nodes: &'static str,
    forward: fn(Tensor<3, Int>) -> Tensor<3, Int>,
) -> Row {
    start(name, nodes).of(dims3(), ints, forward)
}

fn binary(name: &'static str, nodes: &'static str, forward: fn(Pair) -> Tensor<3, Int>) -> Row {
    let inputs = |n| (ints(n), ints(n));
    start(name, nodes).with(&[dims3(), dims3()], 1, inputs, forward)
}

/// The second are amounts to shift by.
fn shift(name: &'static str, nodes: &'static str, forward: fn(Pair) -> Tensor<3, Int>) -> Row {
    let inputs = |n| (ints(n), ints(n).abs().clamp_max(7));
    start(name, nodes).with(&[dims3(), dims3()], 1, inputs, forward)
}

pub fn rows() -> Vec<Row> {
    vec![
        start("IntoFloat", "Cast").of(dims3(), ints, |x: Tensor<3, Int>| x.float()),
        binary("Matmul", "Transpose MatMul", |(x, y)| {
            x.matmul(y.transpose())
        }),
        binary("BitwiseAnd", "-; 18: BitwiseAnd", |(x, y)| x.bitwise_and(y)),
        binary("BitwiseOr", "-; 18: BitwiseOr", |(x, y)| x.bitwise_or(y)),
        binary("BitwiseXor", "-; 18: BitwiseXor", |(x, y)| x.bitwise_xor(y)),
        unary("BitwiseNot", "-; 18: BitwiseNot", |x| x.bitwise_not()),
        unary("BitwiseAndScalar", "-; 18: BitwiseAnd", |x| {
            x.bitwise_and_scalar(6)
        }),
        unary("BitwiseOrScalar", "-; 18: BitwiseOr", |x| {
            x.bitwise_or_scalar(6)
        }),
        unary("BitwiseXorScalar", "-; 18: BitwiseXor", |x| {
            x.bitwise_xor_scalar(6)
        }),
        shift("BitwiseLeftShift", "Cast Cast BitShift Cast", |(x, y)| {
            x.bitwise_left_shift(y)
        }),
        unary("BitwiseLeftShiftScalar", "Cast Cast BitShift Cast", |x| {
            x.bitwise_left_shift_scalar(2)
        }),
        shift(
            "BitwiseRightShift",
            "-; 18: Less BitwiseNot Where Cast Cast BitShift Cast BitwiseNot Where",
            |(x, y)| x.bitwise_right_shift(y),
        ),
        unary(
            "BitwiseRightShiftScalar",
            "-; 18: Less BitwiseNot Where Cast Cast BitShift Cast BitwiseNot Where",
            |x| x.bitwise_right_shift_scalar(2),
        ),
    ]
}
