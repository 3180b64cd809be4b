//! The only place that builds ONNX messages.

use std::collections::BTreeSet;

use burn::tensor::{BoolStore, DType, TensorData};
use onnx::Bytes;
use onnx::proto::attribute_proto::AttributeType;
use onnx::proto::tensor_proto::DataType;
use onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto, type_proto,
};

use crate::extent::{Extent, Symbols};
use crate::graph::ValueId;
use crate::name::{self, Names};
use crate::node::{Attribute, Node, Program};
use crate::opset::Opset;

/// The tool's name in the files that it writes.
const PRODUCER: &str = "burnish";

/// What goes into a file besides the program.
pub(crate) struct Header<'a> {
    pub opset: Opset,
    pub outputs: &'a [String],
    pub metadata: &'a [(String, String)],
}

/// The message of a whole model.
pub(crate) fn model(program: &Program, symbols: &Symbols, header: &Header) -> ModelProto {
    ModelProto {
        ir_version: header.opset.ir_version(),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: header.opset.version().into(),
        }],
        producer_name: PRODUCER.to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph(program, symbols, header.outputs)),
        metadata_props: header.metadata.iter().map(entry).collect(),
        ..Default::default()
    }
}

fn entry((key, value): &(String, String)) -> StringStringEntryProto {
    StringStringEntryProto {
        key: key.clone(),
        value: value.clone(),
    }
}

fn graph(program: &Program, symbols: &Symbols, outputs: &[String]) -> GraphProto {
    let names = name::assign(program, outputs);
    let info = |id: &ValueId| value_info(program, symbols, &names, *id);
    GraphProto {
        name: "main".to_owned(),
        doc_string: description(symbols),
        node: nodes(program, &names),
        initializer: initializers(program, &names),
        input: program.inputs.iter().map(info).collect(),
        output: program.outputs.iter().map(info).collect(),
        value_info: inner_values(program).iter().map(info).collect(),
        ..Default::default()
    }
}

fn description(symbols: &Symbols) -> String {
    let names: Vec<&str> = (0..symbols.len())
        .map(|symbol| symbols.name(symbol))
        .collect();
    let sizes = match names.is_empty() {
        true => "All sizes are fixed.".to_owned(),
        false => format!("Sizes of one's own choice: {}.", names.join(", ")),
    };
    format!("A module of Burn, as its operations were recorded. {sizes}")
}

fn nodes(program: &Program, names: &Names) -> Vec<NodeProto> {
    let nodes = program.nodes.iter().zip(&names.nodes);
    nodes
        .map(|(node, name)| node_proto(node, name, names))
        .collect()
}

fn node_proto(node: &Node, name: &str, names: &Names) -> NodeProto {
    let name_of = |id: &ValueId| names.values[id].clone();
    let inputs = node.inputs.iter();
    NodeProto {
        name: name.to_owned(),
        op_type: node.op_type.to_owned(),
        input: inputs
            .map(|id| id.as_ref().map(name_of).unwrap_or_default())
            .collect(),
        output: node.outputs.iter().map(name_of).collect(),
        attribute: node.attributes.iter().map(attribute).collect(),
        doc_string: origin(node),
        ..Default::default()
    }
}

/// `Conv2d of layer1.0.conv`
fn origin(node: &Node) -> String {
    match (node.origin.as_str(), node.scope.as_str()) {
        ("", _) => String::new(),
        (origin, "") => origin.to_owned(),
        (origin, scope) => format!("{origin} of {scope}"),
    }
}

