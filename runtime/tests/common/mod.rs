//! What several tests need: models made by hand, and ONNX Runtime.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use assert_cmd::Command;
use dataset::{Images, Normalization, Part, Split, load_split};
use onnx::proto::attribute_proto::AttributeType;
use onnx::proto::tensor_proto::DataType;
use onnx::proto::tensor_shape_proto::{Dimension, dimension};
use onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use runtime::{Library, ModelMetadata, Sources, library};
use tempfile::TempDir;

/// The program, with a cache of the tests' own and none of the user's settings.
pub fn runtime() -> Command {
    let mut command = Command::cargo_bin("runtime").unwrap();
    command
        .env(
            "BURNISH_CACHE",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
        )
        .env_remove("ORT_DYLIB_PATH");
    command
}

/// ONNX Runtime's path, as the program finds or fetches it.
pub fn library_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let output = runtime().args(["setup", "--json"]).assert().success();
        let ready: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        ready["library"].as_str().unwrap().into()
    })
}

/// Files of one test.
pub struct Files(TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn model(&self, model: &ModelProto) -> PathBuf {
        let path = self.path("model.onnx");
        onnx::write(&path, model).unwrap();
        path
    }

    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }
}

pub fn load_library() -> Library {
    library::load(Some(library_path())).unwrap()
}

/// Some real images of MNIST.
pub fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dataset/fixtures/mnist")
}

pub fn mnist(part: Part) -> Split {
    load_split(&fixture(), part, 10).unwrap()
}

/// Tiny images: [n, 1, 1, 2].
pub fn pairs(pixels: Vec<u8>, labels: Vec<u8>) -> Split {
    let shape = [labels.len(), 1, 1, 2];
    Split::new(Images::new(pixels, shape).unwrap(), labels).unwrap()
}

pub fn metadata(dataset: &str, input: [usize; 3], classes: &[&str]) -> ModelMetadata {
    ModelMetadata {
        dataset: dataset.to_owned(),
        input,
        normalization: Normalization::unit(input[0]),
        classes: classes.iter().map(ToString::to_string).collect(),
        pictures: None,
        accuracy: None,
        sources: Sources::default(),
    }
}

/// A linear classifier: logits = flatten(image) · weights + bias, with weights
/// [pixels, classes], row-major. A batch of none is of any size.
pub fn linear(batch: Option<i64>, image: [i64; 3], weights: &[f32], bias: &[f32]) -> ModelProto {
    let classes = bias.len() as i64;
    let pixels = image.iter().product();
    let batch = match batch {
        Some(size) => dimension::Value::DimValue(size),
        None => dimension::Value::DimParam("batch".to_owned()),
    };
    let fixed = |dims: &[i64]| -> Vec<_> {
        let sizes = dims.iter().map(|&size| dimension::Value::DimValue(size));
        [batch.clone()].into_iter().chain(sizes).collect()
    };
    model(GraphProto {
        name: "linear".to_owned(),
        node: vec![
            node("Flatten", &["image"], "pixels"),
            node("Gemm", &["pixels", "weight", "bias"], "logits"),
        ],
        initializer: vec![
            floats("weight", &[pixels, classes], weights),
            floats("bias", &[classes], bias),
        ],
        input: vec![value("image", fixed(&image))],
        output: vec![value("logits", fixed(&[classes]))],
        ..Default::default()
    })
}

pub fn model(graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 18,
        }],
        producer_name: "test".to_owned(),
        graph: Some(graph),
        ..Default::default()
    }
}

pub fn with_metadata(mut model: ModelProto, metadata: &ModelMetadata) -> ModelProto {
    let entry = |(key, value)| StringStringEntryProto { key, value };
    model.metadata_props = metadata.to_props().into_iter().map(entry).collect();
    model
}

pub fn node(op_type: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: op_type.to_owned(),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.to_owned()],
        ..Default::default()
    }
}

pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Int as i32,
        i: value,
        ..Default::default()
    }
}

pub fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints: ints.to_vec(),
        ..Default::default()
    }
}

pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    TensorProto {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        raw_data: bytes.into(),
        ..Default::default()
    }
}

pub fn value(name: &str, dims: Vec<dimension::Value>) -> ValueInfoProto {
    let dim = |value| Dimension {
        value: Some(value),
        ..Default::default()
    };
    let shape = TensorShapeProto {
        dim: dims.into_iter().map(dim).collect(),
    };
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(shape),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}
