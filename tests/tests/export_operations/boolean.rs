//! Operations on booleans.

use burn::tensor::{Bool, Tensor};

use crate::row::{Row, Start, bools, dims3, row};

fn start(name: &'static str, nodes: &'static str) -> Start {
    row("Bool", name, nodes)
}

type Pair = (Tensor<3, Bool>, Tensor<3, Bool>);

fn binary(name: &'static str, nodes: &'static str, forward: fn(Pair) -> Tensor<3, Bool>) -> Row {
    let inputs = |n| (bools(n), bools(n));
    start(name, nodes).with(&[dims3(), dims3()], 1, inputs, forward)
}

pub fn rows() -> Vec<Row> {
    vec![
        start("IntoFloat", "Cast").of(dims3(), bools, |x: Tensor<3, Bool>| x.float()),
        start("IntoInt", "Cast").of(dims3(), bools, |x: Tensor<3, Bool>| x.int()),
        start("Not", "Not").of(dims3(), bools, |x: Tensor<3, Bool>| x.bool_not()),
        binary("And", "And", |(x, y)| x.bool_and(y)),
        binary("Or", "Or", |(x, y)| x.bool_or(y)),
        binary("Xor", "Xor", |(x, y)| x.bool_xor(y)),
    ]
}
