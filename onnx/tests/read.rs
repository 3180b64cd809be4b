//! Reading files that nobody should trust.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use onnx::proto::attribute_proto::AttributeType;
use onnx::proto::tensor_proto::{DataLocation, DataType};
use onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, SparseTensorProto,
    StringStringEntryProto, TensorProto,
};
use onnx::{Error, Invalid, InvalidTensor, decode, encode, read, write};
use proptest::prelude::*;

fn model(initializer: TensorProto) -> ModelProto {
    ModelProto {
        ir_version: 10,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 18,
        }],
        graph: Some(GraphProto {
            initializer: vec![initializer],
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn tensor(data_type: DataType, dims: &[i64]) -> TensorProto {
    TensorProto {
        name: "weight".to_owned(),
        data_type: data_type as i32,
        dims: dims.to_vec(),
        ..Default::default()
    }
}

fn raw(data_type: DataType, dims: &[i64], bytes: usize) -> TensorProto {
    TensorProto {
        raw_data: vec![0; bytes].into(),
        ..tensor(data_type, dims)
    }
}

fn invalid_tensor(tensor: TensorProto) -> InvalidTensor {
    match decode(&encode(&model(tensor))).unwrap_err() {
        Invalid::Tensor { place, reason } => {
            assert_eq!(place, "graph, initializer `weight`");
            reason
        }
        other => panic!("{other}"),
    }
}

struct File(tempfile::TempDir);

impl File {
    fn new(content: &[u8]) -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        fs::write(file.path(), content).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("model.onnx")
    }
}

#[test]
fn written_model_is_read_back() {
    let file = File::new(b"");
    let model = model(raw(DataType::Float, &[2, 3], 24));
    write(&file.path(), &model).unwrap();
    assert_eq!(read(&file.path()).unwrap(), model);
}

#[test]
fn empty_missing_and_foreign_files_are_told_apart() {
    let reason = |content: &[u8]| match read(&File::new(content).path()).unwrap_err() {
        Error::Invalid { source, .. } => source,
        Error::File(error) => panic!("{error}"),
    };
    assert!(matches!(reason(b""), Invalid::Empty));
    assert!(matches!(
        reason(b"\x89PNG\r\n\x1a\n"),
        Invalid::Malformed(_)
    ));
    let missing = read(&File::new(b"").path().with_file_name("none.onnx"));
    assert!(matches!(missing, Err(Error::File(_))));
    let folder = File::new(b"");
    assert!(matches!(read(folder.0.path()), Err(Error::File(_))));
}

#[test]
fn oversized_file_is_refused_before_it_is_read() {
    let file = File::new(b"");
    // A sparse file: 3 GiB that take no space.
    let handle = fs::OpenOptions::new()
        .write(true)
        .open(file.path())
        .unwrap();
    handle.set_len(3 << 30).unwrap();
    let Error::Invalid { source, .. } = read(&file.path()).unwrap_err() else {
        panic!("the file is there");
    };
    assert!(matches!(source, Invalid::TooLarge { bytes } if bytes == 3 << 30));
}

#[test]
fn every_truncation_is_refused() {
    let bytes = encode(&model(raw(DataType::Float, &[16], 64)));
    for length in 0..bytes.len() {
        // What is left when the last whole field is gone lacks that field.
        assert!(decode(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(decode(&bytes).is_ok());
}

#[test]
fn fields_that_every_model_has_are_required() {
    let whole = model(raw(DataType::Float, &[1], 4));
    let without = |change: fn(&mut ModelProto)| {
        let mut model = whole.clone();
        change(&mut model);
        match decode(&encode(&model)).unwrap_err() {
            Invalid::Missing { field } => field,
            other => panic!("{other}"),
        }
    };
    assert_eq!(without(|model| model.ir_version = 0), "ir_version");
    assert_eq!(without(|model| model.graph = None), "graph");
    assert_eq!(without(|model| model.opset_import.clear()), "opset_import");
    assert_eq!(
        without(|model| model.opset_import[0].version = 0),
        "opset_import"
    );
}

#[test]
fn tensor_with_more_or_fewer_bytes_than_its_shape_needs_is_refused() {
    for (data_type, dims, bytes) in [
        (DataType::Float, &[2, 3][..], 24),
        (DataType::Float, &[], 4),
        (DataType::Float, &[0, 5], 0),
        (DataType::Float16, &[3], 6),
        (DataType::Bool, &[3], 3),
        (DataType::Int64, &[2], 16),
        (DataType::Complex128, &[2], 32),
        (DataType::Uint4, &[3], 2),
        (DataType::Int2, &[5], 2),
        (DataType::Float6e2m3, &[5], 4),
    ] {
        let decoded = decode(&encode(&model(raw(data_type, dims, bytes))));
        assert!(decoded.is_ok(), "{data_type:?} {dims:?}");
        let longer = invalid_tensor(raw(data_type, dims, bytes + 1));
        assert!(
            matches!(longer, InvalidTensor::WrongSize { .. }),
            "{longer}"
        );
        if bytes > 0 {
            let shorter = invalid_tensor(raw(data_type, dims, bytes - 1));
            assert!(
                matches!(shorter, InvalidTensor::WrongSize { .. }),
                "{shorter}"
            );
        }
    }
}

#[test]
fn typed_fields_hold_as_many_values_as_the_shape_needs() {
    let mut pairs = tensor(DataType::Complex64, &[2]);
    pairs.float_data = vec![0.0; 4];
    let mut packed = tensor(DataType::Int4, &[3]);
    packed.int32_data = vec![0; 2];
    let mut texts = tensor(DataType::String, &[2]);
    texts.string_data = vec!["a".into(), "".into()];
    for tensor in [pairs, packed, texts] {
        assert!(
            decode(&encode(&model(tensor.clone()))).is_ok(),
            "{tensor:?}"
        );
    }
    let mut short = tensor(DataType::Uint32, &[3]);
    short.uint64_data = vec![0; 2];
    let expected = InvalidTensor::WrongSize {
        field: "uint64_data",
        unit: "values",
        found: 2,
        expected: 3,
        dims: vec![3],
    };
    assert_eq!(invalid_tensor(short), expected);
}

#[test]
fn values_in_the_wrong_field_are_refused() {
    let mut wrong = tensor(DataType::Float, &[1]);
    wrong.int64_data = vec![1];
    let mut both = raw(DataType::Float, &[1], 4);
    both.float_data = vec![1.0];
    for tensor in [wrong, both, raw(DataType::String, &[1], 1)] {
        let reason = invalid_tensor(tensor);
        assert!(
            matches!(reason, InvalidTensor::WrongField { .. }),
            "{reason}"
        );
    }
}

#[test]
fn impossible_shapes_and_types_are_refused() {
    let reason = invalid_tensor(raw(DataType::Float, &[2, -3], 24));
    assert!(matches!(reason, InvalidTensor::NegativeDimension(_)));
    for dims in [&[i64::MAX, 4][..], &[1 << 62, 2]] {
        let reason = invalid_tensor(raw(DataType::Float, dims, 8));
        assert!(matches!(reason, InvalidTensor::ShapeOverflow(_)));
    }
    for data_type in [0, 99, -1] {
        let mut unknown = raw(DataType::Float, &[1], 4);
        unknown.data_type = data_type;
        assert_eq!(
            invalid_tensor(unknown),
            InvalidTensor::UnknownType(data_type)
        );
    }
}

#[test]
fn external_data_is_refused() {
    let mut external = tensor(DataType::Float, &[1]);
    external.data_location = DataLocation::External as i32;
    assert_eq!(invalid_tensor(external), InvalidTensor::External);
}

/// Who knows no location 7 keeps the 1 before it, and opens the file.
#[test]
fn external_data_under_an_unknown_location_is_refused() {
    let mut hidden = raw(DataType::Float, &[1], 4);
    hidden.external_data = vec![StringStringEntryProto {
        key: "location".to_owned(),
        value: "/etc/passwd".to_owned(),
    }];
    assert_eq!(invalid_tensor(hidden.clone()), InvalidTensor::External);
    hidden.data_location = 7;
    assert_eq!(invalid_tensor(hidden.clone()), InvalidTensor::External);
    hidden.external_data.clear();
    assert_eq!(invalid_tensor(hidden), InvalidTensor::External);
}

/// Engines write the zeros out: a few bytes would fill the memory.
#[test]
fn sparse_tensors_of_no_proportion_to_the_file_are_refused() {
    let dense = |dims: &[i64]| {
        let constant = AttributeProto {
            name: "sparse_value".to_owned(),
            r#type: AttributeType::SparseTensor as i32,
            sparse_tensor: Some(SparseTensorProto {
                values: Some(raw(DataType::Float, &[1], 4)),
                indices: Some(raw(DataType::Int64, &[1], 8)),
                dims: dims.to_vec(),
            }),
            ..Default::default()
        };
        let node = NodeProto {
            attribute: vec![constant],
            ..Default::default()
        };
        let mut model = model(raw(DataType::Float, &[1], 4));
        model.graph.as_mut().unwrap().node = vec![node.clone(), node];
        decode(&encode(&model))
    };
    assert!(dense(&[8 << 20]).is_ok());
    for dims in [&[8 << 20, 2][..], &[1 << 14, 1 << 14], &[1 << 40]] {
        let error = dense(dims).unwrap_err();
        let reason = InvalidTensor::TooDense(dims.to_vec());
        assert!(matches!(error, Invalid::Tensor { reason: found, .. } if found == reason));
    }
}

/// Their places, if they were written down, would be 120 GB: this would take minutes.
#[test]
fn many_subgraphs_under_long_names_are_read() {
    let subgraph = AttributeProto {
        g: Some(GraphProto::default()),
        ..Default::default()
    };
    let node = NodeProto {
        name: "n".repeat(4 << 20),
        attribute: vec![subgraph; 30_000],
        ..Default::default()
    };
    let mut model = model(raw(DataType::Float, &[1], 4));
    model.graph.as_mut().unwrap().node = vec![node];
    assert!(decode(&encode(&model)).is_ok());
}

#[test]
fn tensors_in_attributes_and_subgraphs_are_checked_too() {
    let bad = || raw(DataType::Float, &[2], 4);
    let with = |attribute: AttributeProto| NodeProto {
        op_type: "Op".to_owned(),
        name: "outer".to_owned(),
        attribute: vec![attribute],
        ..Default::default()
    };
    let attribute = AttributeProto {
        name: "value".to_owned(),
        r#type: AttributeType::Tensor as i32,
        t: Some(bad()),
        ..Default::default()
    };
    let sparse = AttributeProto {
        name: "value".to_owned(),
        r#type: AttributeType::SparseTensor as i32,
        sparse_tensor: Some(SparseTensorProto {
            values: Some(bad()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let subgraph = AttributeProto {
        name: "value".to_owned(),
        r#type: AttributeType::Graph as i32,
        g: Some(GraphProto {
            node: vec![with(attribute.clone())],
            ..Default::default()
        }),
        ..Default::default()
    };
    for attribute in [attribute, sparse, subgraph] {
        let mut model = model(raw(DataType::Float, &[1], 4));
        model.graph.as_mut().unwrap().node.push(with(attribute));
        let error = decode(&encode(&model)).unwrap_err().to_string();
        assert!(
            error.starts_with("graph, node 0 (Op `outer`), attribute `value`"),
            "{error}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn any_damage_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = include_bytes!("fixtures/every-field.onnx").to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes);
    }
}
