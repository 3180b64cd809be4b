//! ONNX files: the protobuf structure, the tensors, the metadata.

use std::fs;

use onnx::proto::tensor_proto::DataType;
use onnx::proto::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    SparseTensorProto, StringStringEntryProto, TensorProto, TrainingInfoProto,
};
use onnx::{encode, read};
use runtime::ModelMetadata;

use crate::case::{self, Case, Format, case, changed};
use crate::memory;

/// 64 MiB and 32 bytes for each byte of the file.
pub const MEMORY: fn(usize) -> usize = |length| (64 << 20) + 32 * length;

/// A model of one tensor, [2, 3] of f32.
pub fn model() -> ModelProto {
    ModelProto {
        ir_version: 10,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 18,
        }],
        graph: Some(GraphProto {
            initializer: vec![raw(DataType::Float, &[2, 3], 24)],
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub fn raw(data_type: DataType, dims: &[i64], bytes: usize) -> TensorProto {
    TensorProto {
        name: "weight".to_owned(),
        data_type: data_type as i32,
        dims: dims.to_vec(),
        raw_data: vec![1; bytes].into(),
        ..Default::default()
    }
}

fn with(change: impl FnOnce(&mut ModelProto)) -> Vec<u8> {
    let mut model = model();
    change(&mut model);
    encode(&model)
}

fn with_graph(change: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
    with(|model| change(model.graph.as_mut().unwrap()))
}

fn with_tensor(tensor: TensorProto) -> Vec<u8> {
    with_graph(|graph| graph.initializer = vec![tensor])
}

fn with_attribute(attribute: AttributeProto) -> Vec<u8> {
    with_graph(|graph| graph.node = vec![node(attribute)])
}

fn node(attribute: AttributeProto) -> NodeProto {
    NodeProto {
        op_type: "Constant".to_owned(),
        attribute: vec![attribute],
        ..Default::default()
    }
}

fn sparse(values: Option<TensorProto>, indices: Option<TensorProto>) -> SparseTensorProto {
    SparseTensorProto {
        values,
        indices,
        dims: vec![9],
    }
}

/// A field with content, on the wire: its number, its length, its content.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(content);
    field
}

pub fn structure() -> Vec<Case> {
    let whole = encode(&model());
    let cut = |length: usize| whole[..length].to_vec();
    let nested = |depth: usize| {
        let graph = (0..depth).fold(vec![], |graph, _| field(1, &field(5, &field(6, &graph))));
        field(7, &graph)
    };
    let types = (0..200).fold(vec![], |inner, _| field(4, &field(1, &inner)));
    let typed = field(7, &field(11, &field(2, &types)));
    let varint = |last: u8| [&[0x08][..], &[0xff; 9], &[last]].concat();
    vec![
        case("empty", b"", "Empty", "it is empty"),
        case("a PNG", b"\x89PNG\r\n\x1a\n", "Malformed", "no ONNX file"),
        case(
            "a zip archive",
            b"PK\x03\x04\x14\0\0\0",
            "Malformed",
            "no ONNX file",
        ),
        case(
            "text",
            b"<!DOCTYPE html><title>404</title>",
            "Malformed",
            "no ONNX file",
        ),
        case("zeros", vec![0; 64], "Malformed", "byte 0"),
        case("ones", vec![0xff; 64], "Malformed", "byte 0"),
        case("cut after the first key", cut(1), "Truncated", "byte 1"),
        case(
            "cut in a number",
            vec![0x08, 0x80],
            "Truncated",
            "cut short",
        ),
        case(
            "number of more than 64 bits",
            varint(0x80),
            "NotAField",
            "byte 1",
        ),
        case("without the graph", cut(2), "Missing", "`graph`"),
        case(
            "cut in a length",
            cut(whole.len() - 41),
            "Malformed",
            "cut short",
        ),
        case(
            "cut in the graph",
            cut(whole.len() - 30),
            "Truncated",
            "cut short",
        ),
        case(
            "a byte short",
            cut(whole.len() - 1),
            "Truncated",
            "cut short",
        ),
        case(
            "length beyond the file",
            [0x3a, 0x7f, 0x0a, 0x00],
            "Truncated",
            "127 bytes",
        ),
        case(
            "length of exabytes",
            [&[0x3a][..], &[0xff; 8], &[0x7f]].concat(),
            "Truncated",
            "cut short",
        ),
        case("field of number 0", [0x02, 0x00], "NotAField", "no field"),
        case("start of a group", [0x0b, 0x0c], "NotAField", "no field"),
        case("end of a group", [0x0c], "NotAField", "no field"),
        case("unknown wire type", [0x0f, 0x00], "NotAField", "no field"),
        case("number cut short", [0x0d, 1, 2], "Truncated", "4 bytes"),
        case(
            "long number cut short",
            [0x09, 1, 2, 3, 4, 5],
            "Truncated",
            "8 bytes",
        ),
        case("graph that is a number", [0x38, 0x01], "Decode", "damaged"),
        case(
            "version that is a text",
            [0x0a, 0x01, b'x'],
            "Decode",
            "damaged",
        ),
        case(
            "name that is no UTF-8",
            [0x12, 0x02, 0xff, 0xfe],
            "Decode",
            "damaged",
        ),
        case(
            "graphs within graphs",
            nested(60),
            "TooDeep",
            "nested more than 100",
        ),
        case(
            "types within types",
            typed,
            "TooDeep",
            "nested more than 100",
        ),
        case(
            "two graphs",
            changed(&whole, |f| f.extend(field(7, b""))),
            "Twice",
            "`graph`: it is there twice",
        ),
        case(
            "four million entries and one",
            changed(&whole, |f| f.extend(field(14, b"").repeat((1 << 22) + 1))),
            "TooManyMessages",
            "metadata_props",
        ),
        case(
            "a million attributes",
            field(7, &field(1, &field(5, &[]).repeat(1 << 20))),
            "TooManyMessages",
            "graph.node.attribute",
        ),
        case(
            "a million nodes",
            field(7, &field(1, &[]).repeat(1 << 20)),
            "TooManyMessages",
            "graph.node",
        ),
        case(
            "a million tensors",
            field(7, &field(5, &[]).repeat(1 << 20)),
            "TooManyMessages",
            "graph.initializer",
        ),
        case(
            "with bytes behind it",
            changed(&whole, |f| f.push(0x3a)),
            "Truncated",
            "cut short",
        ),
        case(
            "no version",
            with(|m| m.ir_version = 0),
            "Missing",
            "ir_version",
        ),
        case(
            "negative version",
            with(|m| m.ir_version = -1),
            "Missing",
            "ir_version",
        ),
        case("no graph", with(|m| m.graph = None), "Missing", "`graph`"),
        case(
            "no operators",
            with(|m| m.opset_import.clear()),
            "Missing",
            "opset_import",
        ),
        case(
            "operators of version 0",
            with(|m| m.opset_import[0].version = 0),
            "Missing",
            "opset_import",
        ),
        case(
            "operators of a negative version",
            with(|m| m.opset_import[0].version = i64::MIN),
            "Missing",
            "opset_import",
        ),
    ]
}

pub fn tensors() -> Vec<Case> {
    use DataType as T;
    let typed = |data_type: T, dims: &[i64], fill: fn(&mut TensorProto)| {
        let mut tensor = raw(data_type, dims, 0);
        fill(&mut tensor);
        with_tensor(tensor)
    };
    let of_type = |number: i32| {
        let mut tensor = raw(T::Float, &[1], 4);
        tensor.data_type = number;
        with_tensor(tensor)
    };
    let bad = || Some(raw(T::Float, &[2], 4));
    let good = || Some(raw(T::Float, &[2], 8));
    let attribute = |fill: fn(&mut AttributeProto, TensorProto)| {
        let mut attribute = AttributeProto {
            name: "value".to_owned(),
            ..Default::default()
        };
        fill(&mut attribute, raw(T::Float, &[2], 4));
        attribute
    };
    let tensor_attribute = attribute(|attribute, tensor| attribute.t = Some(tensor));
    let graph = GraphProto {
        node: vec![node(tensor_attribute.clone())],
        ..Default::default()
    };
    let mut cases = vec![
        case(
            "a float short",
            with_tensor(raw(T::Float, &[2, 3], 20)),
            "WrongSize",
            "needs 24",
        ),
        case(
            "a byte more",
            with_tensor(raw(T::Float, &[2, 3], 25)),
            "WrongSize",
            "has 25 bytes",
        ),
        case(
            "no values",
            with_tensor(raw(T::Float, &[2, 3], 0)),
            "WrongSize",
            "needs 6",
        ),
        case(
            "values of none",
            with_tensor(raw(T::Float, &[0, 3], 4)),
            "WrongSize",
            "needs 0",
        ),
        case(
            "a scalar of two",
            with_tensor(raw(T::Float, &[], 8)),
            "WrongSize",
            "needs 4",
        ),
        case(
            "half a double",
            with_tensor(raw(T::Double, &[1], 4)),
            "WrongSize",
            "needs 8",
        ),
        case(
            "odd half floats",
            with_tensor(raw(T::Float16, &[3], 5)),
            "WrongSize",
            "needs 6",
        ),
        case(
            "4-bit numbers",
            with_tensor(raw(T::Int4, &[3], 3)),
            "WrongSize",
            "needs 2",
        ),
        case(
            "2-bit numbers",
            with_tensor(raw(T::Uint2, &[5], 1)),
            "WrongSize",
            "needs 2",
        ),
        case(
            "6-bit floats",
            with_tensor(raw(T::Float6e2m3, &[5], 5)),
            "WrongSize",
            "needs 4",
        ),
        case(
            "complex numbers",
            with_tensor(raw(T::Complex64, &[1], 4)),
            "WrongSize",
            "needs 8",
        ),
        case(
            "terabytes",
            with_tensor(raw(T::Float, &[1 << 20, 1 << 20], 4)),
            "WrongSize",
            "needs",
        ),
        case(
            "negative dimension",
            with_tensor(raw(T::Float, &[2, -3], 24)),
            "NegativeDimension",
            "[2, -3]",
        ),
        case(
            "most negative dimension",
            with_tensor(raw(T::Float, &[i64::MIN], 24)),
            "NegativeDimension",
            "negative",
        ),
        case(
            "elements over 64 bits",
            with_tensor(raw(T::Float, &[i64::MAX, 4], 24)),
            "ShapeOverflow",
            "more elements",
        ),
        case(
            "bytes over 64 bits",
            with_tensor(raw(T::Float, &[1 << 62], 24)),
            "ShapeOverflow",
            "more elements",
        ),
        case(
            "dimensions that wrap to 6",
            with_tensor(raw(T::Float, &[1 << 32, 1 << 32, 6], 24)),
            "ShapeOverflow",
            "more elements",
        ),
        case("type 0", of_type(0), "UnknownType", "type 0"),
        case("type 99", of_type(99), "UnknownType", "type 99"),
        case("negative type", of_type(-1), "UnknownType", "type -1"),
        case(
            "floats among integers",
            typed(T::Float, &[1], |t| t.int64_data = vec![1]),
            "WrongField",
            "`int64_data`",
        ),
        case(
            "integers among floats",
            typed(T::Int64, &[1], |t| t.float_data = vec![1.0]),
            "WrongField",
            "`float_data`",
        ),
        case(
            "values in two fields",
            typed(T::Float, &[1], |t| {
                t.float_data = vec![1.0];
                t.double_data = vec![1.0];
            }),
            "WrongField",
            "`float_data` and `double_data`",
        ),
        case(
            "texts as bytes",
            with_tensor(raw(T::String, &[1], 1)),
            "WrongField",
            "`string_data`",
        ),
        case(
            "a text short",
            typed(T::String, &[2], |t| t.string_data = vec!["a".into()]),
            "WrongSize",
            "1 values",
        ),
        case(
            "half a complex number",
            typed(T::Complex128, &[1], |t| t.double_data = vec![1.0]),
            "WrongSize",
            "needs 2",
        ),
        case(
            "packed numbers unpacked",
            typed(T::Uint4, &[4], |t| t.int32_data = vec![1; 4]),
            "WrongSize",
            "needs 2",
        ),
        case(
            "values elsewhere",
            typed(T::Float, &[1], |t| t.data_location = 1),
            "External",
            "another file",
        ),
        case(
            "values elsewhere under an unknown location",
            typed(T::Float, &[1], |t| {
                t.raw_data = vec![0; 4].into();
                t.data_location = 7;
            }),
            "External",
            "another file",
        ),
        case(
            "sparse tensor that would fill the memory",
            with_graph(|g| {
                let mut tensor = sparse(good(), good());
                tensor.dims = vec![1 << 20, 1 << 20];
                g.sparse_initializer = vec![tensor];
            }),
            "TooDense",
            "more memory",
        ),
        case(
            "sparse tensor without values",
            with_graph(|g| g.sparse_initializer = vec![sparse(None, good())]),
            "IncompleteSparse",
            "`values`",
        ),
        case(
            "sparse tensor without indices",
            with_graph(|g| g.sparse_initializer = vec![sparse(good(), None)]),
            "IncompleteSparse",
            "`indices`",
        ),
        case(
            "sparse tensor with bad indices",
            with_graph(|g| g.sparse_initializer = vec![sparse(good(), bad())]),
            "WrongSize",
            "sparse initializer",
        ),
        case(
            "sparse tensor of a negative shape",
            with_graph(|g| {
                let mut tensor = sparse(good(), good());
                tensor.dims = vec![-9];
                g.sparse_initializer = vec![tensor];
            }),
            "NegativeDimension",
            "[-9]",
        ),
    ];
    for (name, attribute) in [
        ("tensor", tensor_attribute),
        (
            "list of tensors",
            attribute(|a, tensor| a.tensors = vec![tensor]),
        ),
        (
            "sparse tensor",
            attribute(|a, tensor| a.sparse_tensor = Some(sparse(Some(tensor), None))),
        ),
        (
            "list of sparse tensors",
            attribute(|a, tensor| a.sparse_tensors = vec![sparse(Some(tensor), None)]),
        ),
        (
            "subgraph",
            AttributeProto {
                g: Some(graph.clone()),
                ..Default::default()
            },
        ),
        (
            "list of subgraphs",
            AttributeProto {
                graphs: vec![graph.clone()],
                ..Default::default()
            },
        ),
    ] {
        let name = format!("bad {name} in an attribute");
        cases.push(case(
            name,
            with_attribute(attribute),
            "WrongSize",
            "node 0 (Constant",
        ));
    }
    let function = FunctionProto {
        name: "f".to_owned(),
        node: graph.node.clone(),
        ..Default::default()
    };
    let default = FunctionProto {
        attribute_proto: graph.node[0].attribute.clone(),
        ..Default::default()
    };
    let training = TrainingInfoProto {
        algorithm: Some(graph.clone()),
        ..Default::default()
    };
    cases.extend([
        case(
            "bad tensor in a function",
            with(|m| m.functions = vec![function]),
            "WrongSize",
            "function `f`",
        ),
        case(
            "bad tensor in a function's default",
            with(|m| m.functions = vec![default]),
            "WrongSize",
            "attribute `value`",
        ),
        case(
            "bad tensor in training",
            with(|m| m.training_info = vec![training]),
            "WrongSize",
            "training graph",
        ),
    ]);
    cases
}

#[test]
fn messages() {
    let folder = tempfile::tempdir().unwrap();
    format(folder.path()).refuses(&encode(&model()), structure, read);
}

#[test]
fn tensors_of_models() {
    let folder = tempfile::tempdir().unwrap();
    format(folder.path()).refuses(&encode(&model()), tensors, read);
}

/// Models with a list of so many elements, each of a few bytes.
fn lists(count: usize) -> Vec<(&'static str, Vec<u8>)> {
    let in_model = |content: Vec<u8>| changed(&encode(&model()), |file| file.extend(content));
    let in_graph = |content: Vec<u8>| {
        let graph = field(7, &content);
        [&[8, 10][..], &field(8, &[0x10, 18]), &graph].concat()
    };
    let in_node = |content: Vec<u8>| in_graph(field(1, &content));
    let in_attribute = |content: Vec<u8>| in_node(field(5, &content));
    vec![
        ("entries", in_model(field(14, b"").repeat(count))),
        (
            "entries with a key",
            in_model(field(14, &field(1, b"k")).repeat(count)),
        ),
        ("nodes", in_graph(field(1, b"").repeat(count))),
        (
            "nodes with an attribute",
            in_graph(field(1, &field(5, b"")).repeat(count)),
        ),
        ("inputs", in_graph(field(11, b"").repeat(count))),
        ("names", in_node(field(1, b"").repeat(count))),
        ("letters", in_node(field(1, b"x").repeat(count))),
        ("attributes", in_node(field(5, b"").repeat(count))),
        ("texts", in_attribute(field(9, b"").repeat(count))),
        ("numbers", in_attribute([0x40, 1].repeat(count))),
        ("packed numbers", in_attribute(field(8, &vec![1; count]))),
    ]
}

/// A list that is full is moved to one that is twice as large, and both are there.
#[test]
fn lists_take_what_is_promised() {
    const SMALL: usize = 1 << 10;
    let _turn = case::turn();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for count in [SMALL, 1 << 20, (1 << 20) + 1, 1 << 22, (1 << 22) + 1] {
        for (name, file) in lists(count) {
            fs::write(&path, &file).unwrap();
            let (result, peak) = memory::peak(|| read(&path));
            assert!(count > SMALL || result.is_ok(), "{name}");
            let limit = MEMORY(file.len());
            assert!(peak <= limit, "{count} {name}: {peak}, more than {limit}");
        }
    }
}

fn format(folder: &std::path::Path) -> Format<'_> {
    Format {
        folder,
        file: "model.onnx",
        memory: MEMORY,
    }
}

