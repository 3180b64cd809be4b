//! Integers.

use burn::nn::Relu;
use burn::tensor::{DType, Int, Tensor};
use exporter::{Exporter, dims};

use crate::case::{case, integers};

type Pair = (Tensor<2, Int>, Tensor<2, Int>);

fn binary(
    name: &str,
    since: u8,
    low: f64,
    forward: fn(Tensor<2, Int>, Tensor<2, Int>) -> Tensor<2, Int>,
) {
    let exporter = Exporter::new().input("x", dims!["n", 7]);
    let exporter = exporter.input("y", dims!["n", 7]).output("z");
    let inputs = |n| (integers([n, 7], -20.0, 20.0), integers([n, 7], low, 9.0));
    let case = case(name).since(since);
    case.check(exporter, &Relu::new(), inputs, |_, (x, y): Pair| {
        forward(x, y)
    });
}

#[test]
fn integer_arithmetic_matches_burn() {
    binary("add", 16, -9.0, |x, y| x + y);
    binary("sub", 16, -9.0, |x, y| x - y);
    binary("mul", 16, -9.0, |x, y| x * y);
    binary("div", 16, 1.0, |x, y| x / y);
    binary("remainder", 16, 1.0, |x, y| x.remainder(y));
    binary("remainder_of_negative", 16, 1.0, |x, y| {
        x.remainder(y.neg())
    });
    binary("abs_sign_neg", 16, -9.0, |x, y| x.abs() + y.sign().neg());
    binary("clamp", 16, -9.0, |x, y| x.clamp(-3, 4) + y.clamp_min(2));
    binary("powi", 16, 0.0, |x, y| x.clamp(-3, 3).powi(y.clamp(0, 3)));
    binary("cumsum", 16, -9.0, |x, y| x.cumsum(1) + y);
    binary("sort", 16, -9.0, |x, y| x.sort(1) + y);
    binary("sum_dim", 16, -9.0, |x, y| x.sum_dim(1) + y);
    binary("prod_dim", 16, -9.0, |x, y| x.clamp(-2, 2).prod_dim(1) + y);
    binary("max_dim", 16, -9.0, |x, y| x.max_dim(1) + y.min_dim(1));
    binary("mean_dim", 16, -9.0, |x, y| x.mean_dim(1) + y);
    binary("argmax", 16, -9.0, |x, y| x.argmax(1).cast(DType::I64) + y);
    binary("matmul", 16, -9.0, |x, y| {
        x.clone().matmul(y.transpose()).sum_dim(1) + x
    });
    binary("cast", 16, -9.0, |x, y| {
        x.cast(DType::I32).cast(DType::I64) + y
    });
}

#[test]
fn bits_match_burn() {
    binary("and", 18, -9.0, Tensor::bitwise_and);
    binary("or", 18, -9.0, Tensor::bitwise_or);
    binary("xor", 18, -9.0, Tensor::bitwise_xor);
    binary("not", 18, -9.0, |x, y| x.bitwise_not() + y);
    binary("and_scalar", 18, 0.0, |x, y| x.bitwise_and_scalar(6) + y);
    binary("or_scalar", 18, 0.0, |x, y| x.bitwise_or_scalar(6) + y);
    binary("xor_scalar", 18, 0.0, |x, y| x.bitwise_xor_scalar(6) + y);
    binary("left_shift", 16, 0.0, Tensor::bitwise_left_shift);
    binary("left_shift_scalar", 16, 0.0, |x, y| {
        x.bitwise_left_shift_scalar(2) + y
    });
    binary(
        "right_shift_of_negatives",
        18,
        0.0,
        Tensor::bitwise_right_shift,
    );
    binary("right_shift_scalar", 18, 0.0, |x, y| {
        x.bitwise_right_shift_scalar(2) + y
    });
}

#[test]
fn integers_become_floats() {
    let inputs = |n| integers([n, 7], -20.0, 20.0);
    case("into_float").of(dims!["n", 7], inputs, |x: Tensor<2, Int>| x.float());
    case("max").of(dims!["n", 7], inputs, |x: Tensor<2, Int>| x.max());
}
