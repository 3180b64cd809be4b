//! Activation functions.

use burn::tensor::{DType, Tensor, activation};
use exporter::dims;
use tests::export::{normal, uniform};

use crate::row::{Kind, Row, row};

fn unary(name: &'static str, nodes: &'static str, forward: fn(Tensor<2>) -> Tensor<2>) -> Row {
    let inputs = |n| uniform([n, 7], -4.0, 4.0);
    let start = row("Activation", name, nodes).without(without(name));
    start.kind(Kind::Float).of(dims!["n", 7], inputs, forward)
}

/// What ONNX Runtime has no kernels for.
fn without(name: &str) -> &'static [DType] {
    match name {
        "LeakyRelu" | "Gelu" | "HardSigmoid" | "LogSigmoid" => &[DType::F64],
        _ => &[],
    }
}

pub fn rows() -> Vec<Row> {
    let slopes = [dims!["n", 4, 5], dims![4]];
    vec![
        unary("Relu", "Relu", activation::relu),
        unary("LeakyRelu", "LeakyRelu", |x| {
            activation::leaky_relu(x, 0.05)
        }),
        row("Activation", "PRelu", "Reshape PRelu").with(
            &slopes,
            1,
            |n| (normal([n, 4, 5]), normal([4])),
            |(x, slopes): (Tensor<3>, Tensor<1>)| activation::prelu(x, slopes),
        ),
        unary("Gelu", "Div Erf Add Mul Mul; 20: Gelu", activation::gelu),
        unary("Sigmoid", "Sigmoid", activation::sigmoid),
        unary("HardSigmoid", "HardSigmoid", |x| {
            activation::hard_sigmoid(x, 0.2, 0.5)
        }),
        unary("LogSigmoid", "Neg Softplus Neg", activation::log_sigmoid),
        unary("Softmax", "Softmax", |x| activation::softmax(x, 1)),
        unary("LogSoftmax", "LogSoftmax", |x| {
            activation::log_softmax(x, 0)
        }),
        unary("Softmin", "Neg Softmax", |x| activation::softmin(x, 1)),
    ]
}
