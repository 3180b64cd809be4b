//! Integers.

use burn::nn::Relu;
use burn::tensor::{DType, Int, Tensor};
use exporter::{Exporter, dims};

use tests::export::{case, integers, normal};

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
fn integers_match_burn() {
    binary("div", 16, 1.0, |x, y| x / y);
    binary("remainder_of_negative", 16, 1.0, |x, y| {
        x.remainder(y.neg())
    });
    binary("mean_dim", 16, -9.0, |x, y| x.mean_dim(1) + y);
    binary("cast", 16, -9.0, |x, y| {
        x.cast(DType::I32).cast(DType::I64) + y
    });
    binary("shifts_of_negatives", 18, 0.0, |x, y| {
        x.clone().bitwise_right_shift(y.clone()) + x.bitwise_left_shift(y)
    });
}

#[test]
fn powers_are_exact() {
    binary("power of 38", 16, -9.0, |x, y| {
        x.clamp(3, 3).powi_scalar(38).remainder_scalar(1000) + y
    });
    binary("powers", 16, -9.0, |x, y| {
        x.powi_scalar(5) + y.powi_scalar(12)
    });
}

#[test]
fn narrow_indices_match_burn() {
    for dtype in [DType::I32, DType::I8, DType::U8] {
        let exporter = Exporter::new().input("x", dims!["n", 7]);
        let exporter = exporter.input("i", dims!["n", 3]).output("z");
        let inputs = |n| (normal([n, 7]), integers([n, 3], 0.0, 6.0));
        case(format!("gather by {dtype:?}")).check(
            exporter,
            &Relu::new(),
            inputs,
            |_, (x, i): (Tensor<2>, Tensor<2, Int>)| x.gather(1, i.cast(dtype)),
        );
    }
}

#[test]
fn integers_become_floats() {
    let inputs = |n| integers([n, 7], -20.0, 20.0);
    case("into_float").of(dims!["n", 7], inputs, |x: Tensor<2, Int>| x.float());
}
