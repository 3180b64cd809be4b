//! Names that people read in a viewer.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::ValueId;
use crate::node::{Node, Program};

/// The names of a program's nodes and values, each unique among its kind.
pub(crate) struct Names {
    /// In the order of the nodes: `/layer1/conv/Conv`.
    pub nodes: Vec<String>,
    pub values: BTreeMap<ValueId, String>,
}

/// Values of the boundary are called as the caller says, constants after their
/// parameter, and everything else after the node that makes or first reads it.
pub(crate) fn assign(program: &Program, outputs: &[String]) -> Names {
    let mut taken = BTreeSet::new();
    let mut values = BTreeMap::new();
    let inputs = program.inputs.iter().filter_map(|id| {
        let name = program.values[id.0].name.clone()?;
        Some((*id, name))
    });
    let outputs = program.outputs.iter().copied().zip(outputs.iter().cloned());
    for (id, name) in inputs.chain(outputs) {
        taken.insert(name.clone());
        values.insert(id, name);
    }
    for id in program.nodes.iter().flat_map(Node::reads) {
        let value = &program.values[id.0];
        let Some(name) = value.data.as_ref().and(value.name.as_ref()) else {
            continue;
        };
        values
            .entry(id)
            .or_insert_with(|| unique(&mut taken, name.clone(), "_"));
    }
    let nodes = node_names(program);
    for (node, name) in program.nodes.iter().zip(&nodes) {
        name_constants(program, node, name, &mut taken, &mut values);
        for (position, output) in node.outputs.iter().enumerate() {
            let suffix = match position {
                0 => String::new(),
                _ => format!(":{position}"),
            };
            values
                .entry(*output)
                .or_insert_with(|| unique(&mut taken, format!("{name}{suffix}"), "_"));
        }
    }
    Names { nodes, values }
}

fn node_names(program: &Program) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let names = program.nodes.iter().map(|node| {
        let scope = node.scope.replace('.', "/");
        let separator = if scope.is_empty() { "" } else { "/" };
        unique(
            &mut taken,
            format!("{separator}{scope}/{}", node.op_type),
            "_",
        )
    });
    names.collect()
}

/// `/flatten/Reshape.shape`: a constant after the operand of its first reader.
fn name_constants(
    program: &Program,
    node: &Node,
    name: &str,
    taken: &mut BTreeSet<String>,
    values: &mut BTreeMap<ValueId, String>,
) {
    for (position, input) in node.inputs.iter().enumerate() {
        let Some(id) = input else { continue };
        if program.values[id.0].data.is_some() {
            let operand = operand_name(node.op_type, position);
            values
                .entry(*id)
                .or_insert_with(|| unique(taken, format!("{name}.{operand}"), "_"));
        }
    }
}

/// ONNX's name of an operand that is often a constant.
fn operand_name(op_type: &str, position: usize) -> &'static str {
    match (op_type, position) {
        ("Reshape" | "Expand", 1) | ("ConstantOfShape", 0) => "shape",
        ("Slice", 1) => "starts",
        ("Slice", 2) => "ends",
        ("Slice", 3) => "axes",
        ("Slice", 4) => "steps",
        ("Pad", 1) => "pads",
        ("Tile", 1) => "repeats",
        ("TopK", 1) => "k",
        ("CumSum" | "CumProd", 1) => "axis",
        ("Clip", 1) => "min",
        ("Clip", 2) => "max",
        ("Gather" | "GatherElements" | "GatherND", 1) => "indices",
        ("LSTM" | "GRU" | "RNN", 1) => "W",
        ("LSTM" | "GRU" | "RNN", 2) => "R",
        ("LSTM" | "GRU" | "RNN", 3) => "B",
        ("Squeeze" | "Unsqueeze", 1) => "axes",
        (reduction, 1) if reduction.starts_with("Reduce") => "axes",
        _ => "constant",
    }
}

/// The name, or the name with the first number that makes it unique.
fn unique(taken: &mut BTreeSet<String>, name: String, separator: &str) -> String {
    let mut candidate = name.clone();
    let mut number = 0;
    while !taken.insert(candidate.clone()) {
        number += 1;
        candidate = format!("{name}{separator}{number}");
    }
    candidate
}
