//! End-to-end tests of the whole toolchain, and what they share: the two
//! programs, a few real images of MNIST, and folders to run a pipeline in.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

pub mod export;

/// 600 training and 200 test images of MNIST.
pub fn fixture() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dataset/fixtures/mnist");
    folder.canonicalize().unwrap()
}

/// After so long, a program hangs: it is killed, and its test fails.
const LONGEST: Duration = Duration::from_secs(600);

/// A program of the workspace, which stands two folders above the test's own
/// (`target/release/deps/errors-…`).
///
/// # Panics
///
/// When it is not there: cargo builds it for `cargo test --workspace`, but not
/// for the tests of this crate alone.
pub fn program(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "{} is not there: run `cargo build --workspace` with the profile of this test, or test \
         with `cargo test --workspace`",
        path.display()
    );
    let mut command = Command::new(path);
    command.timeout(LONGEST);
    // A cache of the tests' own, and none of the user's settings.
    command
        .env("BURNISH_CACHE", folder.join("../tmp/cache"))
        .env_remove("ORT_DYLIB_PATH");
    command
}

/// ONNX Runtime's library, as `runtime setup` finds or fetches it.
pub fn onnx_runtime() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let output = succeed(program("runtime").args(["setup", "--json"]));
        let ready: Value = serde_json::from_slice(&output.stdout).unwrap();
        ready["library"].as_str().unwrap().into()
    })
}

/// Runs a command that must succeed.
#[track_caller]
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// Runs a command that must fail as its user can mend it: exit code 1, nothing
/// on stdout, no panic, and each of `texts` on stderr, which is returned.
#[track_caller]
pub fn refuse(command: &mut Command, texts: &[&str]) -> String {
    let output = command.output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{message}");
    assert!(!message.contains("panicked"), "{message}");
    let errors = message.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "not one error:\n{message}");
    for text in texts {
        assert!(message.contains(text), "no `{text}` in:\n{message}");
    }
    message
}

/// What a command said to people.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a command said to programs.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A dataset stage, `digits`, of the fixture.
pub fn digits() -> String {
    digits_in(&fixture())
}

/// As [`digits`], of IDX files in another folder.
pub fn digits_in(folder: &Path) -> String {
    format!(
        "  digits:
    dataset:
      name: digits
      dir: {}
      classes: [zero, one, two, three, four, five, six, seven, eight, nine]
",
        folder.display()
    )
}

/// A network that learns in a fraction of a second, as layers of YAML.
pub const SMALL: [&str; 5] = [
    "conv2d: { channels: 4, kernel: 5, stride: 2 }",
    "relu",
    "max_pool: 2",
    "flatten",
    "linear: 10",
];

/// A train stage, `fit`, of one epoch.
pub fn fit(layers: &[&str]) -> String {
    let layers: String = layers
        .iter()
        .map(|layer| format!("          - {layer}\n"))
        .collect();
    format!(
        "  fit:
    train:
      dataset: digits
      model:
        layers:
{layers}      epochs: 1
      batch_size: 32
      learning_rate: 0.01
      validation: {{ hold_out: 100 }}
      device: cpu
"
    )
}

/// Export, verify and eval stages.
pub const REST: &str = "  onnx:
    export: { train: fit }
  proof:
    verify: { model: onnx }
  score:
    eval: { model: onnx, provider: cpu, after: [proof] }
";

/// All five stages.
pub fn whole(layers: &[&str]) -> String {
    format!("output: runs\nstages:\n{}{}{REST}", digits(), fit(layers))
}

/// A folder with a pipeline.yaml.
pub struct Workspace(TempDir);

impl Workspace {
    /// With this text as pipeline.yaml.
    pub fn new(yaml: &str) -> Self {
        let workspace = Self(tempfile::tempdir().unwrap());
        workspace.write("pipeline.yaml", yaml);
        workspace
    }

    /// The place of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Reads a file in it.
    #[track_caller]
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Reads a JSON file in it.
    #[track_caller]
    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    /// `pipeline` in this folder.
    pub fn pipeline(&self, arguments: &[&str]) -> Command {
        let mut command = program("pipeline");
        command.current_dir(self.0.path()).args(arguments);
        command
    }

    /// `pipeline run` with ONNX Runtime at hand.
    pub fn run(&self, arguments: &[&str]) -> Command {
        let mut command = self.pipeline(&["run", "--ort-lib"]);
        command.arg(onnx_runtime()).args(arguments);
        command
    }

    /// `runtime` in this folder.
    pub fn runtime(&self, arguments: &[&str]) -> Command {
        let mut command = program("runtime");
        command.current_dir(self.0.path()).args(arguments);
        command
    }

    /// Every file with its content and the time when it was written.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
        let mut files = BTreeMap::new();
        collect(self.0.path(), &mut files);
        files
    }

    /// The files' names, relative to the folder, sorted.
    pub fn files(&self) -> Vec<String> {
        let files = self.snapshot().into_keys();
        files
            .map(|path| path.strip_prefix(self.0.path()).unwrap().to_owned())
            .map(|path| path.to_str().unwrap().to_owned())
            .collect()
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, (Vec<u8>, SystemTime)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let written = fs::metadata(&path).unwrap().modified().unwrap();
            files.insert(path.clone(), (fs::read(&path).unwrap(), written));
        }
    }
}
