//! Attention that Burn records as products and a softmax.
//!
//! Only what has no mask becomes `Attention`: a row in which nothing is allowed
//! has a result in Burn, but not the same one in ONNX.

use super::pattern::{Editor, input, integer, permutation};
use crate::graph::ValueId;
use crate::node::Node;

/// The first opset with `Attention`.
const ATTENTION: u8 = 23;

/// Swaps the heads and the positions.
const HEADS: [i64; 4] = [0, 2, 1, 3];

/// `softmax(Q Kᵀ · scale) V` over [batch, heads, positions, size].
pub(super) fn scaled_dot_products(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "MatMul" || !editor.has(ATTENTION) {
        return None;
    }
    let softmax = editor.sole_operand(node, 0, "Softmax")?;
    let (product, scale) = scaled_product(editor, &softmax)?;
    let (q, v) = (input(&product, 0)?, input(node, 1)?);
    let transposed = editor.operand(&product, 1, "Transpose")?;
    let outer = |id: ValueId| match editor.shape(id)? {
        [batch, heads, _, _] => Some([batch.clone(), heads.clone()]),
        _ => None,
    };
    let (shape, along) = (outer(q)?, integer(&softmax, "axis")?);
    let same = outer(v)? == shape && outer(input(&product, 1)?)? == shape;
    (same && (along == 3 || along == -1)).then_some(())?;
    let [a, b, size, position] = permutation(&transposed)?[..] else {
        return None;
    };
    let key = editor.fresh(node.outputs[0]);
    let transpose = Node::new("Transpose").input(transposed.inputs[0]?);
    let transpose = transpose
        .output(key)
        .attr("perm", vec![a, b, position, size]);
    let attention = Node::new("Attention").inputs([q, key, v]);
    let attention = attention.output(node.outputs[0]).attr("scale", scale);
    Some(vec![transpose, attention])
}

/// `Q Kᵀ` and what it is multiplied by, which ONNX Runtime takes only where it is
/// positive.
fn scaled_product(editor: &Editor, softmax: &Node) -> Option<(Node, f64)> {
    let scaled = editor
        .sole_operand(softmax, 0, "Div")
        .or_else(|| editor.sole_operand(softmax, 0, "Mul"))?;
    let factor = editor.scalar(&scaled, 1)?;
    let scale = if scaled.op_type == "Div" {
        1.0 / factor
    } else {
        factor
    };
    let product = editor.sole_operand(&scaled, 0, "MatMul")?;
    (scale > 0.0).then_some((product, scale))
}

/// Heads that are split from [batch, positions, heads · size] and joined again:
/// `Attention` does both.
pub(super) fn multi_head(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "Reshape" {
        return None;
    }
    let turned = editor.sole_operand(node, 0, "Transpose")?;
    let attention = editor.sole_operand(&turned, 0, "Attention")?;
    let (joined, split) = (
        editor.shape(node.outputs[0])?,
        editor.shape(turned.outputs[0])?,
    );
    let joins = joined.len() == 3 && joined[..2] == split[..2];
    (joins && permutation(&turned)? == HEADS).then_some(())?;
    let operands = (0..3).map(|position| unsplit(editor, &attention, position));
    let operands: Vec<(ValueId, i64)> = operands.collect::<Option<_>>()?;
    let [(q, heads), (k, key_heads), (v, value_heads)] = operands[..] else {
        return None;
    };
    (key_heads == value_heads).then_some(())?;
    let mut whole = attention.clone();
    whole.inputs = vec![Some(q), Some(k), Some(v)];
    whole.outputs = node.outputs.clone();
    let whole = whole.attr("q_num_heads", heads);
    Some(vec![whole.attr("kv_num_heads", key_heads)])
}

/// What an operand's heads were split from, and how many there are.
fn unsplit(editor: &Editor, attention: &Node, position: usize) -> Option<(ValueId, i64)> {
    let turned = editor.operand(attention, position, "Transpose")?;
    let split = editor.operand(&turned, 0, "Reshape")?;
    let source = input(&split, 0)?;
    let (whole, parts) = (editor.shape(source)?, editor.shape(split.outputs[0])?);
    let splits = whole.len() == 3 && parts.len() == 4 && whole[..2] == parts[..2];
    (splits && permutation(&turned)? == HEADS).then_some(())?;
    Some((source, parts[2].fixed()?))
}
