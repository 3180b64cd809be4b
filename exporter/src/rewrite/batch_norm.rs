//! Batch normalization after a convolution.

use super::pattern::{Editor, float, input};
use crate::graph::ValueId;
use crate::node::Node;

/// `γ (W x + b - μ) / √(σ² + ε) + β` is a convolution with
/// `W' = s W` and `b' = s (b - μ) + β`, where `s = γ / √(σ² + ε)` by channel.
pub(super) fn fold_into_convolution(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "BatchNormalization" {
        return None;
    }
    let conv = editor.sole_operand(node, 0, "Conv")?;
    let weight = input(&conv, 1)?;
    let data = editor.value(weight).data.clone()?;
    let shape = data.shape().to_vec();
    let parameters: Vec<Vec<f64>> = (1..5)
        .map(|position| editor.floats(input(node, position)))
        .collect::<Option<_>>()?;
    let [gamma, beta, mean, variance] = &parameters[..] else {
        return None;
    };
    let bias = match input(&conv, 2) {
        Some(bias) => editor.floats(Some(bias))?,
        None => vec![0.0; shape[0]],
    };
    let epsilon = f64::from(float(node, "epsilon")?);
    let scales: Vec<f64> = gamma
        .iter()
        .zip(variance)
        .map(|(gamma, variance)| gamma / (variance + epsilon).sqrt())
        .collect();
    let kernel = data.num_elements() / shape[0];
    let scaled = data.iter::<f64>().enumerate();
    let scaled = scaled.map(|(at, element)| element * scales[at / kernel]);
    let moved = (0..shape[0]).map(|c| scales[c] * (bias[c] - mean[c]) + beta[c]);
    let moved: Vec<f64> = moved.collect();
    let (weight_name, bias_name) = names(editor, &conv, weight);
    let dtype = editor.value(weight).dtype;
    let channels = shape[0];
    let old = weight;
    let weight = editor.constant(scaled, shape, dtype, weight_name);
    editor.release(old);
    let bias = editor.constant(moved, vec![channels], dtype, bias_name);
    Some(vec![Node {
        inputs: vec![conv.inputs[0], Some(weight), Some(bias)],
        outputs: node.outputs.clone(),
        ..conv
    }])
}

/// The convolution's own names, also for a bias that it did not have.
fn names(editor: &Editor, conv: &Node, weight: ValueId) -> (Option<String>, Option<String>) {
    let weight = editor.value(weight).name.clone();
    let own = input(conv, 2).and_then(|bias| editor.value(bias).name.clone());
    let beside = weight.as_ref().and_then(|name| name.strip_suffix("weight"));
    let bias = own.or_else(|| beside.map(|module| format!("{module}bias")));
    (weight, bias)
}
