//! What is in a model file, read without ONNX Runtime.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use onnx::proto::tensor_proto::DataType;
use onnx::proto::tensor_shape_proto::dimension;
use onnx::proto::{GraphProto, ModelProto, TensorProto, ValueInfoProto, type_proto};
use serde::Serialize;

use crate::text::grouped;

/// What is in a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The version of the intermediate representation.
    pub ir_version: i64,
    /// The operator sets: the version of each domain (`ai.onnx` is the standard).
    pub opsets: BTreeMap<String, i64>,
    /// The program that wrote the model, with its version.
    pub producer: String,
    /// The inputs, without those that are initializers.
    pub inputs: Vec<Value>,
    /// The outputs.
    pub outputs: Vec<Value>,
    /// How often each operator is used, in subgraphs too.
    pub operators: BTreeMap<String, usize>,
    /// The elements of all floating-point initializers.
    pub parameters: u64,
    /// All metadata.
    pub metadata: BTreeMap<String, String>,
}

/// An input or output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// Its element type and shape, like `float32[batch, 1, 28, 28]`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Inspection {
    /// Looks into `model`.
    pub fn of(model: &ModelProto) -> Self {
        let none = GraphProto::default();
        let graph = model.graph.as_ref().unwrap_or(&none);
        let mut operators = BTreeMap::new();
        count_operators(graph, &mut operators);
        let initializers = graph.initializer.iter().map(|tensor| &tensor.name);
        let initializers: HashSet<_> = initializers.collect();
        let given = |input: &&ValueInfoProto| !initializers.contains(&input.name);
        Self {
            ir_version: model.ir_version,
            opsets: opsets(model),
            producer: format!("{} {}", model.producer_name, model.producer_version)
                .trim()
                .to_owned(),
            inputs: graph.input.iter().filter(given).map(value).collect(),
            outputs: graph.output.iter().map(value).collect(),
            operators,
            parameters: graph.initializer.iter().map(parameters).sum(),
            metadata: metadata(model),
        }
    }
}

fn opsets(model: &ModelProto) -> BTreeMap<String, i64> {
    let name = |domain: &str| match domain {
        "" => "ai.onnx".to_owned(),
        other => other.to_owned(),
    };
    let sets = model.opset_import.iter();
    sets.map(|set| (name(&set.domain), set.version)).collect()
}

fn metadata(model: &ModelProto) -> BTreeMap<String, String> {
    let props = model.metadata_props.iter();
    props
        .map(|prop| (prop.key.clone(), prop.value.clone()))
        .collect()
}

fn count_operators(graph: &GraphProto, counts: &mut BTreeMap<String, usize>) {
    for node in &graph.node {
        let name = match node.domain.as_str() {
            "" | "ai.onnx" => node.op_type.clone(),
            domain => format!("{domain}.{}", node.op_type),
        };
        *counts.entry(name).or_default() += 1;
        for attribute in &node.attribute {
            let subgraphs = attribute.g.iter().chain(&attribute.graphs);
            subgraphs.for_each(|graph| count_operators(graph, counts));
        }
    }
}

/// The elements of a floating-point tensor; integers are shapes and indices.
fn parameters(tensor: &TensorProto) -> u64 {
    let floating = matches!(
        tensor.data_type(),
        DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16
    );
    if floating {
        tensor.dims.iter().map(|&dim| dim.unsigned_abs()).product()
    } else {
        0
    }
}

fn value(info: &ValueInfoProto) -> Value {
    let kind = match info.r#type.as_ref().and_then(|kind| kind.value.as_ref()) {
        Some(type_proto::Value::TensorType(tensor)) => tensor_type(tensor),
        Some(type_proto::Value::SequenceType(_)) => "sequence".to_owned(),
        Some(type_proto::Value::MapType(_)) => "map".to_owned(),
        Some(type_proto::Value::OpaqueType(_)) => "opaque".to_owned(),
        Some(type_proto::Value::SparseTensorType(_)) => "sparse tensor".to_owned(),
        Some(type_proto::Value::OptionalType(_)) => "optional".to_owned(),
        None => "unknown".to_owned(),
    };
    Value {
        name: info.name.clone(),
        kind,
    }
}

fn tensor_type(tensor: &type_proto::Tensor) -> String {
    let element = type_name(tensor.elem_type());
    let Some(shape) = &tensor.shape else {
        return element;
    };
    let dims: Vec<_> = shape.dim.iter().map(dimension_text).collect();
    format!("{element}[{}]", dims.join(", "))
}

fn dimension_text(dim: &onnx::proto::tensor_shape_proto::Dimension) -> String {
    match &dim.value {
        Some(dimension::Value::DimValue(size)) => size.to_string(),
        Some(dimension::Value::DimParam(symbol)) => symbol.clone(),
        None => "?".to_owned(),
    }
}

/// The name NumPy gives the type; ONNX's where NumPy has none.
fn type_name(data_type: DataType) -> String {
    match data_type {
        DataType::Float => "float32".to_owned(),
        DataType::Double => "float64".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |values: &[Value]| values.iter().map(Value::to_string).collect();
        let counted = |(name, count): (&String, &usize)| format!("{name} × {count}");
        let opset = |(domain, version): (&String, &i64)| format!("{domain} {version}");
        let pair = |(key, value): (&String, &String)| format!("{key} = {value}");
        write_list(f, "inputs", named(&self.inputs))?;
        write_list(f, "outputs", named(&self.outputs))?;
        write_list(f, "IR version", vec![self.ir_version.to_string()])?;
        write_list(f, "opset", self.opsets.iter().map(opset).collect())?;
        write_list(f, "producer", vec![self.producer.clone()])?;
        write_list(f, "parameters", vec![grouped(self.parameters)])?;
        write_list(f, "operators", self.operators.iter().map(counted).collect())?;
        write_list(f, "metadata", self.metadata.iter().map(pair).collect())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.kind)
    }
}

/// The title before the first line, the others under it.
fn write_list(f: &mut fmt::Formatter<'_>, title: &str, lines: Vec<String>) -> fmt::Result {
    if lines.iter().all(String::is_empty) {
        return writeln!(f, "{title:12}–");
    }
    for (index, line) in lines.iter().enumerate() {
        let title = if index == 0 { title } else { "" };
        writeln!(f, "{title:12}{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {

    use super::*;

    /// Each compared with each, they would take minutes.
    #[test]
    fn many_inputs_and_initializers_are_told_apart() {
        let names = || (0..50_000).map(|number| number.to_string());
        let input = |name| ValueInfoProto {
            name,
            ..Default::default()
        };
        let weight = |name| TensorProto {
            name,
            ..Default::default()
        };
        let model = ModelProto {
            graph: Some(GraphProto {
                input: names()
                    .rev()
                    .chain(["image".to_owned()])
                    .map(input)
                    .collect(),
                initializer: names().map(weight).collect(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let inputs = Inspection::of(&model).inputs;
        let inputs: Vec<_> = inputs.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(inputs, ["image"]);
    }
}
