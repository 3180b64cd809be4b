//! Nodes that are not needed.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::TensorData;

use super::pattern::permutation;
use crate::graph::ValueId;
use crate::node::{Attribute, Node, Program};

/// Removes nodes that no output depends on.
pub(super) fn remove_dead_nodes(program: &mut Program) -> bool {
    let mut needed: BTreeSet<ValueId> = program.outputs.iter().copied().collect();
    let before = program.nodes.len();
    let mut kept = Vec::with_capacity(before);
    for node in std::mem::take(&mut program.nodes).into_iter().rev() {
        if node.outputs.iter().any(|output| needed.contains(output)) {
            needed.extend(node.reads());
            kept.push(node);
        }
    }
    kept.reverse();
    program.nodes = kept;
    program.nodes.len() != before
}

/// Leaves out results at the end that nothing reads, where ONNX allows it.
pub(super) fn remove_unread_results(program: &mut Program) -> bool {
    let reads = program.nodes.iter().flat_map(Node::reads);
    let read: BTreeSet<ValueId> = reads.chain(program.outputs.iter().copied()).collect();
    let mut changed = false;
    for node in &mut program.nodes {
        let optional = matches!(node.op_type, "LSTM" | "GRU" | "RNN" | "MaxPool");
        let unread = |id: Option<&ValueId>| id.is_some_and(|id| !read.contains(id));
        while optional && node.outputs.len() > 1 && unread(node.outputs.last()) {
            node.outputs.pop();
            changed = true;
        }
    }
    changed
}

/// A reshape of a constant is a constant.
pub(super) fn fold_reshaped_constants(program: &mut Program) -> bool {
    let Program { values, nodes, .. } = program;
    let outputs: BTreeSet<ValueId> = program.outputs.iter().copied().collect();
    let before = nodes.len();
    nodes.retain(|node| {
        let [Some(input), ..] = node.inputs[..] else {
            return true;
        };
        let output = node.outputs[0];
        if node.op_type != "Reshape" || outputs.contains(&output) {
            return true;
        }
        let Some(data) = values[input.0].data.clone() else {
            return true;
        };
        let extents = values[output.0].shape.iter().flatten();
        let sizes: Option<Vec<usize>> = extents
            .map(|extent| extent.fixed().map(|size| size as usize))
            .collect();
        let Some(sizes) = sizes.filter(|_| values[output.0].shape.is_some()) else {
            return true;
        };
        let (bytes, _, dtype) = data.into_parts();
        values[output.0].data = Some(TensorData::from_bytes(bytes, sizes, dtype));
        values[output.0].name = values[input.0].name.clone();
        false
    });
    nodes.len() != before
}

/// Readers of what a node only passes on read its input instead.
pub(super) fn skip_nodes_without_effect(program: &mut Program) -> bool {
    let skipped: BTreeMap<ValueId, ValueId> = program
        .nodes
        .iter()
        .filter(|node| !program.outputs.contains(&node.outputs[0]))
        .filter_map(|node| Some((node.outputs[0], passed_on(program, node)?)))
        .collect();
    redirect(program, &skipped)
}

/// What the graph returns comes from the node that computes it, without one in
/// between that only passes it on.
pub(super) fn return_directly(program: &mut Program) -> bool {
    let computed: BTreeSet<ValueId> = program
        .nodes
        .iter()
        .flat_map(|node| node.outputs.iter().copied())
        .collect();
    let inner = |id: &ValueId| computed.contains(id) && !program.outputs.contains(id);
    let found = program.nodes.iter().enumerate().find_map(|(at, node)| {
        let returns = program.outputs.contains(&node.outputs[0]);
        let source = passed_on(program, node).filter(|id| returns && inner(id))?;
        Some((at, source))
    });
    let Some((at, source)) = found else {
        return false;
    };
    let returned = program.nodes.remove(at).outputs[0];
    for node in &mut program.nodes {
        let inputs = node.inputs.iter_mut().flatten();
        let places = inputs.chain(&mut node.outputs);
        places
            .filter(|id| **id == source)
            .for_each(|id| *id = returned);
    }
    true
}

