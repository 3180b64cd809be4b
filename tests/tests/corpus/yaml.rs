//! pipeline.yaml, networks and the lock file.

use std::path::Path;

use models::ModelSpec;
use pipeline::config::{ConfigError, Document};
use pipeline::lock::Lock;
use pipeline::plan::plan;
use tests::{SMALL, whole};

use crate::case::{Case, Format, case, changed};

/// What aliases may repeat, and 256 bytes for each byte of the file, which has
/// 1 MiB at the most.
const MEMORY: fn(usize) -> usize = |length| (32 << 20) + 256 * length;

fn seed() -> String {
    whole(&SMALL)
}

/// The pipeline with `from` replaced by `to`.
fn with(from: &str, to: &str) -> String {
    assert!(seed().contains(from), "no `{from}`");
    seed().replacen(from, to, 1)
}

/// Lists of the list before, each so often.
fn bomb(levels: usize, times: usize) -> String {
    let mut text = "a0: &a0 [x, x]\n".to_owned();
    for level in 1..levels {
        let items = vec![format!("*a{}", level - 1); times].join(", ");
        text += &format!("a{level}: &a{level} [{items}]\n");
    }
    text
}

pub fn texts() -> Vec<Case> {
    let classes = "[zero, one, two, three, four, five, six, seven, eight, nine]";
    let long = "x".repeat(200_000);
    let repeated = format!("[&long {long}{}]", ", *long".repeat(40_000));
    let anchors = (0..60_000)
        .map(|index| format!("&a{index} x, "))
        .collect::<String>();
    vec![
        case("empty", "", "Invalid", "pipeline.yaml"),
        case("comment alone", "# nothing\n", "Invalid", "pipeline.yaml"),
        case("blank", " \n\n", "Invalid", "pipeline.yaml"),
        case("a number", "42\n", "Invalid", "pipeline.yaml"),
        case("a list", "- output\n", "Invalid", "pipeline.yaml"),
        case("no UTF-8", [b'a', b':', b' ', 0xff, b'\n'], "File", "utf-8"),
        case(
            "UTF-16",
            changed(b"\xff\xfe", |f| {
                f.extend(seed().encode_utf16().flat_map(u16::to_le_bytes))
            }),
            "File",
            "utf-8",
        ),
        case(
            "NUL",
            with("epochs: 1", "epochs: \0"),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "over 1 MiB",
            seed() + &"#".repeat(1 << 20),
            "File",
            "1048576",
        ),
        case("tab", with("      epochs", "\tepochs"), "Invalid", "tab"),
        case(
            "indented less",
            with("      epochs", "   epochs"),
            "Invalid",
            ":18:4",
        ),
        case(
            "open quote",
            with("name: digits", "name: \"digits"),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "open list",
            with("nine]", "nine"),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "open map",
            with("{ train: fit }", "{ train: fit"),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "tag for a word",
            with("provider: cpu", "provider: !cpu"),
            "Invalid",
            "the tag `!cpu` has no meaning here",
        ),
        case(
            "tag before settings",
            with("{ model: onnx }", "!verify { model: onnx }"),
            "Invalid",
            "!verify",
        ),
        case(
            "two documents",
            seed() + "---\n" + &seed(),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "unknown alias",
            with("epochs: 1", "epochs: *one"),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "alias of itself",
            with(classes, "&a [*a]"),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "bomb of tens",
            bomb(9, 10) + &seed(),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "bomb of twos",
            bomb(40, 2) + &seed(),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "bomb of a long text",
            with(classes, &repeated),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "anchors without end",
            with(classes, &format!("[{anchors}]")),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "lists within lists",
            with(classes, &"[".repeat(100_000)),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "maps within maps",
            with(classes, &"{a: ".repeat(50_000)),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "items without end",
            with(classes, &format!("[{}]", "x,".repeat(300_000))),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "documents without end",
            "---\n".repeat(200_000),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "unknown directive",
            format!("%FOO bar\n{}", seed()),
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "key twice",
            with("output: runs", "output: runs\noutput: there"),
            "Invalid",
            "output",
        ),
        case(
            "stage twice",
            with("  proof:", "  fit:"),
            "Invalid",
            "second time",
        ),
        case(
            "unknown field",
            with("epochs: 1", "epoch: 1"),
            "Invalid",
            "there is no setting `epoch`",
        ),
        case(
            "unknown kind",
            with("    verify:", "    very:"),
            "Invalid",
            "`very`",
        ),
        case(
            "two kinds",
            with("    verify:", "    eval: { model: onnx }\n    verify:"),
            "Invalid",
            "pipeline.yaml",
        ),
        case("no stages", "output: runs\n", "Invalid", "stages"),
        case(
            "stages in a list",
            "output: runs\nstages: [digits]\n",
            "Invalid",
            "pipeline.yaml",
        ),
        case(
            "circle",
            with("{ train: fit }", "{ train: fit, after: [score] }"),
            "Invalid",
            "circle",
        ),
        case(
            "circle of one",
            with("[proof]", "[score]"),
            "Invalid",
            "circle",
        ),
        case(
            "no such stage",
            with("{ train: fit }", "{ train: fat }"),
            "Invalid",
            "no stage `fat`",
        ),
        case(
            "another kind",
            with("{ train: fit }", "{ train: digits }"),
            "Invalid",
            "kind `train`",
        ),
        case(
            "way out of the folder",
            seed().replace("proof", "../proof"),
            "Invalid",
            "cannot be the name",
        ),
        case(
            "absolute name",
            seed().replace("proof", "/proof"),
            "Invalid",
            "cannot be the name",
        ),
        case(
            "name of dots",
            seed().replace("proof", ".."),
            "Invalid",
            "cannot be the name",
        ),
        case(
            "name that is empty",
            seed()
                .replace("  proof:", "  \"\":")
                .replace("[proof]", "[\"\"]"),
            "Invalid",
            "cannot be the name",
        ),
        case(
            "no epochs",
            with("epochs: 1", "epochs: 0"),
            "Invalid",
            "at least 1",
        ),
        case(
            "negative epochs",
            with("epochs: 1", "epochs: -1"),
            "Invalid",
            ":18:15",
        ),
        case(
            "epochs over 64 bits",
            with("epochs: 1", "epochs: 99999999999999999999"),
            "Invalid",
            ":18:15",
        ),
        case(
            "half an epoch",
            with("epochs: 1", "epochs: 1.5"),
            "Invalid",
            ":18:15",
        ),
        case(
            "epochs in a list",
            with("epochs: 1", "epochs: [1]"),
            "Invalid",
            ":18:15",
        ),
        case(
            "no batch",
            with("batch_size: 32", "batch_size: 0"),
            "Invalid",
            ":19:19",
        ),
        case(
            "NaN",
            with("0.01", ".nan"),
            "Invalid",
            "not a positive number",
        ),
        case(
            "infinity",
            with("0.01", ".inf"),
            "Invalid",
            "not a positive number",
        ),
        case(
            "negative rate",
            with("0.01", "-0.01"),
            "Invalid",
            "not a positive number",
        ),
        case(
            "nothing held out",
            with("hold_out: 100", "hold_out: 0"),
            "Invalid",
            "at least 1",
        ),
        case(
            "unknown device",
            with("device: cpu", "device: gpu"),
            "Invalid",
            "`gpu`",
        ),
        case(
            "unknown operators",
            with("{ train: fit }", "{ train: fit, opset: 99 }"),
            "Invalid",
            "opset 99",
        ),
        case(
            "infinite tolerance",
            with("{ model: onnx }", "{ model: onnx, tolerance: .inf }"),
            "Invalid",
            "positive",
        ),
    ]
}