fn attribute((name, value): &(&'static str, Attribute)) -> AttributeProto {
    let mut proto = AttributeProto {
        name: (*name).to_owned(),
        ..Default::default()
    };
    let kind = match value {
        Attribute::Int(value) => {
            proto.i = *value;
            AttributeType::Int
        }
        Attribute::Float(value) => {
            proto.f = *value;
            AttributeType::Float
        }
        Attribute::Text(value) => {
            proto.s = Bytes::from_static(value.as_bytes());
            AttributeType::String
        }
        Attribute::Texts(values) => {
            let values = values.iter();
            proto.strings = values
                .map(|value| Bytes::from_static(value.as_bytes()))
                .collect();
            AttributeType::Strings
        }
        Attribute::Ints(values) => {
            proto.ints = values.clone();
            AttributeType::Ints
        }
        Attribute::Tensor(value) => {
            proto.t = Some(tensor(value, String::new()));
            AttributeType::Tensor
        }
    };
    proto.r#type = kind as i32;
    proto
}

/// The constants that nodes read, in the order of their first use.
fn initializers(program: &Program, names: &Names) -> Vec<TensorProto> {
    let mut written = BTreeSet::new();
    let mut initializers = Vec::new();
    for id in program.nodes.iter().flat_map(Node::reads) {
        if let Some(data) = &program.values[id.0].data
            && written.insert(names.values[&id].as_str())
        {
            initializers.push(tensor(data, names.values[&id].clone()));
        }
    }
    initializers
}

/// A tensor with its elements.
pub(crate) fn tensor(data: &TensorData, name: String) -> TensorProto {
    TensorProto {
        name,
        dims: data.shape().iter().map(|size| *size as i64).collect(),
        data_type: data_type(data.dtype()) as i32,
        raw_data: raw(data),
        ..Default::default()
    }
}

/// Little-endian elements, which are not copied where they are shared; a boolean
/// takes one byte, however Burn keeps it.
fn raw(data: &TensorData) -> Bytes {
    Bytes::from_owner(Elements(match data.dtype() {
        DType::Bool(BoolStore::U32) => data.clone().convert_dtype(DType::Bool(BoolStore::Native)),
        _ => data.clone(),
    }))
}

struct Elements(TensorData);

impl AsRef<[u8]> for Elements {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// ONNX's element type. Quantized tensors, which have none, never come here.
pub(crate) fn data_type(dtype: DType) -> DataType {
    match dtype {
        DType::F64 => DataType::Double,
        DType::F32 | DType::Flex32 => DataType::Float,
        DType::F16 => DataType::Float16,
        DType::BF16 => DataType::Bfloat16,
        DType::I64 => DataType::Int64,
        DType::I32 => DataType::Int32,
        DType::I16 => DataType::Int16,
        DType::I8 => DataType::Int8,
        DType::U64 => DataType::Uint64,
        DType::U32 => DataType::Uint32,
        DType::U16 => DataType::Uint16,
        DType::U8 => DataType::Uint8,
        DType::Bool(_) => DataType::Bool,
        DType::QFloat(_) => DataType::Undefined,
    }
}

/// The results of nodes whose shapes are known and that are no outputs.
fn inner_values(program: &Program) -> Vec<ValueId> {
    let results = program.nodes.iter().flat_map(|node| &node.outputs);
    results
        .filter(|id| !program.outputs.contains(id) && program.values[id.0].shape.is_some())
        .copied()
        .collect()
}

fn value_info(program: &Program, symbols: &Symbols, names: &Names, id: ValueId) -> ValueInfoProto {
    let value = &program.values[id.0];
    let shape = value.shape.as_ref().map(|shape| TensorShapeProto {
        dim: shape
            .iter()
            .map(|extent| dimension(symbols, extent))
            .collect(),
    });
    let tensor = type_proto::Tensor {
        elem_type: data_type(value.dtype) as i32,
        shape,
    };
    ValueInfoProto {
        name: names.values[&id].clone(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A number, a formula over the symbols, or nothing where there is none.
fn dimension(symbols: &Symbols, extent: &Extent) -> tensor_shape_proto::Dimension {
    use tensor_shape_proto::dimension::Value;
    let value = match extent.fixed() {
        Some(size) => Some(Value::DimValue(size)),
        None => symbols
            .formula_text(&symbols.explain(extent))
            .map(Value::DimParam),
    };
    tensor_shape_proto::Dimension {
        value,
        ..Default::default()
    }
}
