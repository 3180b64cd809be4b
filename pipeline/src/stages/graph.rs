//! The nodes of an ONNX model, as a report draws them.

use std::collections::{BTreeSet, HashMap};

use onnx::proto::tensor_shape_proto::{Dimension, dimension};
use onnx::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto, type_proto};
use report::{Graph, Link, Node};

/// Inputs, operations and outputs with their shapes, and what flows between
/// them. Weights are named in the nodes that take them.
pub(super) fn of(model: &ModelProto) -> Graph {
    let none = GraphProto::default();
    let graph = model.graph.as_ref().unwrap_or(&none);
    let mut builder = Builder {
        shapes: shapes(graph),
        givers: HashMap::new(),
        nodes: Vec::new(),
        links: BTreeSet::new(),
    };
    let weights = graph.initializer.iter();
    let weights: HashMap<&str, String> = weights
        .map(|tensor| (tensor.name.as_str(), bracketed(tensor.dims.iter())))
        .collect();
    let is_given = |input: &&ValueInfoProto| !weights.contains_key(input.name.as_str());
    for input in graph.input.iter().filter(is_given) {
        builder.value("input", input);
        builder.gives(&input.name);
    }
    for node in &graph.node {
        builder.operation(node, &weights);
    }
    for output in &graph.output {
        builder.value("output", output);
        builder.takes(&output.name);
    }
    Graph {
        nodes: builder.nodes,
        links: builder.links.into_iter().collect(),
        facts: Vec::new(),
    }
}

struct Builder<'a> {
    shapes: HashMap<&'a str, String>,
    /// The node that gives each value, by the value's name.
    givers: HashMap<&'a str, usize>,
    nodes: Vec<Node>,
    links: BTreeSet<Link>,
}

impl<'a> Builder<'a> {
    /// A box for an input or an output.
    fn value(&mut self, op: &str, value: &'a ValueInfoProto) {
        let shape = self.shapes.get(value.name.as_str()).cloned();
        self.nodes.push(Node {
            op: op.to_owned(),
            name: value.name.clone(),
            shapes: shape.into_iter().collect(),
        });
    }

    fn operation(&mut self, node: &'a NodeProto, weights: &HashMap<&str, String>) {
        let weight = |name: &String| Some(format!("{name} {}", weights.get(name.as_str())?));
        let given = node
            .output
            .iter()
            .filter_map(|name| self.shapes.get(name.as_str()));
        let given = given.map(|shape| format!("→ {shape}"));
        self.nodes.push(Node {
            op: node.op_type.clone(),
            name: node.name.clone(),
            shapes: node.input.iter().filter_map(weight).chain(given).collect(),
        });
        node.input.iter().for_each(|name| self.takes(name));
        node.output.iter().for_each(|name| self.gives(name));
    }

    /// The last node gives this value.
    fn gives(&mut self, value: &'a str) {
        if !value.is_empty() {
            self.givers.insert(value, self.nodes.len() - 1);
        }
    }

    /// The last node takes this value.
    fn takes(&mut self, value: &str) {
        if let Some(&from) = self.givers.get(value) {
            let to = self.nodes.len() - 1;
            self.links.insert(Link { from, to });
        }
    }
}

/// The shapes that the model tells, by the value's name.
fn shapes(graph: &GraphProto) -> HashMap<&str, String> {
    let values = graph
        .input
        .iter()
        .chain(&graph.value_info)
        .chain(&graph.output);
    values
        .filter_map(|value| Some((value.name.as_str(), shape(value)?)))
        .collect()
}

fn shape(value: &ValueInfoProto) -> Option<String> {
    match value.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(tensor) => {
            let dims = tensor.shape.as_ref()?.dim.iter();
            Some(bracketed(dims.map(dimension_text)))
        }
        _ => None,
    }
}

fn dimension_text(dim: &Dimension) -> String {
    match &dim.value {
        Some(dimension::Value::DimValue(size)) => size.to_string(),
        Some(dimension::Value::DimParam(symbol)) => symbol.clone(),
        None => "?".to_owned(),
    }
}

fn bracketed(items: impl Iterator<Item = impl ToString>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use onnx::proto::TensorProto;

    use super::*;

    fn value(name: &str) -> ValueInfoProto {
        ValueInfoProto {
            name: name.to_owned(),
            ..Default::default()
        }
    }

    fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            op_type: op.to_owned(),
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![output.to_owned()],
            ..Default::default()
        }
    }

    #[test]
    fn boxes_are_joined_by_what_flows_and_weights_stand_in_them() {
        let graph = GraphProto {
            input: vec![value("image"), value("w")],
            output: vec![value("logits")],
            initializer: vec![TensorProto {
                name: "w".to_owned(),
                dims: vec![10, 784],
                ..Default::default()
            }],
            node: vec![
                node("Gemm", &["image", "w", ""], "a"),
                node("Add", &["a", "a"], "logits"),
            ],
            ..Default::default()
        };
        let graph = of(&ModelProto {
            graph: Some(graph),
            ..Default::default()
        });
        let ops: Vec<&str> = graph.nodes.iter().map(|node| node.op.as_str()).collect();
        assert_eq!(ops, ["input", "Gemm", "Add", "output"]);
        assert_eq!(graph.nodes[1].shapes, ["w [10, 784]"]);
        let link = |from| Link { from, to: from + 1 };
        assert_eq!(graph.links, [link(0), link(1), link(2)]);
    }
}