fn read(path: &Path) -> Result<(), ConfigError> {
    plan(&Document::read(path)?).map(|_| ())
}

#[test]
fn pipelines() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "pipeline.yaml",
        memory: MEMORY,
    };
    format.refuses(seed().as_bytes(), texts, read);
}

const NETWORK: &str = "layers:
  - conv2d: { channels: 4, kernel: 5 }
  - residual: { body: [relu] }
  - flatten
  - linear: 10
";

/// The network with `from` replaced by `to`.
fn network(from: &str, to: &str) -> String {
    assert!(NETWORK.contains(from), "no `{from}`");
    NETWORK.replacen(from, to, 1)
}

pub fn layers() -> Vec<Case> {
    let residuals = format!(
        "{}relu{}",
        "residual: { body: [".repeat(30),
        "] }".repeat(30)
    );
    vec![
        case("empty", "", "Invalid", "net.yaml"),
        case(
            "layers that are a text",
            "layers: relu\n",
            "Invalid",
            "net.yaml:1",
        ),
        case(
            "unknown layer",
            network("relu", "reluu"),
            "Invalid",
            "`reluu`",
        ),
        case(
            "unknown setting",
            network("kernel", "kernels"),
            "Invalid",
            "`kernels`",
        ),
        case(
            "setting twice",
            network("kernel: 5", "kernel: 5, kernel: 3"),
            "Invalid",
            "kernel",
        ),
        case(
            "no settings",
            network("linear: 10", "linear"),
            "Invalid",
            "needs settings",
        ),
        case(
            "no channels",
            network("channels: 4, ", ""),
            "Invalid",
            "channels",
        ),
        case(
            "negative channels",
            network("channels: 4", "channels: -4"),
            "Invalid",
            "net.yaml:2",
        ),
        case(
            "channels over 64 bits",
            network("channels: 4", "channels: 1e30"),
            "Invalid",
            "net.yaml:2",
        ),
        case(
            "half a kernel",
            network("kernel: 5", "kernel: 2.5"),
            "Invalid",
            "height and width",
        ),
        case(
            "kernel of three",
            network("kernel: 5", "kernel: [1, 2, 3]"),
            "Invalid",
            "height and width",
        ),
        case(
            "kernel of one",
            network("kernel: 5", "kernel: [1]"),
            "Invalid",
            "height and width",
        ),
        case(
            "negative features",
            network("linear: 10", "linear: -10"),
            "Invalid",
            "net.yaml:5",
        ),
        case(
            "two layers in one",
            network("- flatten", "- { flatten: , relu: }"),
            "Invalid",
            "net.yaml:4",
        ),
        case(
            "unknown padding",
            network("kernel: 5", "kernel: 5, padding: big"),
            "Invalid",
            "`same`",
        ),
        case(
            "blocks within blocks",
            network("relu", &residuals),
            "Invalid",
            "net.yaml",
        ),
        case(
            "layer of itself",
            "layers: &a [residual: { body: *a }]\n",
            "Invalid",
            "net.yaml",
        ),
        case(
            "probability that is no number",
            network("flatten", "dropout: .nan"),
            "Invalid",
            "a probability",
        ),
    ]
}

