//! ONNX files whose tensors lie beside them.

use std::fs;
use std::path::Path;

use onnx::proto::tensor_proto::{DataLocation, DataType};
use onnx::proto::{StringStringEntryProto, TensorProto};
use onnx::{encode, read_with_external_data};

use crate::case::{Case, Format, case};
use crate::onnx_file::{MEMORY, model, raw};

/// Elements of the tensor, of a byte each.
const ELEMENTS: usize = 2000;
/// Bytes of the file beside the model.
const BESIDE: usize = 2500;

fn tensor(entries: &[(&str, &str)]) -> TensorProto {
    let entries = entries.iter().map(|(key, value)| StringStringEntryProto {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
    });
    TensorProto {
        data_location: DataLocation::External as i32,
        external_data: entries.collect(),
        ..raw(DataType::Uint8, &[ELEMENTS as i64], 0)
    }
}

fn of(tensors: Vec<TensorProto>) -> Vec<u8> {
    let mut model = model();
    model.graph.as_mut().unwrap().initializer = tensors;
    encode(&model)
}

fn at(entries: &[(&str, &str)]) -> Vec<u8> {
    of(vec![tensor(entries)])
}

/// Files, folders and links beside the model.
fn lay_out(folder: &Path, elsewhere: &Path) {
    fs::write(folder.join("data"), [7; BESIDE]).unwrap();
    fs::create_dir(folder.join("folder")).unwrap();
    fs::write(folder.join("folder/data"), [7; BESIDE]).unwrap();
    fs::write(elsewhere, [7; BESIDE]).unwrap();
    fs::hard_link(elsewhere, folder.join("hard link")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(elsewhere, folder.join("symbolic link")).unwrap();
        symlink(folder.join("data"), folder.join("link to a neighbour")).unwrap();
        symlink(folder.join("nowhere"), folder.join("dangling link")).unwrap();
        symlink(folder.join("loop"), folder.join("loop")).unwrap();
        symlink("/dev/zero", folder.join("device")).unwrap();
    }
}

pub fn cases(elsewhere: &Path) -> Vec<Case> {
    let elsewhere = elsewhere.to_str().unwrap();
    let mut cases = vec![
        case("no location", at(&[]), "Location", "beside the model"),
        case(
            "missing file",
            at(&[("location", "none")]),
            "File",
            "No such file",
        ),
        case(
            "dangling link",
            at(&[("location", "dangling link")]),
            "Link",
            "is a link",
        ),
    ];
    for (name, location) in [
        ("empty location", ""),
        ("the folder itself", "."),
        ("the folder above", ".."),
        ("file above", "../secret"),
        ("file far above", "../../../../etc/passwd"),
        ("file in a folder", "folder/data"),
        ("detour", "folder/../data"),
        ("path from here", "./data"),
        ("backslashes", "..\\secret"),
        ("drive", "C:data"),
        ("stream of a file", "data:stream"),
        ("address", "file:///etc/passwd"),
        ("NUL", "data\0.txt"),
        ("absolute path", elsewhere),
        ("system file", "/etc/passwd"),
    ] {
        cases.push(case(
            name,
            at(&[("location", location)]),
            "Location",
            "not the name of a file",
        ));
    }
    for name in [
        "folder",
        "hard link",
        "symbolic link",
        "link to a neighbour",
        "loop",
        "device",
    ] {
        cases.push(case(
            name,
            at(&[("location", name)]),
            "Link",
            "is a link or no regular file",
        ));
    }
    for (name, key, value, kind) in [
        ("negative offset", "offset", "-1", "Number"),
        ("offset in words", "offset", "ten", "Number"),
        (
            "offset over 64 bits",
            "offset",
            "18446744073709551616",
            "Number",
        ),
        ("hexadecimal length", "length", "0x7d0", "Number"),
        ("empty length", "length", "", "Number"),
        ("fewer bytes", "length", "1999", "Length"),
        ("more bytes", "length", "2001", "Length"),
        ("no bytes", "length", "0", "Length"),
        ("offset near the end", "offset", "501", "Range"),
        ("offset at the end", "offset", "2500", "Range"),
        ("offset beyond the end", "offset", "1000000", "Range"),
        (
            "offset that wraps",
            "offset",
            "18446744073709551615",
            "Range",
        ),
    ] {
        let entries = [("location", "data"), (key, value)];
        cases.push(case(
            name,
            at(&entries),
            kind,
            "its values are in another file",
        ));
    }
    let whole = || tensor(&[("location", "data")]);
    let typed = |data_type, dims: &[i64]| TensorProto {
        dims: dims.to_vec(),
        data_type,
        ..whole()
    };
    cases.extend([
        case(
            "one range for two tensors",
            of(vec![whole(), whole()]),
            "Range",
            "has left",
        ),
        case(
            "terabytes",
            of(vec![typed(2, &[1 << 40])]),
            "Range",
            "has left",
        ),
        case(
            "negative shape",
            of(vec![typed(2, &[-1])]),
            "NegativeDimension",
            "negative",
        ),
        case(
            "shape over 64 bits",
            of(vec![typed(1, &[1 << 62])]),
            "ShapeOverflow",
            "addressed",
        ),
        case(
            "unknown type",
            of(vec![typed(77, &[2000])]),
            "UnknownType",
            "type 77",
        ),
        case(
            "texts",
            of(vec![typed(8, &[2000])]),
            "ShapeOverflow",
            "addressed",
        ),
    ]);
    cases
}

#[test]
fn tensors_beside_models() {
    let [folder, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let elsewhere = other.path().join("secret");
    lay_out(folder.path(), &elsewhere);
    let format = Format {
        folder: folder.path(),
        file: "model.onnx",
        memory: MEMORY,
    };
    let seed = at(&[("location", "data"), ("offset", "500"), ("length", "2000")]);
    format.refuses(&seed, || cases(&elsewhere), read_with_external_data);
}
