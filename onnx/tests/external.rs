//! Tensors in a file beside their model.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use onnx::proto::tensor_proto::{DataLocation, DataType};
use onnx::proto::{
    GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
};
use onnx::{Error, ExternalProblem, Invalid, InvalidTensor};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// All files, sorted.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

fn tensor(name: &str, elements: usize, first: u8) -> TensorProto {
    let bytes: Vec<u8> = (0..elements)
        .map(|at| first.wrapping_add(at as u8))
        .collect();
    TensorProto {
        name: name.to_owned(),
        data_type: DataType::Uint8 as i32,
        dims: vec![elements as i64],
        raw_data: bytes.into(),
        ..Default::default()
    }
}

fn model(initializer: Vec<TensorProto>) -> ModelProto {
    ModelProto {
        ir_version: 10,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 18,
        }],
        graph: Some(GraphProto {
            initializer,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn large() -> ModelProto {
    model(vec![
        tensor("first", 5000, 1),
        tensor("small", 10, 2),
        tensor("second", 3000, 3),
    ])
}

#[test]
fn a_pair_is_read_as_it_was_written() {
    let folder = Folder::new();
    let path = folder.path("model.onnx");
    onnx::write_external(&path, &large()).unwrap();
    let names = folder.names();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[1].starts_with("model.onnx.") && names[1].ends_with(".data"));
    assert_eq!(onnx::read_with_external_data(&path).unwrap(), large());
    let Error::Invalid { source, .. } = onnx::read(&path).unwrap_err() else {
        panic!("another error");
    };
    assert!(matches!(
        source,
        Invalid::Tensor {
            reason: InvalidTensor::External,
            ..
        }
    ));
}

#[test]
fn larger_tensors_lie_at_pages_and_small_ones_in_the_model() {
    let folder = Folder::new();
    let path = folder.path("model.onnx");
    onnx::write_external(&path, &large()).unwrap();
    let data = fs::read(folder.path(&folder.names()[1])).unwrap();
    assert_eq!(data.len(), 8192 + 3000);
    assert_eq!((data[0], data[8192]), (1, 3));
    assert!(fs::metadata(&path).unwrap().len() < 1000);
}

#[test]
fn a_new_model_takes_the_place_of_both_files() {
    let folder = Folder::new();
    let path = folder.path("model.onnx");
    fs::write(folder.path("model.onnx.notes.data"), "another's").unwrap();
    onnx::write_external(&path, &model(vec![tensor("old", 5000, 1)])).unwrap();
    onnx::write_external(&path, &large()).unwrap();
    assert_eq!(folder.names().len(), 3);
    assert_eq!(onnx::read_with_external_data(&path).unwrap(), large());
    onnx::write(&path, &large()).unwrap();
    assert_eq!(folder.names(), ["model.onnx", "model.onnx.notes.data"]);
    assert_eq!(onnx::read(&path).unwrap(), large());
}

#[test]
fn nothing_is_left_where_the_model_cannot_be_written() {
    let folder = Folder::new();
    let path = folder.path("model.onnx");
    fs::create_dir(&path).unwrap();
    onnx::write_external(&path, &large()).unwrap_err();
    assert_eq!(folder.names(), ["model.onnx"]);
}

/// Reads a model whose only tensor, of 2000 bytes, says that it is elsewhere.
fn read_from(folder: &Folder, entries: &[(&str, &str)]) -> Result<ModelProto, Error> {
    let mut outside = tensor("weight", 2000, 0);
    outside.raw_data.clear();
    outside.data_location = DataLocation::External as i32;
    let entries = entries.iter().map(|(key, value)| StringStringEntryProto {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
    });
    outside.external_data = entries.collect();
    let path = folder.path("model.onnx");
    onnx::write(&path, &model(vec![outside])).unwrap();
    onnx::read_with_external_data(&path)
}

fn problem(folder: &Folder, entries: &[(&str, &str)]) -> ExternalProblem {
    match read_from(folder, entries) {
        Err(Error::Invalid {
            source:
                Invalid::Tensor {
                    reason: InvalidTensor::Outside(problem),
                    ..
                },
            ..
        }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn paths_out_of_the_folder_are_refused() {
    let folder = Folder::new();
    fs::create_dir(folder.path("sub")).unwrap();
    fs::write(folder.path("sub/data"), [0; 2000]).unwrap();
    let absolute = folder.path("sub/data");
    for location in [
        "",
        ".",
        "..",
        "../data",
        "sub/data",
        "sub\\data",
        "C:data",
        absolute.to_str().unwrap(),
    ] {
        assert_eq!(
            problem(&folder, &[("location", location)]),
            ExternalProblem::Location(location.to_owned())
        );
    }
}

#[cfg(unix)]
#[test]
fn links_are_refused() {
    let folder = Folder::new();
    let elsewhere = Folder::new();
    fs::write(elsewhere.path("secret"), [0; 2000]).unwrap();
    std::os::unix::fs::symlink(elsewhere.path("secret"), folder.path("soft")).unwrap();
    fs::hard_link(elsewhere.path("secret"), folder.path("hard")).unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    for name in ["soft", "hard", "folder"] {
        let expected = ExternalProblem::Link(name.to_owned());
        assert_eq!(problem(&folder, &[("location", name)]), expected);
    }
}

#[test]
fn ranges_that_the_file_does_not_have_are_refused() {
    let folder = Folder::new();
    fs::write(folder.path("data"), [7; 2500]).unwrap();
    let at = |offset: &str, length: &str| {
        problem(
            &folder,
            &[("location", "data"), ("offset", offset), ("length", length)],
        )
    };
    let beyond = |offset: u64| ExternalProblem::Range {
        offset,
        length: 2000,
        size: 2500,
    };
    assert_eq!(at("600", "2000"), beyond(600));
    assert_eq!(at("18446744073709551615", "2000"), beyond(u64::MAX));
    let (length, needed) = (1999, 2000);
    assert_eq!(at("0", "1999"), ExternalProblem::Length { length, needed });
    assert!(matches!(
        at("-1", "2000"),
        ExternalProblem::Number { key: "offset", .. }
    ));
    let read = read_from(&folder, &[("location", "data"), ("offset", "500")]);
    assert_eq!(
        read.unwrap().graph.unwrap().initializer[0].raw_data,
        [7; 2000][..]
    );
}

#[test]
fn tensors_that_take_more_than_the_files_are_refused() {
    let folder = Folder::new();
    let outside = |name: &str| {
        fs::write(folder.path(name), [7; 2500]).unwrap();
        let mut outside = tensor("weight", 2000, 0);
        outside.raw_data.clear();
        outside.data_location = DataLocation::External as i32;
        outside.external_data = vec![StringStringEntryProto {
            key: "location".to_owned(),
            value: name.to_owned(),
        }];
        outside
    };
    let path = folder.path("model.onnx");
    for files in [&["a", "a"][..], &["a", "b", "a"]] {
        let tensors = files.iter().copied().map(outside).collect();
        onnx::write(&path, &model(tensors)).unwrap();
        let error = onnx::read_with_external_data(&path).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("has left"), "{source}");
    }
}
