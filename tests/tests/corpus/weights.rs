//! Weights: safetensors, and what `torch.save` writes.

use std::io::{Cursor, Write};
use std::path::Path;

use burn::tensor::Device;
use models::{ModelSpec, Network};
use serde_json::{Value, json};
use trainer::{Error, load_weights};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::case::{Case, Format, case, changed};

/// The file twice, and what a header of 1 MiB can stand for.
const SAFETENSORS: fn(usize) -> usize = |length| 2 * length + (256 << 20);

/// The file twice, and what a pickle of 1 MiB can stand for.
const PYTORCH: fn(usize) -> usize = |length| 2 * length + (384 << 20);

/// `fc1.weight` [3, 4] and `fc1.bias` [3].
fn network() -> Network {
    let spec: ModelSpec = serde_saphyr::from_str("layers: [flatten, linear: 3]").unwrap();
    spec.resolve([1, 2, 2]).unwrap().init(&Device::flex())
}

fn load(path: &Path) -> Result<Network, Error> {
    load_weights(network(), path)
}

fn header() -> Value {
    json!({
        "fc1.bias": { "dtype": "F32", "shape": [3], "data_offsets": [0, 12] },
        "fc1.weight": { "dtype": "F32", "shape": [3, 4], "data_offsets": [12, 60] },
    })
}

/// A header as text, behind its length and before 60 bytes of values.
fn file(header: &str) -> Vec<u8> {
    let length = header.len() as u64;
    [&length.to_le_bytes()[..], header.as_bytes(), &[0; 60]].concat()
}

fn seed() -> Vec<u8> {
    file(&header().to_string())
}

/// The seed, whose entry at `place` is `value`.
fn with(place: &str, value: Value) -> Vec<u8> {
    let mut header = header();
    *header.pointer_mut(place).unwrap() = value;
    file(&header.to_string())
}

