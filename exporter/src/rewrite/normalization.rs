//! Normalizations that Burn records as arithmetic.

use super::pattern::{Editor, float, input};
use crate::graph::ValueId;
use crate::node::Node;

/// The first opset whose `GroupNormalization` scales by channel.
const GROUP_NORM: u8 = 21;

/// The first opset with `RMSNormalization`.
const RMS_NORM: u8 = 23;

/// `(x - mean) / √(variance + ε)` over the last axis of `[n, groups, rest]`.
pub(super) fn instance_norm(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "Div" {
        return None;
    }
    let centered = editor.operand(node, 0, "Sub")?;
    let x = input(&centered, 0)?;
    let [_, groups, _] = editor.shape(x)? else {
        return None;
    };
    let groups = groups.fixed()? as usize;
    let mean = editor.operand(&centered, 1, "ReduceMean")?;
    let root = editor.operand(node, 1, "Sqrt")?;
    let sum = editor.operand(&root, 0, "Add")?;
    let variance = editor.operand(&sum, 0, "ReduceMean")?;
    let square = editor.operand(&variance, 0, "Mul")?;
    let last = Some(vec![2]);
    let fits = input(&mean, 0) == Some(x)
        && square.inputs == [node.inputs[0], node.inputs[0]]
        && editor.axes(&mean) == last
        && editor.axes(&variance) == last;
    let epsilon = editor.scalar(&sum, 1).filter(|_| fits)?;
    let (scale, bias) = identity(editor, groups, x);
    let norm = Node::new("InstanceNormalization").inputs([x, scale, bias]);
    let norm = norm.output(node.outputs[0]).attr("epsilon", epsilon);
    Some(vec![norm])
}

/// A scale of 1 and a bias of 0 by channel.
fn identity(editor: &mut Editor, channels: usize, like: ValueId) -> (ValueId, ValueId) {
    let dtype = editor.value(like).dtype;
    let scale = editor.constant(vec![1.0; channels], vec![channels], dtype, None);
    let bias = editor.constant(vec![0.0; channels], vec![channels], dtype, None);
    (scale, bias)
}

/// An image whose channels or groups are normalized as `[n, groups, rest]` and
/// that has its shape back: the image, its channels and the inner node.
fn normalized_image(editor: &Editor, node: &Node) -> Option<(ValueId, usize, Node)> {
    if node.op_type != "Reshape" {
        return None;
    }
    let norm = editor.sole_operand(node, 0, "InstanceNormalization")?;
    let flat = editor.operand(&norm, 0, "Reshape")?;
    let image = input(&flat, 0)?;
    let shape = editor.shape(image)?;
    let flat_shape = editor.shape(input(&norm, 0)?)?;
    let same = editor.shape(node.outputs[0])? == shape && shape[0] == flat_shape[0];
    let channels = shape.get(1)?.fixed()? as usize;
    let plain = is_identity(editor, &norm);
    (same && plain && shape.len() >= 3).then_some((image, channels, norm))
}

fn is_identity(editor: &Editor, norm: &Node) -> bool {
    let all = |position: usize, value: f64| {
        let elements = editor.floats(input(norm, position));
        elements.is_some_and(|elements| elements.iter().all(|element| *element == value))
    };
    all(1, 1.0) && all(2, 0.0)
}

/// Each channel is a group of its own.
pub(super) fn instance_norm_of_image(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    let (image, channels, norm) = normalized_image(editor, node)?;
    let groups = editor.floats(input(&norm, 1))?.len();
    let epsilon = float(&norm, "epsilon")?;
    if groups != channels {
        return None;
    }
    let (scale, bias) = identity(editor, channels, image);
    let norm = Node::new("InstanceNormalization").inputs([image, scale, bias]);
    let norm = norm.output(node.outputs[0]);
    Some(vec![norm.attr("epsilon", f64::from(epsilon))])
}