pub fn shapes() -> Vec<Case> {
    let conv = "conv2d: { channels: 4, kernel: 5 }";
    let of = |layer: &str| network(conv, layer);
    vec![
        case(
            "channels of none",
            of("conv2d: { channels: 0, kernel: 5 }"),
            "ShapeError",
            "at least 1",
        ),
        case(
            "kernel of none",
            of("conv2d: { channels: 4, kernel: 0 }"),
            "ShapeError",
            "at least 1",
        ),
        case(
            "stride of none",
            of("conv2d: { channels: 4, kernel: 5, stride: 0 }"),
            "ShapeError",
            "at least 1",
        ),
        case(
            "kernel beyond the image",
            of("conv2d: { channels: 4, kernel: 29 }"),
            "ShapeError",
            "29×29",
        ),
        case(
            "kernel of exabytes",
            of("conv2d: { channels: 4, kernel: 9223372036854775807 }"),
            "ShapeError",
            "layer 1",
        ),
        case(
            "channels of exabytes",
            of("conv2d: { channels: 18446744073709551615, kernel: 5 }"),
            "ShapeError",
            "more than the limit",
        ),
        case(
            "padding that overflows",
            of("conv2d: { channels: 4, kernel: 5, padding: 18446744073709551615 }"),
            "ShapeError",
            "layer 1",
        ),
        case(
            "padding of terapixels",
            of("conv2d: { channels: 4, kernel: 5, padding: 4000000 }"),
            "ShapeError",
            "limit",
        ),
        case(
            "features of none",
            network("linear: 10", "linear: 0"),
            "ShapeError",
            "at least 1",
        ),
        case(
            "features of exabytes",
            network("linear: 10", "linear: 9223372036854775807"),
            "ShapeError",
            "limit",
        ),
        case(
            "window beyond the map",
            of("max_pool: 29"),
            "ShapeError",
            "29×29",
        ),
        case(
            "window of none",
            of("max_pool: 0"),
            "ShapeError",
            "at least 1",
        ),
        case(
            "padding over half the window",
            of("max_pool: { kernel: 2, padding: 2 }"),
            "ShapeError",
            "padding",
        ),
        case(
            "infinite slope",
            of("leaky_relu: { slope: .inf }"),
            "ShapeError",
            "finite number",
        ),
        case(
            "probability of NaN",
            of("dropout: { probability: .nan }"),
            "ShapeError",
            "[0, 1)",
        ),
        case("probability of 1", of("dropout: 1"), "ShapeError", "[0, 1)"),
        case(
            "pool after a vector",
            network("- linear: 10", "- max_pool: 2"),
            "ShapeError",
            "vector",
        ),
        case(
            "body of another shape",
            network("[relu]", "[flatten]"),
            "ShapeError",
            "layer 2",
        ),
        case(
            "name twice",
            network(
                "linear: 10",
                "linear: { name: a, features: 9 }\n  - linear: { name: a, features: 9 }",
            ),
            "ShapeError",
            "used twice",
        ),
        case(
            "name with a dot",
            network("linear: 10", "linear: { name: a.b, features: 9 }"),
            "ShapeError",
            "dots",
        ),
        case(
            "more parameters than are trained",
            format!("layers:\n  - flatten\n{}", "  - linear: 20000\n".repeat(3)),
            "ShapeError",
            "parameters",
        ),
    ]
}

