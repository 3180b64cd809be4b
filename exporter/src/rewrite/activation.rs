//! Activations that Burn records as arithmetic.
//!
//! `x σ(x)` stays: opset 24 has `Swish`, but ONNX Runtime 1.31 does not run it.

use burn::tensor::DType;

use super::pattern::{Editor, float, input};
use crate::graph::ValueId;
use crate::node::Node;

/// The first opset with `Gelu`.
const GELU: u8 = 20;

/// The first opset with `Mish`.
const MISH: u8 = 18;

/// Above this, Burn takes `x` for `softplus(x)`, which is then the same in f32.
const SOFTPLUS_THRESHOLD: f64 = 20.0;

/// Whether ONNX Runtime has `Gelu` and `Softplus` for a value, which it has not in
/// 64 bits.
fn has_kernels(editor: &Editor, x: ValueId) -> bool {
    editor.value(x).dtype != DType::F64
}

/// `½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))`
pub(super) fn tanh_gelu(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "Mul" || !editor.has(GELU) || !editor.is_near(node, 1, 0.5) {
        return None;
    }
    let product = editor.sole_operand(node, 0, "Mul")?;
    let x = product.inputs[0]?;
    let weight = editor.operand(&product, 1, "Add")?;
    let tanh = editor.operand(&weight, 0, "Tanh")?;
    let scaled = editor.operand(&tanh, 0, "Mul")?;
    let sum = editor.operand(&scaled, 0, "Add")?;
    let cubic = editor.operand(&sum, 1, "Mul")?;
    let cube = editor.operand(&cubic, 0, "Pow")?;
    let root = std::f64::consts::FRAC_2_PI.sqrt();
    let fits = has_kernels(editor, x)
        && input(&sum, 0) == Some(x)
        && input(&cube, 0) == Some(x)
        && editor.is_near(&weight, 1, 1.0)
        && editor.is_near(&scaled, 1, root)
        && editor.is_near(&cubic, 1, 0.044_715)
        && editor.is_near(&cube, 1, 3.0);
    let gelu = Node::new("Gelu").input(x).output(node.outputs[0]);
    fits.then(|| vec![gelu.attr("approximate", "tanh")])
}

/// `log(1 + eˣ)`, where Burn takes `x` itself above a threshold.
pub(super) fn softplus(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "Where" {
        return None;
    }
    let x = input(node, 1)?;
    let large = editor.operand(node, 0, "Greater")?;
    let log = editor.sole_operand(node, 2, "Where")?;
    let exp = editor.operand(&log, 1, "Exp")?;
    let bounded = editor.operand(&exp, 0, "Where")?;
    let fits = has_kernels(editor, x)
        && input(&large, 0) == Some(x)
        && editor.is_near(&large, 1, SOFTPLUS_THRESHOLD)
        && log.origin == "Log1p"
        && bounded.inputs[0] == node.inputs[0]
        && editor.is_near(&bounded, 1, SOFTPLUS_THRESHOLD)
        && input(&bounded, 2) == Some(x);
    fits.then(|| vec![Node::new("Softplus").input(x).output(node.outputs[0])])
}

/// `log σ(x) = -softplus(-x)`: ONNX Runtime's `Sigmoid` is 0 below -18.
pub(super) fn log_sigmoid(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "Log" {
        return None;
    }
    let sigmoid = editor.operand(node, 0, "Sigmoid")?;
    let x = input(&sigmoid, 0)?;
    if !has_kernels(editor, x) {
        return None;
    }
    let [negated, softplus] = [x, x].map(|x| editor.fresh(x));
    Some(vec![
        Node::new("Neg").input(x).output(negated),
        Node::new("Softplus").input(negated).output(softplus),
        Node::new("Neg").input(softplus).output(node.outputs[0]),
    ])
}

/// `x tanh(softplus(x))`
pub(super) fn mish(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "Mul" || !editor.has(MISH) {
        return None;
    }
    let tanh = editor.sole_operand(node, 1, "Tanh")?;
    let softplus = editor.sole_operand(&tanh, 0, "Softplus")?;
    let x = input(&softplus, 0)?;
    let fits = input(node, 0) == Some(x);
    fits.then(|| vec![Node::new("Mish").input(x).output(node.outputs[0])])
}

/// `x max(0, min(1, x / 6 + ½))`
pub(super) fn hard_swish(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "Mul" {
        return None;
    }
    let sigmoid = editor.sole_operand(node, 1, "HardSigmoid")?;
    let x = input(&sigmoid, 0)?;
    let slope = float(&sigmoid, "alpha")? == 1.0 / 6.0;
    let fits = input(node, 0) == Some(x) && slope && float(&sigmoid, "beta")? == 0.5;
    fits.then(|| vec![Node::new("HardSwish").input(x).output(node.outputs[0])])
}