pub fn safetensors() -> Vec<Case> {
    let whole = seed();
    let length = |length: u64| changed(&whole, |f| f[..8].copy_from_slice(&length.to_le_bytes()));
    let cut = |length: usize| whole[..length].to_vec();
    let twice = header().to_string().replace("fc1.weight", "fc1.bias");
    let more = |name: &str| {
        let mut header = header();
        header[name] = json!({ "dtype": "F32", "shape": [0], "data_offsets": [60, 60] });
        file(&header.to_string())
    };
    let none = json!({ "dtype": "U8", "shape": [], "data_offsets": [0, 1] });
    let thousands = (0..15_000).map(|index| (format!("a{index}"), none.clone()));
    let thousands = Value::Object(thousands.collect()).to_string();
    let without = |name: &str| {
        let mut header = header();
        header.as_object_mut().unwrap().remove(name);
        file(&header.to_string())
    };
    vec![
        case("empty", b"", "NotWeights", "no file of weights"),
        case("cut in the length", cut(7), "NotWeights", "header"),
        case("length alone", cut(8), "NotWeights", "header"),
        case("cut in the header", cut(40), "NotWeights", "header"),
        case(
            "without values",
            cut(whole.len() - 60),
            "NotWeights",
            "etadata",
        ),
        case(
            "a byte short",
            cut(whole.len() - 1),
            "NotWeights",
            "etadata",
        ),
        case(
            "a byte more",
            changed(&whole, |f| f.push(0)),
            "NotWeights",
            "etadata",
        ),
        case("header of no bytes", length(0), "NotWeights", "header"),
        case("header of a byte", length(1), "NotWeights", "header"),
        case(
            "header beyond the file",
            length(1 << 19),
            "NotWeights",
            "header",
        ),
        case(
            "header over 1 MiB",
            length(1 << 21),
            "NotWeights",
            "more than the 1048576",
        ),
        case(
            "header of exabytes",
            length(u64::MAX),
            "NotWeights",
            "more than the 1048576",
        ),
        case(
            "header that is no UTF-8",
            file("{\"\u{fe}\"").replace_byte(0xc3, 0xff),
            "NotWeights",
            "header",
        ),
        case("header that is a list", file("[]"), "NotWeights", "header"),
        case(
            "header that is a text",
            file("\"fc1.weight\""),
            "NotWeights",
            "header",
        ),
        case(
            "header cut short",
            file("{\"fc1.bias\": {"),
            "NotWeights",
            "header",
        ),
        case(
            "header of ten thousand tensors",
            file(&thousands),
            "NotWeights",
            "invalid offset",
        ),
        case(
            "deep header",
            file(&"[".repeat(100_000)),
            "NotWeights",
            "header",
        ),
        case("header of nothing", file("{}"), "NotWeights", "etadata"),
        case(
            "unknown type",
            with("/fc1.bias/dtype", json!("F31")),
            "NotWeights",
            "F31",
        ),
        case(
            "other type",
            with("/fc1.bias/dtype", json!("F64")),
            "NotWeights",
            "invalid shape, data type, or offset",
        ),
        case(
            "no type",
            with("/fc1.bias/dtype", json!(null)),
            "NotWeights",
            "header",
        ),
        case(
            "negative size",
            with("/fc1.bias/shape", json!([-3])),
            "NotWeights",
            "header",
        ),
        case(
            "size over 64 bits",
            with("/fc1.bias/shape", json!([1e30])),
            "NotWeights",
            "header",
        ),
        case(
            "sizes that overflow",
            with("/fc1.bias/shape", json!([u64::MAX, 3])),
            "NotWeights",
            "overflow",
        ),
        case(
            "larger shape",
            with("/fc1.bias/shape", json!([4])),
            "NotWeights",
            "invalid shape, data type, or offset",
        ),
        case(
            "shape of terabytes",
            with("/fc1.bias/shape", json!([1u64 << 40])),
            "NotWeights",
            "invalid shape, data type, or offset",
        ),
        case(
            "other shape",
            with("/fc1.weight/shape", json!([4, 3])),
            "OtherNetwork",
            "[4, 3]",
        ),
        case(
            "other rank",
            with("/fc1.weight/shape", json!([12])),
            "OtherNetwork",
            "[12]",
        ),
        case(
            "offsets backwards",
            with("/fc1.bias/data_offsets", json!([12, 0])),
            "NotWeights",
            "fc1",
        ),
        case(
            "offset beyond",
            with("/fc1.weight/data_offsets", json!([12, 61])),
            "NotWeights",
            "invalid shape, data type, or offset",
        ),
        case(
            "offsets that overlap",
            with("/fc1.weight/data_offsets", json!([11, 59])),
            "NotWeights",
            "fc1",
        ),
        case(
            "offsets with a gap",
            with("/fc1.weight/data_offsets", json!([13, 61])),
            "NotWeights",
            "fc1",
        ),
        case(
            "negative offset",
            with("/fc1.bias/data_offsets", json!([-1, 11])),
            "NotWeights",
            "header",
        ),
        case(
            "one offset",
            with("/fc1.bias/data_offsets", json!([12])),
            "NotWeights",
            "header",
        ),
        case("name twice", file(&twice), "NotWeights", "fc1"),
        case(
            "a tensor more",
            more("fc2.bias"),
            "OtherNetwork",
            "`fc2.bias`",
        ),
        case("a tensor less", without("fc1.bias"), "NotWeights", "fc1"),
        case("a pickle", pickle(&[&bias()]), "NotWeights", "header"),
    ]
}

/// For bytes that no text can hold.
trait ReplaceByte {
    fn replace_byte(self, from: u8, to: u8) -> Self;
}

impl ReplaceByte for Vec<u8> {
    fn replace_byte(mut self, from: u8, to: u8) -> Self {
        for byte in &mut self {
            if *byte == from {
                *byte = to;
            }
        }
        self
    }
}

#[test]
fn safetensors_files() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "w.safetensors",
        memory: SAFETENSORS,
    };
    format.refuses(&seed(), safetensors, load);
}

/// A tensor in a pickle: a view of a storage.
struct View<'a> {
    name: &'static str,
    class: &'static str,
    key: &'a str,
    numel: i32,
    offset: i32,
    shape: &'static [i32],
    stride: &'static [i32],
}

