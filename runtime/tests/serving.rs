//! `runtime bench`, `inspect --check`, `verify-signature` and what shells get, as
//! a user runs them.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use artifact::Sha256;
use assert_cmd::Command;
use common::{Files, fixture, library_path, linear, metadata, runtime, value, with_metadata};
use onnx::proto::ModelProto;
use onnx::proto::tensor_shape_proto::dimension;
use runtime::{ModelMetadata, Sources};
use serde_json::Value;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn json(command: &mut Command) -> Value {
    let output = command.arg("--json").assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

/// A run that ends with exit code 1 and says each of `texts`.
#[track_caller]
fn refuses(command: &mut Command, texts: &[&str]) {
    let output = command.assert().code(1).get_output().clone();
    let stderr = String::from_utf8(output.stderr).unwrap();
    for text in texts {
        assert!(stderr.contains(text), "no `{text}` in:\n{stderr}");
    }
}

fn bench(model: &Path) -> Command {
    let mut command = runtime();
    command.arg("bench").arg(model);
    command.arg("--ort-lib").arg(library_path());
    command.args(["--provider", "cpu", "--warmup", "1", "--runs", "3"]);
    command
}

#[test]
fn bench_measures_every_batch_size_with_every_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("plot.svg");
    let mut command = bench(&here("fixtures/digits.onnx"));
    command.args(["--batch", "4,1", "--threads", "1", "--plot"]);
    let report = json(command.arg(&plot));
    assert_eq!(report["provider"], "cpu");
    let latency = &report["latency"][0];
    assert_eq!(
        (&latency["batch"], &latency["runs"]),
        (&1.into(), &3.into())
    );
    let time = |name: &str| latency["milliseconds"][name].as_f64().unwrap();
    assert!(0.0 < time("min") && time("min") <= time("p50"));
    assert!(time("p50") <= time("p90") && time("p90") <= time("p99"));
    let batches: Vec<_> = report["throughput"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let rate = &row["images_per_second"];
            assert!(rate["low"].as_f64() <= rate["median"].as_f64());
            row["batch"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(batches, [1, 4]);

    let svg = fs::read_to_string(&plot).unwrap();
    for text in ["images in a batch", "images per second", "1 thread"] {
        assert!(svg.contains(text), "no `{text}` in the plot");
    }
}

#[test]
fn bench_of_a_model_for_one_batch_size_runs_with_that_one() {
    let files = Files::new();
    let model = with_metadata(
        linear(Some(3), [1, 1, 2], &[0.0; 4], &[0.0; 2]),
        &metadata("pairs", [1, 1, 2], &["a", "b"]),
    );
    let report = json(&mut bench(&files.model(&model)));
    assert_eq!(report["latency"][0]["batch"], 3);
    let throughput = report["throughput"].as_array().unwrap();
    assert!(throughput.iter().all(|row| row["batch"] == 3));
}

#[test]
fn bench_of_a_model_without_metadata_takes_the_size_that_its_input_has() {
    let files = Files::new();
    let mut model = linear(None, [1, 1, 2], &[0.0; 4], &[0.0; 2]);
    let report = json(bench(&files.model(&model)).args(["--batch", "2"]));
    assert_eq!(report["throughput"][0]["batch"], 2);
    let side = || dimension::Value::DimParam("side".to_owned());
    let fixed = dimension::Value::DimValue;
    let input = vec![side(), fixed(1), side(), fixed(2)];
    model.graph.as_mut().unwrap().input = vec![value("image", input)];
    refuses(
        &mut bench(&files.model(&model)),
        &["does not say how large", "[?, 1, ?, 2]", "hint: "],
    );
}

/// Files may have been named in another encoding.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_unicode_have_a_json_form() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let model = std::ffi::OsStr::from_bytes(b"gr\xf6\xdfer.onnx");
    let model = folder.path().join(model);
    fs::copy(here("fixtures/digits.onnx"), &model).unwrap();
    let report = json(bench(&model).args(["--batch", "1"]));
    let name = report["model"].as_str().unwrap();
    assert!(name.ends_with("gr\u{fffd}\u{fffd}er.onnx"), "{name}");
}

#[test]
fn bench_refuses_plots_in_other_formats_before_it_measures() {
    let mut command = bench(&here("fixtures/digits.onnx"));
    refuses(command.args(["--plot", "x.gif"]), &[".svg or .png"]);
}

/// A model that says what it was made from: the files `weights` and `settings`
/// and the tests' images.
fn documented(files: &Files) -> ModelProto {
    let model = linear(None, [1, 28, 28], &[0.5; 7840], &[0.0; 10]);
    let hash = |name: &str| {
        fs::write(files.path(name), name).unwrap();
        Some(Sha256::of_bytes(name.as_bytes()))
    };
    let metadata = ModelMetadata {
        sources: Sources {
            initializers: Some(onnx::initializers_digest(&model).unwrap()),
            weights: hash("weights"),
            dataset: Some(dataset::digest(&fixture()).unwrap()),
            settings: hash("settings"),
        },
        ..metadata("digits", [1, 28, 28], &["0"; 10])
    };
    with_metadata(model, &metadata)
}

fn check(files: &Files, model: &Path, arguments: &[(&str, PathBuf)]) -> Command {
    let mut command = runtime();
    command.arg("inspect").arg(model).arg("--check");
    command.current_dir(files.path(""));
    for (option, path) in arguments {
        command.arg(option).arg(path);
    }
    command
}

#[test]
fn check_compares_every_digest_with_what_is_there() {
    let files = Files::new();
    let model = files.model(&documented(&files));
    let all = [
        ("--weights", files.path("weights")),
        ("--data", fixture()),
        ("--settings", files.path("settings")),
    ];
    let findings = json(&mut check(&files, &model, &all));
    for finding in findings.as_array().unwrap() {
        assert_eq!(finding["verdict"], "equal", "{finding}");
    }

    let findings = json(&mut check(&files, &model, &[]));
    let verdicts: Vec<_> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(
        verdicts,
        ["equal", "not-checked", "not-checked", "not-checked"]
    );
}

#[test]
fn check_finds_changed_weights_in_the_model_and_changed_files() {
    let files = Files::new();
    let mut changed = documented(&files);
    let mut tensor = changed.graph.as_ref().unwrap().initializer[0].clone();
    let mut bytes = tensor.raw_data.to_vec();
    bytes[0] ^= 1;
    tensor.raw_data = bytes.into();
    changed.graph.as_mut().unwrap().initializer[0] = tensor;
    let model = files.model(&changed);
    refuses(
        &mut check(&files, &model, &[]),
        &["error: ", "not with the same initializers"],
    );

    fs::write(files.path("settings"), "others").unwrap();
    let settings = [("--settings", files.path("settings"))];
    refuses(
        &mut check(&files, &model, &settings),
        &["not with the same initializers and settings"],
    );
}

#[test]
fn check_says_what_a_model_does_not_record() {
    let files = Files::new();
    let plain = with_metadata(
        linear(None, [1, 1, 2], &[0.0; 4], &[0.0; 2]),
        &metadata("pairs", [1, 1, 2], &["a", "b"]),
    );
    let model = files.model(&plain);
    refuses(
        &mut check(&files, &model, &[]),
        &["has no digest of its initializers"],
    );
}

fn verify(model: &Path, signature: &Path, key: &str) -> Command {
    let mut command = runtime();
    command.arg("verify-signature").arg(model);
    command.arg("--signature").arg(signature);
    command
        .arg("--key")
        .arg(here("../signing/fixtures").join(key));
    command
}

#[test]
fn signature_of_the_python_tool_is_verified_and_a_changed_model_refused() {
    let fixtures = here("../signing/fixtures");
    let (model, signature) = (fixtures.join("model.onnx"), fixtures.join("model.onnx.sig"));
    let valid = json(&mut verify(&model, &signature, "public.pem"));
    let digest = Sha256::of_file(&model).unwrap().to_string();
    assert_eq!(valid["files"][0]["sha256"], digest);

    let files = Files::new();
    let changed = files.path("model.onnx");
    fs::write(&changed, "another model").unwrap();
    refuses(
        &mut verify(&changed, &signature, "public.pem"),
        &["is not what was signed", &digest, "hint: do not use"],
    );
    refuses(
        &mut verify(&model, &signature, "other.pem"),
        &["another key"],
    );
    let cut = files.path("cut.sig");
    fs::write(&cut, &fs::read(&signature).unwrap()[..100]).unwrap();
    refuses(
        &mut verify(&model, &cut, "public.pem"),
        &["no signature of a model"],
    );
}

#[test]
fn shells_get_completions_and_man_a_page_for_each_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = runtime().args(["completions", shell]).assert().success();
        let script = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
        assert!(script.contains("verify-signature"), "{shell}");
    }
    let files = Files::new();
    runtime()
        .arg("man")
        .arg(files.path("man1"))
        .assert()
        .success();
    let page = |name: &str| fs::read_to_string(files.path("man1").join(name)).unwrap();
    assert!(page("runtime.1").contains("runtime\\-predict(1)"));
    assert!(page("runtime-eval.1").contains("\\-\\-batch"));
}
