//! The program as a user runs it: output, exit codes and messages.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::{Files, fixture, library_path, linear, metadata, mnist, runtime, with_metadata};
use dataset::{DatasetName, Normalization, Part, Split};
use onnx::proto::ModelProto;
use runtime::ModelMetadata;
use serde_json::Value;

/// What a failed run left: its exit code, stdout and stderr.
struct Failure {
    code: i32,
    stdout: String,
    stderr: String,
}

fn fail(command: &mut Command) -> Failure {
    let output = command.assert().failure().get_output().clone();
    Failure {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A run that fails as the user can mend it, saying each of `texts`.
#[track_caller]
fn refuses(command: &mut Command, texts: &[&str]) {
    let Failure {
        code,
        stdout,
        stderr,
    } = fail(command);
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(stdout, "");
    assert!(
        stderr.lines().any(|line| line.starts_with("error: ")),
        "{stderr}"
    );
    assert!(!stderr.contains("panicked"), "{stderr}");
    for text in texts {
        assert!(stderr.contains(text), "no `{text}` in:\n{stderr}");
    }
}

fn json(command: &mut Command) -> Value {
    let output = command.assert().success().get_output().clone();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `runtime eval` on the fixture with the tests' library, on the CPU.
fn eval(model: &Path) -> Command {
    eval_on("cpu", model)
}

fn eval_on(provider: &str, model: &Path) -> Command {
    let mut command = eval_with(library_path(), model);
    command.args(["--provider", provider]);
    command
}

fn eval_with(library: &Path, model: &Path) -> Command {
    let mut command = runtime();
    command.arg("eval").arg(model);
    command.arg("--data").arg(fixture());
    command.arg("--ort-lib").arg(library);
    command
}

/// The nearest mean: logits x·m - |m|²/2 with the mean m of each class.
fn nearest_mean(train: &Split, normalization: &Normalization) -> (Vec<f32>, Vec<f32>) {
    let mut sums = vec![[0.0_f32; 784]; 10];
    let mut counts = [0.0_f32; 10];
    for (image, label) in normalized(train, normalization).iter().zip(train.labels()) {
        let class = usize::from(*label);
        counts[class] += 1.0;
        sums[class]
            .iter_mut()
            .zip(image)
            .for_each(|(sum, x)| *sum += x);
    }
    let mut weights = vec![0.0; 784 * 10];
    let mut bias = vec![0.0; 10];
    for (class, sum) in sums.iter().enumerate() {
        for (pixel, sum) in sum.iter().enumerate() {
            let mean = sum / counts[class];
            weights[pixel * 10 + class] = mean;
            bias[class] -= mean * mean / 2.0;
        }
    }
    (weights, bias)
}

fn normalized(split: &Split, normalization: &Normalization) -> Vec<Vec<f32>> {
    let images = split.images();
    (0..images.len())
        .map(|index| {
            let mut out = vec![0.0; 784];
            normalization.apply([1, 1, 28, 28], images.image(index), &mut out);
            out
        })
        .collect()
}

/// How many test images the linear classifier gets right, computed here.
fn correct(weights: &[f32], bias: &[f32], normalization: &Normalization) -> u64 {
    let test = mnist(Part::Test);
    let images = normalized(&test, normalization);
    let right = images.iter().zip(test.labels()).filter(|(image, label)| {
        let logit = |class: usize| -> f64 {
            let products = image.iter().enumerate();
            let sum: f64 = products
                .map(|(pixel, x)| f64::from(*x) * f64::from(weights[pixel * 10 + class]))
                .sum();
            sum + f64::from(bias[class])
        };
        let best = (0..10).max_by(|&a, &b| logit(a).total_cmp(&logit(b)));
        best == Some(usize::from(**label))
    });
    right.count() as u64
}

fn mnist_metadata(normalization: &Normalization) -> ModelMetadata {
    ModelMetadata {
        normalization: normalization.clone(),
        ..metadata("mnist", [1, 28, 28], DatasetName::Mnist.class_names())
    }
}

#[test]
fn eval_finds_the_accuracy_that_is_computed_by_hand() {
    let files = Files::new();
    let normalization = Normalization::new(vec![0.1307], vec![0.3081]).unwrap();
    let (weights, bias) = nearest_mean(&mnist(Part::Train), &normalization);
    let model = linear(None, [1, 28, 28], &weights, &bias);
    let path = files.model(&with_metadata(model, &mnist_metadata(&normalization)));

    let report = json(eval(&path).args(["--json", "--batch", "7"]));

    let expected = correct(&weights, &bias, &normalization);
    let total = mnist(Part::Test).len() as u64;
    assert!(expected > total / 2, "{expected} of {total}");
    assert_eq!(report["correct"], expected);
    assert_eq!(report["total"], total);
    assert_eq!(report["accuracy"], expected as f64 / total as f64);
    assert_eq!(report["provider"], "cpu");
    assert_eq!(report["dataset"], "mnist");
    assert_eq!(report["batch"], 7);
    assert_eq!(report["classes"].as_array().unwrap().len(), 10);
}

#[test]
fn model_without_metadata_needs_the_dataset_from_the_user() {
    let files = Files::new();
    let train = mnist(Part::Train);
    let normalization = Normalization::of(train.images());
    let (weights, bias) = nearest_mean(&train, &normalization);
    let path = files.model(&linear(None, [1, 28, 28], &weights, &bias));

    refuses(
        &mut eval(&path),
        &["does not say which dataset", "hint:", "--dataset mnist"],
    );

    let report = json(eval(&path).args(["--dataset", "mnist", "--json"]));
    assert_eq!(report["correct"], correct(&weights, &bias, &normalization));
    let unit = ["--dataset", "mnist", "--normalize", "unit", "--json"];
    let expected = correct(&weights, &bias, &Normalization::unit(1));
    assert_eq!(json(eval(&path).args(unit))["correct"], expected);
}

#[test]
fn dataset_of_other_classes_is_refused_with_both_lists() {
    let files = Files::new();
    let path = files.model(&any_model());
    refuses(
        eval(&path).args(["--dataset", "fashion-mnist"]),
        &[
            "classes are not those of fashion-mnist",
            "\n      0  0      T-shirt/top\n",
            "\n      9  9      Ankle boot\n",
            "hint: leave `--dataset` out",
        ],
    );
    eval(&path).args(["--dataset", "mnist"]).assert().success();
}

fn any_model() -> ModelProto {
    let model = linear(None, [1, 28, 28], &[0.0; 7840], &[0.0; 10]);
    with_metadata(model, &mnist_metadata(&Normalization::unit(1)))
}

#[test]
fn table_shows_measures_confusion_and_the_provider_that_ran() {
    let files = Files::new();
    let path = files.model(&any_model());
    let output = eval(&path).assert().success().get_output().clone();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "accuracy   10.00%",
        "provider   CPU",
        "precision",
        "confusion matrix",
    ] {
        assert!(text.contains(line), "no `{line}` in:\n{text}");
    }
}

#[test]
fn broken_model_files_are_refused_with_the_file_and_the_reason() {
    let files = Files::new();
    let whole = onnx::encode(&any_model());
    let cases: [(&str, &[u8], &str); 3] = [
        ("empty.onnx", b"", "empty"),
        ("cut.onnx", &whole[..whole.len() / 2], "truncated"),
        ("text.onnx", b"<html>not found</html>", "no ONNX file"),
    ];
    for (name, content, reason) in cases {
        let path = files.write(name, content);
        refuses(&mut eval(&path), &[name, reason]);
        refuses(runtime().arg("inspect").arg(&path), &[name, reason]);
    }
    refuses(
        &mut eval(&files.path("none.onnx")),
        &["none.onnx", "No such file"],
    );
}

#[test]
fn cuda_that_cannot_run_is_an_error_and_auto_tells_those_who_may_expect_it() {
    if Path::new("/proc/driver/nvidia").exists() {
        return;
    }
    let files = Files::new();
    let path = files.model(&any_model());
    let mut cuda = eval_on("cuda", &path);
    refuses(
        &mut cuda,
        &[
            "cannot run with CUDA",
            "hint:",
            "runtime setup --provider cuda",
        ],
    );

    let said_with = |library: &Path| {
        let auto = eval_with(library, &path).assert().success();
        String::from_utf8_lossy(&auto.get_output().stderr).into_owned()
    };
    let said = said_with(library_path());
    assert!(!said.contains("CUDA"), "{said}");
    // As a GPU build has it.
    let library = files.write("libonnxruntime.so", &fs::read(library_path()).unwrap());
    files.write("libonnxruntime_providers_cuda.so", b"");
    let said = said_with(&library);
    assert!(said.starts_with("note: running on the CPU"), "{said}");
}

#[test]
fn folder_that_is_not_there_is_refused_and_nothing_is_fetched_into_it() {
    let files = Files::new();
    let mut eval = runtime();
    eval.arg("eval").arg(files.model(&any_model()));
    eval.arg("--data").arg(files.path("typo"));
    eval.arg("--ort-lib").arg(library_path());
    refuses(&mut eval, &["there is no folder ", "typo"]);
    assert!(!files.path("typo").exists());
}

#[test]
fn what_is_fetched_and_where_to_is_told() {
    let files = Files::new();
    let empty = files.path("empty");
    fs::create_dir(&empty).unwrap();
    let mut eval = runtime();
    eval.arg("eval").arg(files.model(&any_model()));
    eval.arg("--data").arg(&empty);
    eval.arg("--ort-lib").arg(library_path());
    // With nothing to fetch with.
    eval.env("PATH", "/nonexistent");
    refuses(&mut eval, &["fetching mnist into ", "empty"]);
}

#[test]
fn counts_are_told_as_people_say_them() {
    let expected = &["a whole number of one or more is expected"];
    refuses(runtime().args(["eval", "m", "--batch", "0"]), expected);
    refuses(runtime().args(["bench", "m", "--threads", "1,0"]), expected);
}

#[test]
fn preparation_is_chosen_alike_for_ink_and_place() {
    for option in ["--invert", "--center"] {
        let mut predict = runtime();
        predict.args(["predict", "none.onnx", option, "yes", "a.png"]);
        refuses(&mut predict, &["none.onnx"]);
    }
}

#[test]
fn named_library_that_does_not_work_is_an_error_and_not_passed_over() {
    let files = Files::new();
    let path = files.model(&any_model());
    let missing = files.path("libonnxruntime.so");
    let broken = files.write("broken.so", b"not a library");
    for (library, reason) in [(&missing, "No such file"), (&broken, "file too short")] {
        let name = library.to_str().unwrap();
        refuses(
            &mut eval_with(library, &path),
            &[name, "--ort-lib", reason, "hint:"],
        );
        let mut by_variable = runtime();
        by_variable
            .arg("eval")
            .arg(&path)
            .env("ORT_DYLIB_PATH", library);
        refuses(&mut by_variable, &[name, "ORT_DYLIB_PATH", reason]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn library_that_is_not_onnx_runtime_is_refused() {
    let files = Files::new();
    let path = files.model(&any_model());
    let other = library_path().with_file_name("libonnxruntime_providers_shared.so");
    refuses(&mut eval_with(&other, &path), &["not ONNX Runtime"]);
}

#[test]
fn without_library_network_and_package_manager_every_attempt_is_told() {
    let files = Files::new();
    let path = files.model(&any_model());
    let mut command = runtime();
    command
        .arg("eval")
        .arg(&path)
        .env("BURNISH_CACHE", files.path("cache"))
        .env("PATH", files.path("empty"))
        .env_remove("VIRTUAL_ENV")
        .env_remove("CONDA_PREFIX")
        .env_remove("LD_LIBRARY_PATH");
    refuses(
        &mut command,
        &[
            "beside the executable",
            "Burnish's cache",
            "Python's onnxruntime",
            "system's library folders",
            "pip download",
            "uv tool run",
            "hint:",
        ],
    );
    let left = fs::read_dir(files.path("cache")).unwrap().count();
    assert_eq!(left, 0, "something is left in the cache");
}

#[test]
fn library_in_the_cache_is_found_without_python() {
    library_path();
    let ready = json(runtime().args(["setup", "--json"]).env("PATH", ""));
    assert_eq!(ready["library"], library_path().to_str().unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn broken_library_in_the_cache_is_told_with_its_place() {
    let files = Files::new();
    let folder = files.path(&format!("onnxruntime-{}", runtime::library::VERSION));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("libonnxruntime.so"), "half a file").unwrap();
    let mut command = runtime();
    command
        .arg("setup")
        .env("BURNISH_CACHE", files.path(""))
        .env("PATH", files.path("empty"))
        .env_remove("VIRTUAL_ENV")
        .env_remove("CONDA_PREFIX")
        .env_remove("LD_LIBRARY_PATH");
    refuses(
        &mut command,
        &["does not load", "file too short", "hint: delete"],
    );
}

#[test]
fn more_threads_than_processors_do_not_stall() {
    let files = Files::new();
    let path = files.model(&any_model());
    let threads = usize::MAX.to_string();
    eval(&path).args(["--threads", &threads]).assert().success();
}

#[test]
fn setup_for_cuda_that_cannot_download_says_so() {
    let files = Files::new();
    let mut command = runtime();
    command
        .args(["setup", "--provider", "cuda"])
        .env("BURNISH_CACHE", files.path("cache"))
        .env("PATH", files.path("empty"))
        .env_remove("VIRTUAL_ENV")
        .env_remove("CONDA_PREFIX");
    refuses(&mut command, &["onnxruntime-gpu", "pip download", "hint:"]);
}

/// A module in the working folder that takes the place of one of Python's.
#[cfg(unix)]
#[test]
fn python_files_beside_the_model_are_not_run() {
    let files = Files::new();
    let marker = files.path("ran");
    let hostile = format!("open({:?}, 'w')", marker.to_str().unwrap());
    for module in ["pip.py", "sitecustomize.py", "importlib.py"] {
        files.write(module, hostile.as_bytes());
    }
    let interpreter = std::process::Command::new("python3")
        .args(["-m", "pip"])
        .current_dir(files.path(""))
        .status();
    if interpreter.is_err() {
        return;
    }
    fs::remove_file(&marker).expect("Python runs what is in the working folder");
    for provider in ["cpu", "cuda"] {
        runtime()
            .args(["setup", "--provider", provider])
            .current_dir(files.path(""))
            .env("BURNISH_CACHE", files.path("cache"))
            // The empty entry is the working folder, too.
            .env("PYTHONPATH", ":")
            .env("PIP_NO_INDEX", "1")
            .env("UV_OFFLINE", "1")
            .env_remove("LD_LIBRARY_PATH")
            .output()
            .unwrap();
        assert!(!marker.exists(), "{provider}");
    }
}

/// A pipe would be waited for without end.
#[cfg(unix)]
#[test]
fn pipes_in_the_place_of_files_are_refused() {
    let files = Files::new();
    let pipe = files.path("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let model = files.model(&any_model());
    let key = fixture().join("../../../signing/fixtures/public.pem");
    let limit = std::time::Duration::from_secs(60);
    let mut inspect = runtime();
    inspect.arg("inspect").arg(&pipe);
    let mut predict = runtime();
    predict.arg("predict").arg(&model).arg(&pipe);
    predict.arg("--ort-lib").arg(library_path());
    let mut by_key = runtime();
    by_key.arg("verify-signature").arg(&model);
    by_key.arg("--key").arg(&pipe);
    let mut by_signature = runtime();
    by_signature.arg("verify-signature").arg(&model);
    by_signature
        .arg("--key")
        .arg(&key)
        .arg("--signature")
        .arg(&pipe);
    for mut command in [inspect, predict, by_key, by_signature] {
        refuses(command.timeout(limit), &["pipe.png", "no regular file"]);
    }
}

#[test]
fn inspect_shows_what_is_in_the_model() {
    let files = Files::new();
    let path = files.model(&any_model());
    let inspection = json(runtime().arg("inspect").arg(&path).arg("--json"));
    assert_eq!(inspection["inputs"][0]["name"], "image");
    assert_eq!(inspection["inputs"][0]["type"], "float32[batch, 1, 28, 28]");
    assert_eq!(inspection["outputs"][0]["type"], "float32[batch, 10]");
    assert_eq!(inspection["opsets"]["ai.onnx"], 18);
    assert_eq!(inspection["operators"]["Gemm"], 1);
    assert_eq!(inspection["parameters"], 7850);
    assert_eq!(inspection["metadata"]["burnish.dataset"], "mnist");
}

#[test]
fn control_characters_of_files_do_not_reach_the_terminal() {
    let files = Files::new();
    let mut model = any_model();
    model.producer_name = "\u{1b}[2Jnobody".to_owned();
    let path = files.path("\u{1b}[1A.onnx");
    onnx::write(&path, &model).unwrap();
    let shown = runtime().arg("inspect").arg(&path).output().unwrap();
    assert!(shown.status.success());
    assert!(
        String::from_utf8(shown.stdout)
            .unwrap()
            .contains("\\u001b[2Jnobody")
    );
    files.write("\u{1b}[1A.onnx", b"");
    refuses(runtime().arg("inspect").arg(&path), &["\\u001b[1A.onnx"]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = runtime().args(["completions", shell]).output().unwrap();
        assert!(!String::from_utf8(script.stdout).unwrap().contains("\\u00"));
    }
}

#[test]
fn what_onnx_runtime_logs_does_not_reach_the_terminal_as_it_is() {
    let files = Files::new();
    let mut model = any_model();
    let graph = model.graph.as_mut().unwrap();
    // Seven images whatever the batch: that shows when it runs.
    graph.node[0] = common::node("Reshape", &["image", "shape"], "pixels");
    graph.node[0].name = "\u{1b}[2Jreshape".to_owned();
    graph.initializer.push(onnx::proto::TensorProto {
        name: "shape".to_owned(),
        dims: vec![2],
        data_type: onnx::proto::tensor_proto::DataType::Int64 as i32,
        int64_data: vec![7, 784],
        ..Default::default()
    });
    graph.output[0].r#type = None;
    let path = files.model(&model);
    let texts = ["failed on images", "\\u001b[2Jreshape", "ONNX Runtime: "];
    refuses(&mut eval(&path), &texts);
    let output = eval(&path).output().unwrap();
    assert!(!output.stderr.contains(&0x1b));
}

#[test]
fn wrong_command_lines_are_errors_the_user_can_fix() {
    for arguments in [
        &["eval"][..],
        &["eval", "m.onnx", "--provider", "tpu"],
        &["eval", "m.onnx", "--batch", "0"],
        &["eval", "m.onnx", "--dataset", "cifar"],
        &[],
    ] {
        assert_eq!(fail(runtime().args(arguments)).code, 1, "{arguments:?}");
    }
    runtime().arg("--help").assert().success();
}