fn weight() -> View<'static> {
    View {
        name: "fc1.weight",
        class: "FloatStorage",
        key: "0",
        numel: 12,
        offset: 0,
        shape: &[3, 4],
        stride: &[4, 1],
    }
}

fn bias() -> View<'static> {
    View {
        name: "fc1.bias",
        key: "1",
        numel: 3,
        shape: &[3],
        stride: &[1],
        ..weight()
    }
}

fn text(text: &str) -> Vec<u8> {
    [
        &b"X"[..],
        &(text.len() as u32).to_le_bytes(),
        text.as_bytes(),
    ]
    .concat()
}

fn integer(number: i32) -> Vec<u8> {
    [&b"J"[..], &number.to_le_bytes()].concat()
}

fn tuple(items: &[i32]) -> Vec<u8> {
    let items: Vec<u8> = items.iter().flat_map(|&item| integer(item)).collect();
    [&b"("[..], &items, b"t"].concat()
}

/// A dictionary of these tensors, in protocol 2 (CPython, `pickletools.py`).
fn pickle(views: &[&View]) -> Vec<u8> {
    let views: Vec<u8> = views.iter().flat_map(|view| entry(view)).collect();
    [&b"\x80\x02}("[..], &views, b"u."].concat()
}

fn entry(view: &View) -> Vec<u8> {
    [text(view.name), tensor(view)].concat()
}

fn storage(view: &View) -> Vec<u8> {
    let class = format!("ctorch\n{}\n", view.class);
    [
        b"(",
        &text("storage")[..],
        class.as_bytes(),
        &text(view.key),
        &text("cpu"),
        &integer(view.numel),
        b"tQ",
    ]
    .concat()
}

fn tensor(view: &View) -> Vec<u8> {
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n(",
        &storage(view)[..],
        &integer(view.offset),
        &tuple(view.shape),
        &tuple(view.stride),
        b"\x89ccollections\nOrderedDict\n)RtR",
    ]
    .concat()
}