/// Several channels to a group.
pub(super) fn group_norm(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    let (image, channels, norm) = normalized_image(editor, node)?;
    let groups = editor.floats(input(&norm, 1))?.len();
    let epsilon = float(&norm, "epsilon")?;
    if groups == channels || channels % groups != 0 || !editor.has(GROUP_NORM) {
        return None;
    }
    let (scale, bias) = identity(editor, channels, image);
    let norm = Node::new("GroupNormalization").inputs([image, scale, bias]);
    let norm = norm.output(node.outputs[0]).attr("num_groups", groups);
    Some(vec![norm.attr("epsilon", f64::from(epsilon))])
}

/// The normalization that a node scales or moves, and the constant of one
/// element a channel, `[1, channels, 1, ..]`.
fn by_channel(editor: &Editor, node: &Node) -> Option<(Node, ValueId)> {
    let norm = editor
        .sole_operand(node, 0, "InstanceNormalization")
        .or_else(|| editor.sole_operand(node, 0, "GroupNormalization"))?;
    let constant = input(node, 1)?;
    let data = editor.value(constant).data.as_ref()?;
    let channels = editor.floats(input(&norm, 1))?.len();
    let mut shape = vec![1; editor.shape(node.outputs[0])?.len()];
    *shape.get_mut(1)? = channels;
    (data.shape().to_vec() == shape).then_some((norm, constant))
}

/// `γ · norm(x)`
pub(super) fn absorb_scale(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "Mul" {
        return None;
    }
    let (norm, gamma) = by_channel(editor, node)?;
    is_identity(editor, &norm).then_some(())?;
    let scale = flattened(editor, gamma)?;
    Some(vec![with_input(norm, 1, scale, node)])
}

/// `norm(x) + β`
pub(super) fn absorb_bias(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "Add" {
        return None;
    }
    let (norm, beta) = by_channel(editor, node)?;
    let unmoved = editor.floats(input(&norm, 2))?;
    unmoved
        .iter()
        .all(|element| *element == 0.0)
        .then_some(())?;
    let bias = flattened(editor, beta)?;
    Some(vec![with_input(norm, 2, bias, node)])
}

fn with_input(mut norm: Node, position: usize, value: ValueId, replaced: &Node) -> Node {
    norm.inputs[position] = Some(value);
    norm.scope.clear();
    norm.outputs = replaced.outputs.clone();
    norm
}

/// A constant as a vector, under its name.
fn flattened(editor: &mut Editor, constant: ValueId) -> Option<ValueId> {
    let elements = editor.floats(Some(constant))?;
    let (dtype, name) = (
        editor.value(constant).dtype,
        editor.value(constant).name.clone(),
    );
    let count = elements.len();
    Some(editor.constant(elements, vec![count], dtype, name))
}

/// Sizes of 1, and `width` at last.
fn is_row(shape: &[usize], width: usize) -> bool {
    let (last, leading) = shape.split_last().unwrap_or((&1, &[]));
    *last == width && leading.iter().all(|size| *size == 1)
}

/// `γ x / √(mean(x²) + ε)` over the last axis.
pub(super) fn rms_norm(editor: &mut Editor, node: &Node) -> Option<Vec<Node>> {
    if node.op_type != "Mul" || !editor.has(RMS_NORM) {
        return None;
    }
    let quotient = editor.sole_operand(node, 0, "Div")?;
    let x = quotient.inputs[0]?;
    let root = editor.operand(&quotient, 1, "Sqrt")?;
    let sum = editor.operand(&root, 0, "Add")?;
    let mean = editor.operand(&sum, 0, "ReduceMean")?;
    let square = editor.operand(&mean, 0, "Mul")?;
    let rank = editor.shape(x)?.len();
    let width = editor.shape(x)?.last()?.fixed()? as usize;
    let gamma = input(node, 1)?;
    let fits = square.inputs == [Some(x), Some(x)]
        && editor.axes(&mean) == Some(vec![rank as i64 - 1])
        && is_row(editor.value(gamma).data.as_ref()?.shape(), width);
    let epsilon = editor.scalar(&sum, 1).filter(|_| fits)?;
    let scale = flattened(editor, gamma)?;
    let norm = Node::new("RMSNormalization").inputs([x, scale]);
    let norm = norm.output(node.outputs[0]).attr("axis", -1i64);
    Some(vec![norm.attr("epsilon", epsilon)])
}