#[test]
fn networks() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "net.yaml",
        memory: MEMORY,
    };
    let parse = |path: &Path| Document::read(path)?.parse::<ModelSpec>();
    format.refuses(NETWORK.as_bytes(), layers, parse);
    format.refuses(NETWORK.as_bytes(), shapes, |path| {
        parse(path).unwrap().resolve([1, 28, 28])
    });
}

pub fn locks() -> Vec<Case> {
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let entry = |settings: &str, more: &str| {
        format!(
            "stages:\n  fit:\n    code: 0.1.0\n    settings: {settings}\n    inputs: {{}}\n    outputs: {{}}\n{more}"
        )
    };
    vec![
        case("a list", "- stages\n", "Invalid", "pipeline.lock"),
        case("no UTF-8", [0xfe, 0xff], "File", "utf-8"),
        case(
            "cut short",
            "stages:\n  fit: { code: 1",
            "Invalid",
            "pipeline.lock",
        ),
        case(
            "without settings",
            "stages:\n  fit: { code: 0.1.0 }\n",
            "Invalid",
            "settings",
        ),
        case(
            "no digest",
            entry("abc", ""),
            "Invalid",
            "64 hexadecimal digits",
        ),
        case(
            "digest too long",
            entry(&format!("{digest}00"), ""),
            "Invalid",
            "64 hexadecimal digits",
        ),
        case(
            "stage twice",
            entry(digest, &entry(digest, "")[8..]),
            "Invalid",
            "fit",
        ),
        case(
            "unknown field",
            entry(digest, "    when: now\n"),
            "Invalid",
            "when",
        ),
        case(
            "conflict of a merge",
            format!("<<<<<<< HEAD\n{}", entry(digest, "")),
            "Invalid",
            "pipeline.lock",
        ),
        case("bomb", bomb(12, 9), "Invalid", "pipeline.lock"),
        case("over 1 MiB", "#".repeat((1 << 20) + 1), "File", "1048576"),
    ]
}

#[test]
fn lock_files() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        folder: folder.path(),
        file: "pipeline.lock",
        memory: MEMORY,
    };
    format.refuses(b"stages: {}\n", locks, Lock::read);
}