/// What every model of Burnish says of itself.
const METADATA: [(&str, &str); 9] = [
    ("burnish.dataset", "mnist"),
    ("burnish.input", "[1,28,28]"),
    ("burnish.mean", "[0.1307]"),
    ("burnish.std", "[0.3081]"),
    ("burnish.classes", r#"["0","1"]"#),
    ("burnish.accuracy", "0.99"),
    (
        "burnish.sha256.weights",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    (
        "burnish.sha256.dataset",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    (
        "burnish.sha256.settings",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
];

fn described(entries: &[(&str, &str)]) -> Vec<u8> {
    with(|model| {
        let entries = entries.iter().map(|(key, value)| StringStringEntryProto {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        });
        model.metadata_props = entries.collect();
    })
}

pub fn metadata() -> Vec<Case> {
    let mut cases = vec![
        case("none", described(&[]), "Absent", "no metadata of Burnish"),
        case(
            "another's",
            described(&[("author", "x")]),
            "Absent",
            "no metadata of Burnish",
        ),
    ];
    for (index, (key, value)) in METADATA.into_iter().enumerate() {
        if index < 5 {
            let mut without = METADATA.to_vec();
            without.remove(index);
            cases.push(case(
                format!("without {key}"),
                described(&without),
                "Missing",
                key,
            ));
        }
        let twice = [METADATA.as_slice(), &[(key, value)]].concat();
        cases.push(case(
            format!("{key} twice"),
            described(&twice),
            "Duplicate",
            key,
        ));
    }
    for (key, value) in [
        ("burnish.input", "[1,28]"),
        ("burnish.input", "[1,28,28,1]"),
        ("burnish.input", "[1,-28,28]"),
        ("burnish.input", "[1,28,0]"),
        ("burnish.input", "[1,28,99999999999999999999]"),
        ("burnish.input", "28x28"),
        ("burnish.mean", "[0.1, 0.2]"),
        ("burnish.mean", "[NaN]"),
        ("burnish.mean", "[1e999]"),
        ("burnish.mean", "[\"0.1307\"]"),
        ("burnish.std", "[0]"),
        ("burnish.std", "[-0.3081]"),
        ("burnish.std", "[]"),
        ("burnish.classes", "[]"),
        ("burnish.classes", "[0, 1]"),
        ("burnish.classes", r#"["0","1""#),
        ("burnish.accuracy", "1.5"),
        ("burnish.accuracy", "-0.1"),
        ("burnish.accuracy", "NaN"),
        ("burnish.accuracy", "99%"),
        ("burnish.sha256.weights", "abc"),
        (
            "burnish.sha256.dataset",
            "zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        ("burnish.sha256.settings", ""),
    ] {
        let entries = METADATA.map(|entry| if entry.0 == key { (key, value) } else { entry });
        let name = format!("{key} is `{value}`");
        cases.push(case(name, described(&entries), "Malformed", key));
    }
    cases
}

#[test]
fn metadata_of_models() {
    let folder = tempfile::tempdir().unwrap();
    format(folder.path()).refuses(&described(&METADATA), metadata, |path| {
        ModelMetadata::of_model(&read(path).unwrap())
    });
}