/// The input that a node returns unchanged.
fn passed_on(program: &Program, node: &Node) -> Option<ValueId> {
    let input = (*node.inputs.first()?)?;
    let output = node.outputs[0];
    let shape = |id: ValueId| program.values[id.0].shape.as_ref();
    let same_shape = shape(input).is_some() && shape(input) == shape(output);
    let passes = match node.op_type {
        "Identity" => true,
        "Reshape" | "Expand" => same_shape,
        "Cast" => {
            let dtype = |id: ValueId| crate::emit::data_type(program.values[id.0].dtype);
            dtype(input) == dtype(output)
        }
        "Mul" | "Div" => is_one(program, node),
        "Transpose" => permutation(node)?
            .iter()
            .enumerate()
            .all(|(at, axis)| at as i64 == *axis),
        _ => false,
    };
    passes.then_some(input)
}

/// Whether the second operand is the number 1, which changes no bit.
fn is_one(program: &Program, node: &Node) -> bool {
    let data = node.inputs.get(1).copied().flatten();
    let data = data.and_then(|id| program.values[id.0].data.as_ref());
    data.is_some_and(|data| {
        let one = data.clone().convert::<f64>();
        data.rank() == 0 && one.as_slice::<f64>().is_ok_and(|one| one == [1.0])
    })
}

/// The later of two reshapes alone decides the shape, unless it copies sizes
/// (0) from the earlier one's result.
pub(super) fn merge_reshapes(program: &mut Program) -> bool {
    merge_pairs(program, "Reshape", |program, first, second| {
        let target = second.inputs.get(1).copied().flatten()?;
        let data = program.values[target.0].data.as_ref()?;
        let sizes = data.as_slice::<i64>().ok()?;
        let independent = !sizes.contains(&0);
        independent.then(|| Node {
            inputs: vec![first.inputs[0], second.inputs[1]],
            ..second.clone()
        })
    })
}

/// Two transposes are one.
pub(super) fn merge_transposes(program: &mut Program) -> bool {
    merge_pairs(program, "Transpose", |_, first, second| {
        let (inner, outer) = (permutation(first)?, permutation(second)?);
        let order: Vec<i64> = outer.iter().map(|axis| inner[*axis as usize]).collect();
        Some(Node {
            inputs: first.inputs.clone(),
            attributes: vec![("perm", Attribute::Ints(order))],
            ..second.clone()
        })
    })
}

/// Replaces a node that follows another of the same operator.
fn merge_pairs(
    program: &mut Program,
    op_type: &str,
    merge: impl Fn(&Program, &Node, &Node) -> Option<Node>,
) -> bool {
    let producers: BTreeMap<ValueId, usize> = program
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.op_type == op_type)
        .map(|(at, node)| (node.outputs[0], at))
        .collect();
    let merged: Vec<(usize, Node)> = program
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.op_type == op_type)
        .filter_map(|(at, second)| {
            let first = producers.get(&second.inputs[0]?)?;
            Some((at, merge(program, &program.nodes[*first], second)?))
        })
        .collect();
    let changed = !merged.is_empty();
    for (at, node) in merged {
        program.nodes[at] = node;
    }
    changed
}

/// Nodes that compute the same from the same are one.
pub(super) fn merge_equal_nodes(program: &mut Program) -> bool {
    let mut known: BTreeMap<&'static str, Vec<&Node>> = BTreeMap::new();
    let mut same = BTreeMap::new();
    for node in &program.nodes {
        let candidates = known.entry(node.op_type).or_default();
        let equal = candidates.iter().find(|other| {
            (&other.inputs, &other.attributes) == (&node.inputs, &node.attributes)
                && other.outputs.len() == node.outputs.len()
        });
        match equal {
            Some(first) if !returns(program, node) => {
                same.extend(
                    node.outputs
                        .iter()
                        .copied()
                        .zip(first.outputs.iter().copied()),
                );
            }
            _ => candidates.push(node),
        }
    }
    redirect(program, &same)
}

fn returns(program: &Program, node: &Node) -> bool {
    node.outputs
        .iter()
        .any(|output| program.outputs.contains(output))
}

/// Lets every node that reads a key read its value instead.
fn redirect(program: &mut Program, replaced: &BTreeMap<ValueId, ValueId>) -> bool {
    let target = |id: ValueId| {
        let mut id = id;
        while let Some(next) = replaced.get(&id) {
            id = *next;
        }
        id
    };
    let mut changed = false;
    for input in program
        .nodes
        .iter_mut()
        .flat_map(|node| node.inputs.iter_mut())
        .flatten()
    {
        let to = target(*input);
        changed |= to != *input;
        *input = to;
    }
    changed
}
