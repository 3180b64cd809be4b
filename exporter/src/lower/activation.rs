//! Activation functions.

use burn::backend::ir::{ActivationOperationIr, DimOpIr, HardSigmoidOpIr, ScalarOpIr, UnaryOpIr};

use super::context::{Context, Lowered, refuse};
use crate::graph::ValueId;
use crate::node::Node;

pub(super) fn lower(cx: &mut Context, op: &ActivationOperationIr) -> Lowered {
    use ActivationOperationIr as A;
    match op {
        A::Relu(op) => cx.push(Node::new("Relu").input(&op.input).output(&op.out)),
        A::LeakyRelu(op) => leaky_relu(cx, op),
        A::PRelu(op) => cx.apply_to("PRelu", [(&op.lhs).into(), (&op.rhs).into()], &op.out),
        A::Gelu(op) => gelu(cx, op),
        A::Sigmoid(op) => cx.push(Node::new("Sigmoid").input(&op.input).output(&op.out)),
        A::HardSigmoid(op) => hard_sigmoid(cx, op),
        A::LogSigmoid(op) => log_sigmoid(cx, op),
        A::Softmax(op) => along_axis(cx, "Softmax", (&op.input).into(), op),
        A::LogSoftmax(op) => along_axis(cx, "LogSoftmax", (&op.input).into(), op),
        A::Softmin(op) => softmin(cx, op),
        A::ReluBackward(_)
        | A::GeluBackward(_)
        | A::SigmoidBackward(_)
        | A::LogSigmoidBackward(_) => refuse(super::module::BACKWARD),
    }
}

fn along_axis(cx: &mut Context, op_type: &'static str, x: ValueId, op: &DimOpIr) -> Lowered {
    let node = Node::new(op_type).input(x).output(&op.out);
    cx.push(node.attr("axis", op.axis))
}

/// `max(x, slope · x)` for slopes up to 1.
fn leaky_relu(cx: &mut Context, op: &ScalarOpIr) -> Lowered {
    cx.require_fixed_scalars()?;
    let node = Node::new("LeakyRelu").input(&op.lhs).output(&op.out);
    cx.push(node.attr("alpha", op.rhs.elem::<f64>()))
}

/// `½ x (1 + erf(x / √2))`
fn gelu(cx: &mut Context, op: &UnaryOpIr) -> Lowered {
    if cx.has(20) {
        return cx.push(Node::new("Gelu").input(&op.input).output(&op.out));
    }
    let (x, dtype) = (ValueId::from(&op.input), op.input.dtype);
    let root = cx.number(std::f64::consts::SQRT_2, dtype);
    let one = cx.number(1.0, dtype);
    let half = cx.number(0.5, dtype);
    let scaled = cx.apply("Div", [x, root]);
    let erf = cx.apply("Erf", [scaled]);
    let weight = cx.apply("Add", [erf, one]);
    let product = cx.apply("Mul", [x, weight]);
    cx.apply_to("Mul", [product, half], &op.out)
}

/// `max(0, min(1, α x + β))`
fn hard_sigmoid(cx: &mut Context, op: &HardSigmoidOpIr) -> Lowered {
    let node = Node::new("HardSigmoid").input(&op.tensor).output(&op.out);
    let node = node.attr("alpha", op.alpha.elem::<f64>());
    cx.push(node.attr("beta", op.beta.elem::<f64>()))
}

/// `log σ(x) = -softplus(-x)`
fn log_sigmoid(cx: &mut Context, op: &UnaryOpIr) -> Lowered {
    let negated = cx.apply("Neg", [(&op.input).into()]);
    let softplus = cx.apply("Softplus", [negated]);
    cx.apply_to("Neg", [softplus], &op.out)
}

/// `softmax(-x)`
fn softmin(cx: &mut Context, op: &DimOpIr) -> Lowered {
    let negated = cx.apply("Neg", [(&op.input).into()]);
    along_axis(cx, "Softmax", negated, op)
}