fn archive(files: &[(&str, &[u8])], compression: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(compression);
    for (name, content) in files {
        archive.start_file(format!("w/{name}"), options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Dictionaries in each other, and in the last a tuple of `value`, which is taken from the
/// memo again and again.
fn repeated(keys: &[&str], value: &[u8], times: usize) -> Vec<u8> {
    let path = keys.iter().map(|key| [b"}", &text(key)[..]].concat());
    let path: Vec<u8> = path.flatten().collect();
    let (again, set) = (b"h\x00".repeat(times), b"s".repeat(keys.len()));
    [
        b"\x80\x02",
        &path[..],
        b"(",
        value,
        b"q\x00",
        &again,
        b"t",
        &set,
        b".",
    ]
    .concat()
}

/// What PyTorch wrote before 1.6 of a description of the system and a pickle.
fn legacy(system: &[u8], pickle: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    let version = b"\x80\x02M\xe9\x03.";
    [&magic[..], version, system, pickle, b"\x80\x02]."].concat()
}

/// What `torch.save` writes of a pickle and two storages.
fn saved(pickle: &[u8]) -> Vec<u8> {
    let files = [
        ("data.pkl", pickle),
        ("byteorder", b"little"),
        ("data/0", &[0; 48]),
        ("data/1", &[0; 12]),
        ("version", b"3\n"),
    ];
    archive(&files, CompressionMethod::Stored)
}

pub fn pytorch() -> Vec<Case> {
    let stored = CompressionMethod::Stored;
    let whole = saved(&pickle(&[&weight(), &bias()]));
    let good = pickle(&[&weight(), &bias()]);
    let with = |view: View| saved(&pickle(&[&view, &bias()]));
    let code = |call: &[u8]| saved(&[&b"\x80\x02"[..], call, b"."].concat());
    let files = |files: &[(&str, &[u8])]| archive(files, stored);
    // Each line doubles what is there: get it from the memo twice, make a tuple.
    let bomb = [
        &b"\x80\x02]q\x00"[..],
        &b"h\x00h\x00\x86q\x00".repeat(40),
        b".",
    ]
    .concat();
    let nothings = [&b"("[..], &vec![b'N'; (1 << 20) - 100], b"l"].concat();
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    let mut disguised = [&tar[..], &files(&[])].concat();
    disguised[..2].copy_from_slice(b"PK");
    vec![
        case("empty", b"", "NotWeights", "no file of weights"),
        case(
            "text",
            b"<!DOCTYPE html>",
            "NotWeights",
            "not a PyTorch checkpoint",
        ),
        case(
            "a PNG",
            b"\x89PNG\r\n\x1a\n",
            "NotWeights",
            "not a PyTorch checkpoint",
        ),
        case(
            "safetensors",
            seed(),
            "NotWeights",
            "not a PyTorch checkpoint",
        ),
        case("a tar archive", tar, "NotWeights", "tar archive"),
        case(
            "a tar archive that ends as zip",
            disguised,
            "NotWeights",
            "tar archive",
        ),
        case(
            "archive of nothing",
            files(&[]),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "archive without its directory",
            &whole[..whole.len() / 2],
            "NotWeights",
            "no file of weights",
        ),
        case(
            "archive cut in its directory",
            &whole[..whole.len() - 30],
            "NotWeights",
            "no file of weights",
        ),
        case(
            "signature alone",
            b"PK\x03\x04",
            "NotWeights",
            "no file of weights",
        ),
        case(
            "without the pickle",
            files(&[("data/0", &[0; 48])]),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "compressed",
            archive(&[("data.pkl", &good)], CompressionMethod::Deflated),
            "NotWeights",
            "is compressed",
        ),
        case(
            "compressed bomb",
            archive(
                &[("data.pkl", &vec![b'N'; 1 << 24])],
                CompressionMethod::Deflated,
            ),
            "NotWeights",
            "is compressed",
        ),
        case(
            "pickle over 1 MiB",
            saved(&vec![b'N'; (1 << 20) + 1]),
            "NotWeights",
            "more than 1048576",
        ),
        case(
            "empty pickle",
            saved(b""),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "pickle cut in a name",
            saved(&good[..12]),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "pickle without its end",
            saved(&good[..good.len() - 1]),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "unknown opcode",
            code(b"\xff"),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "stack that is empty",
            code(b"R"),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "memo that is empty",
            code(b"h\x07"),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "text of gigabytes",
            code(b"X\xff\xff\xff\x7f"),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "bytes of exabytes",
            code(b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "list without end",
            code(&b"]".repeat(100_000)),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "lists within lists",
            code(&[&b"]".repeat(2000)[..], &b"a".repeat(1999)].concat()),
            "NotWeights",
            "nesting",
        ),
        case(
            "a million nothings",
            code(&nothings),
            "NotWeights",
            "no file of weights",
        ),
        case("memo bomb", saved(&bomb), "NotWeights", "copies and names"),
        case(
            "call of os.system",
            code(b"cos\nsystem\n(X\x0b\x00\x00\x00touch /tmp/xtR"),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "call of eval",
            code(b"cbuiltins\neval\n(X\x03\x00\x00\x001+1tR"),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "a number",
            code(b"K\x01"),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "no tensors",
            code(b"}"),
            "OtherNetwork",
            "`fc1.weight` [3, 4] is missing",
        ),
        case(
            "a tensor less",
            saved(&pickle(&[&bias()])),
            "OtherNetwork",
            "`fc1.weight` [3, 4] is missing",
        ),
        case(
            "a tensor more",
            saved(&pickle(&[
                &weight(),
                &bias(),
                &View {
                    name: "fc2.bias",
                    ..bias()
                },
            ])),
            "OtherNetwork",
            "`fc2.bias`",
        ),
        case(
            "other shape",
            with(View {
                shape: &[4, 3],
                stride: &[3, 1],
                ..weight()
            }),
            "OtherNetwork",
            "[4, 3]",
        ),
        case(
            "shape beyond the storage",
            with(View {
                shape: &[4, 4],
                ..weight()
            }),
            "NotWeights",
            "storage '0' declares 12",
        ),
        case(
            "stride beyond the storage",
            with(View {
                stride: &[5, 1],
                ..weight()
            }),
            "NotWeights",
            "storage '0' declares 12",
        ),
        case(
            "offset beyond the storage",
            with(View {
                offset: 1,
                ..weight()
            }),
            "NotWeights",
            "storage '0' declares 12",
        ),
        case(
            "negative offset",
            with(View {
                offset: -1,
                ..weight()
            }),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "negative size",
            with(View {
                shape: &[-3, 4],
                ..weight()
            }),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "negative stride",
            with(View {
                stride: &[-4, 1],
                ..weight()
            }),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "a number as gigabytes",
            with(View {
                shape: &[1 << 15, 1 << 13],
                stride: &[0, 0],
                ..weight()
            }),
            "NotWeights",
            "more tensors than",
        ),
        case(
            "sizes that overflow",
            with(View {
                shape: &[i32::MAX; 4],
                stride: &[0; 4],
                ..weight()
            }),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "storage that is not there",
            with(View {
                key: "7",
                ..weight()
            }),
            "NotWeights",
            "7",
        ),
        case(
            "storage above",
            with(View {
                key: "../../0",
                ..weight()
            }),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "unknown class",
            with(View {
                class: "MagicStorage",
                ..weight()
            }),
            "NotWeights",
            "MagicStorage",
        ),
        case(
            "two shapes",
            with(View {
                stride: &[1],
                ..weight()
            }),
            "NotWeights",
            "no file of weights",
        ),
        case(
            "storage cut short",
            files(&[
                ("data.pkl", &good),
                ("data/0", &[0; 47]),
                ("data/1", &[0; 12]),
            ]),
            "NotWeights",
            "fc1.weight",
        ),
    ]
}

/// Pickles of a megabyte at the most that stand for far more, and one that is larger.
fn bombs() -> Vec<Case> {
    let refused = |name: &str, content: Vec<u8>| case(name, content, "NotWeights", "67108864");
    let long = "k".repeat(500_000);
    let empty = tensor(&View {
        shape: &[0],
        ..bias()
    });
    let ranked = tensor(&View {
        shape: &[1; 40_000],
        stride: &[1; 40_000],
        ..bias()
    });
    let stored = storage(&View {
        key: &long,
        ..bias()
    });
    let nested = vec!["a key on the way to all of the tensors"; 900];
    let names = repeated(&[&long], &empty, 250_000);
    let ways = repeated(&nested, &empty, 250_000);
    let again = |value: &[u8]| saved(&repeated(&["w"], value, 250_000));
    let system = [b"\x80\x02}", &text("little_endian")[..], b"\x88s."].concat();
    let list = [b"\x80\x02(", &b"N".repeat(1 << 20)[..], b"l."].concat();
    vec![
        refused("names of a hundred gigabytes", saved(&names)),
        refused("names through nine hundred dictionaries", saved(&ways)),
        refused(
            "names of a hundred gigabytes, legacy",
            legacy(&system, &names),
        ),
        refused("names through dictionaries, legacy", legacy(&system, &ways)),
        refused(
            "keys of a hundred gigabytes",
            again(&[b"}", &text(&long)[..], b"Ns"].concat()),
        ),
        refused(
            "classes of a hundred gigabytes",
            again(&[b"c", long.as_bytes(), b"\nx\n"].concat()),
        ),
        refused("storages of a hundred gigabytes", again(&stored)),
        refused("shapes of a hundred gigabytes", again(&ranked)),
        case(
            "system of megabytes",
            legacy(&repeated(&["w"], &text(&long), 20), b"N."),
            "NotWeights",
            "more than 1048576",
        ),
        case(
            "pickle over 1 MiB, legacy",
            legacy(&system, &list),
            "NotWeights",
            "pickle has more than 1048576",
        ),
        case(
            "names of many parts",
            saved(&repeated(&[&"_".repeat(16_000)], &empty, 900)),
            "OtherNetwork",
            "`fc1.weight` [3, 4] is missing",
        ),
    ]
}

#[test]
fn pytorch_files() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "w.pth",
        memory: PYTORCH,
    };
    format.refuses(&saved(&pickle(&[&weight(), &bias()])), pytorch, load);
    format.refuses(&saved(&pickle(&[&weight(), &bias()])), bombs, load);
}
