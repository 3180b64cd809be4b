//! From images to a proven and evaluated ONNX, as a user runs it.
#![allow(clippy::unwrap_used)]

use std::fs;

use serde_json::Value;
use tests::{REST, SMALL, Workspace, digits, fit, fixture, refuse, stderr, stdout, succeed, whole};

const OUTPUTS: [&str; 13] = [
    "pipeline.lock",
    "pipeline.yaml",
    "runs/fit/best.safetensors",
    "runs/fit/checkpoints/step-00000016.tar",
    "runs/fit/last.safetensors",
    "runs/fit/metrics.jsonl",
    "runs/fit/run.json",
    "runs/fit/settings.json",
    "runs/fit/summary.json",
    "runs/fit/timing.json",
    "runs/model.onnx",
    "runs/proof/verification.json",
    "runs/score/evaluation.json",
];

fn small() -> Workspace {
    Workspace::new(&whole(&SMALL))
}

/// The stages that a run says it ran, in order.
fn ran(message: &str) -> Vec<&str> {
    let runs = message.lines().filter(|line| line.contains(" runs: "));
    runs.map(|line| line.split(['[', ']']).nth(1).unwrap())
        .collect()
}

#[test]
fn one_command_goes_from_images_to_an_evaluated_onnx() {
    let workspace = small();
    let output = succeed(&mut workspace.run(&[]));

    assert_eq!(workspace.files(), OUTPUTS);
    assert_eq!(
        ran(&stderr(&output)),
        ["digits", "fit", "onnx", "proof", "score"]
    );
    assert!(stdout(&output).contains("accuracy"));

    let verification = workspace.json("runs/proof/verification.json");
    assert_eq!(verification["images"], 200);
    assert!(verification["max_difference"].as_f64().unwrap() < 1e-4);

    let metrics = String::from_utf8(workspace.read("runs/fit/metrics.jsonl")).unwrap();
    let epochs: Vec<Value> = metrics
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(epochs.len(), 1);
    let summary = workspace.json("runs/fit/summary.json");
    assert_eq!(summary["train_images"], 500);
    assert_eq!(summary["validation_images"], 100);
    assert_eq!(summary["best"], epochs[0]);
    // Ten classes: this much is learned in one epoch, and nothing by chance.
    assert!(epochs[0]["validation_accuracy"].as_f64().unwrap() > 0.4);
}

#[test]
fn json_tells_programs_what_became_of_each_stage() {
    let workspace = small();
    let told = |arguments: &[&str]| -> Vec<Value> {
        let output = succeed(&mut workspace.run(arguments));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let names = |stages: &[Value]| -> Vec<String> {
        let names = stages.iter().map(|stage| stage["stage"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };

    let planned = told(&["--dry-run", "--json"]);
    let all = ["digits", "fit", "onnx", "proof", "score"];
    assert_eq!(names(&planned), all);
    assert!(planned.iter().all(|stage| stage["up_to_date"] == false));

    let first = told(&["--json"]);
    assert_eq!(names(&first), all);
    let second = told(&["--json"]);
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(first["ran"], true);
        assert_eq!(first["reason"], "it has not run yet");
        assert!(first["seconds"].as_f64().unwrap() > 0.0);
        assert_eq!(second["ran"], false);
        assert!(second["reason"].is_null() && second["seconds"].is_null());
        for field in ["kind", "outputs", "results"] {
            assert_eq!(first[field], second[field]);
        }
        for output in first["outputs"].as_array().unwrap() {
            assert!(workspace.path(output.as_str().unwrap()).exists());
        }
    }
    assert!(first[2]["results"].is_null());
    for (stage, file) in [
        (1, "runs/fit/summary.json"),
        (3, "runs/proof/verification.json"),
        (4, "runs/score/evaluation.json"),
    ] {
        assert_eq!(first[stage]["results"], workspace.json(file));
    }
    assert!(told(&["--dry-run", "--json"]).is_empty());

    // Read and written again, a number could lose its last digit.
    let text = stdout(&succeed(&mut workspace.run(&["--json"])));
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let summary = String::from_utf8(workspace.read("runs/fit/summary.json")).unwrap();
    let losses = summary.lines().filter(|line| line.contains("_loss\""));
    for line in losses {
        assert!(lines.contains(&line.trim()), "no {line} in\n{text}");
    }
}

#[test]
fn second_run_does_nothing_says_so_and_changes_no_file() {
    let workspace = small();
    succeed(&mut workspace.run(&[]));
    let before = workspace.snapshot();

    let message = stderr(&succeed(&mut workspace.run(&[])));

    assert!(message.contains("nothing to do"), "{message}");
    assert!(ran(&message).is_empty(), "{message}");
    assert!(workspace.snapshot() == before);
}

#[test]
fn comments_and_the_place_of_a_line_are_no_settings() {
    let workspace = small();
    succeed(&mut workspace.run(&[]));
    let moved = format!("# A comment.\n\n{}", whole(&SMALL));
    workspace.write("pipeline.yaml", moved);
    assert!(ran(&stderr(&succeed(&mut workspace.run(&[])))).is_empty());
}

#[test]
fn changed_setting_reruns_its_stage_and_those_after_it() {
    let workspace = small();
    succeed(&mut workspace.run(&[]));

    let set = ["--set", "train.epochs=2"];
    let message = stderr(&succeed(&mut workspace.run(&set)));
    assert_eq!(ran(&message), ["fit", "onnx", "proof", "score"]);
    // Its own settings are the same.
    let why = "[onnx] export runs: `fit` before it has to run";
    assert!(message.contains(why), "{message}");
    assert_eq!(workspace.json("runs/fit/summary.json")["epochs"], 2);
    assert!(ran(&stderr(&succeed(&mut workspace.run(&set)))).is_empty());

    let message = stderr(&succeed(&mut workspace.run(&[
        "--set",
        "score.batch=7",
        set[0],
        set[1],
    ])));
    assert_eq!(ran(&message), ["score"]);
}

#[test]
fn evaluation_on_other_images_is_not_taken_for_one_on_its_own() {
    // The same files: only the settings tell the two apart.
    let other = digits().replace("  digits:", "  other:");
    let other = other.replace("name: digits", "name: other-digits");
    let workspace = Workspace::new(&(whole(&SMALL) + &other));
    let evaluated = || workspace.json("runs/score/evaluation.json")["dataset"].clone();
    succeed(&mut workspace.run(&["--set", "score.dataset=other"]));
    assert_eq!(evaluated(), "other-digits");
    let message = stderr(&succeed(&mut workspace.run(&[])));
    assert_eq!(ran(&message), ["score"]);
    assert_eq!(evaluated(), "digits");
}

#[test]
fn another_output_folder_gets_all_results() {
    let workspace = small();
    succeed(&mut workspace.run(&[]));
    let message = stderr(&succeed(&mut workspace.run(&["--set", "output=other"])));
    assert_eq!(ran(&message), ["digits", "fit", "onnx", "proof", "score"]);
    let weights = "fit/best.safetensors";
    let read = |folder: &str| workspace.read(&format!("{folder}/{weights}"));
    assert!(read("other") == read("runs"));
    // Neither knows less of itself for the other.
    for set in [&["--set", "output=other"][..], &[]] {
        let message = stderr(&succeed(&mut workspace.run(set)));
        assert!(ran(&message).is_empty(), "{message}");
    }
}

#[test]
fn same_folder_by_another_name_is_up_to_date() {
    let workspace = small();
    succeed(&mut workspace.run(&[]));
    let whole = workspace.path("runs");
    for output in ["./runs", "runs/../runs", whole.to_str().unwrap()] {
        let set = format!("output={output}");
        let message = stderr(&succeed(&mut workspace.run(&["--set", &set])));
        assert!(ran(&message).is_empty(), "{message}");
    }
    let yaml = String::from_utf8(workspace.read("pipeline.yaml")).unwrap();
    workspace.write("pipeline.yaml", yaml.replace("dir: ", "dir: /.."));
    let message = stderr(&succeed(&mut workspace.run(&[])));
    assert!(ran(&message).is_empty(), "{message}");
}

#[test]
fn lock_file_of_another_pipeline_is_not_written_over() {
    let workspace = small();
    succeed(&mut workspace.run(&[]));
    let before = workspace.snapshot();
    refuse(
        &mut workspace.run(&["--set", "output=."]),
        &["the lock file of ./pipeline.yaml", "choose another folder"],
    );
    assert!(workspace.snapshot() == before);
}

#[test]
fn force_runs_everything_again() {
    let workspace = small();
    succeed(&mut workspace.run(&[]));
    let message = stderr(&succeed(&mut workspace.run(&["--force"])));
    assert_eq!(ran(&message).len(), 5, "{message}");
}

#[test]
fn missing_or_altered_output_is_made_again() {
    let workspace = small();
    succeed(&mut workspace.run(&[]));
    let onnx = workspace.read("runs/model.onnx");

    fs::remove_file(workspace.path("runs/score/evaluation.json")).unwrap();
    let message = stderr(&succeed(&mut workspace.run(&[])));
    assert_eq!(ran(&message), ["score"]);
    assert!(
        message.contains("evaluation.json is not there"),
        "{message}"
    );

    workspace.write("runs/model.onnx", b"something else");
    let message = stderr(&succeed(&mut workspace.run(&[])));
    assert_eq!(ran(&message), ["onnx"]);
    assert!(message.contains("is not what it made"), "{message}");
    assert!(workspace.read("runs/model.onnx") == onnx);
}

#[test]
fn dry_run_says_what_would_run_and_changes_nothing() {
    let workspace = small();
    let before = workspace.snapshot();
    let text = stdout(&succeed(&mut workspace.run(&["--dry-run"])));
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(
        text.starts_with("digits would run: it has not run yet"),
        "{text}"
    );
    assert!(workspace.snapshot() == before);

    succeed(&mut workspace.run(&[]));
    let before = workspace.snapshot();
    let text = stdout(&succeed(&mut workspace.run(&["--dry-run"])));
    assert!(text.contains("nothing would run"), "{text}");
    let set = ["--dry-run", "--set", "fit.seed=2"];
    let text = stdout(&succeed(&mut workspace.run(&set)));
    let reason = "fit would run: its settings have changed: seed 1, now 2\n";
    assert!(text.starts_with(reason), "{text}");

    let many = ["epochs=3", "batch_size=8", "seed=2", "device=auto"];
    let many = many.map(|setting| format!("fit.{setting}"));
    let set = many.iter().flat_map(|setting| ["--set", setting]);
    let set: Vec<&str> = ["--dry-run"].into_iter().chain(set).collect();
    let text = stdout(&succeed(&mut workspace.run(&set)));
    let reason =
        "changed: batch_size 32, now 8; device cpu, now auto; epochs 1, now 3; and 1 more\n";
    assert!(text.contains(reason), "{text}");

    let set = ["--dry-run", "--set", "fit.model=lenet5"];
    let text = stdout(&succeed(&mut workspace.run(&set)));
    let reason = "changed: model network of its own, now lenet5\n";
    assert!(text.contains(reason), "{text}");
    assert!(workspace.snapshot() == before);
}

#[test]
fn stage_runs_those_before_it_alone_and_force_only_itself() {
    let workspace = small();
    let message = stderr(&succeed(&mut workspace.run(&["--stage", "onnx"])));
    assert_eq!(ran(&message), ["digits", "fit", "onnx"]);
    assert!(!workspace.path("runs/proof").exists());

    let message = stderr(&succeed(
        &mut workspace.run(&["--stage", "onnx", "--force"]),
    ));
    assert_eq!(ran(&message), ["onnx"]);
    refuse(
        &mut workspace.run(&["--stage", "onxn"]),
        &[
            "there is no stage `onxn`",
            "digits, fit, onnx, proof, score",
        ],
    );
}

#[test]
fn status_gives_the_state_of_every_stage_and_the_reason() {
    let workspace = small();
    succeed(&mut workspace.run(&["--stage", "onnx"]));
    fs::remove_file(workspace.path("runs/model.onnx")).unwrap();
    let text = stdout(&succeed(&mut workspace.pipeline(&["status"])));
    let states: Vec<&str> = text.lines().collect();
    assert_eq!(
        states,
        [
            "digits  dataset  up to date",
            "fit     train    up to date",
            "onnx    export   has to run: runs/model.onnx is not there",
            "proof   verify   has to run: it has not run yet",
            "score   eval     has to run: it has not run yet",
        ]
    );
}

#[test]
fn dag_draws_the_stages_in_order_with_their_edges() {
    let workspace = small();
    let text = stdout(&succeed(&mut workspace.pipeline(&["dag"])));
    assert!(text.starts_with("flowchart LR\n"), "{text}");
    let edges: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| line.contains("-->"))
        .collect();
    assert_eq!(
        edges,
        [
            "s0 --> s1",
            "s1 --> s2",
            "s2 --> s3",
            "s2 --> s4",
            "s3 --> s4"
        ]
    );
}

#[test]
fn init_writes_a_pipeline_that_is_valid_and_overwrites_nothing() {
    let workspace = small();
    refuse(
        &mut workspace.pipeline(&["init"]),
        &["pipeline.yaml is already there"],
    );
    succeed(&mut workspace.pipeline(&["init", "new.yaml"]));
    let text = stdout(&succeed(&mut workspace.pipeline(&[
        "run",
        "new.yaml",
        "--dry-run",
    ])));
    assert!(text.contains("mnist would run"), "{text}");
}

#[test]
fn same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let [first, second, other] = [small(), small(), small()];
    succeed(&mut first.run(&["--stage", "onnx"]));
    succeed(&mut second.run(&["--stage", "onnx"]));
    succeed(&mut other.run(&["--stage", "onnx", "--set", "fit.seed=2"]));
    for file in [
        "runs/fit/best.safetensors",
        "runs/fit/last.safetensors",
        "runs/model.onnx",
    ] {
        assert!(first.read(file) == second.read(file), "{file} differs");
        assert!(first.read(file) != other.read(file), "{file} is the same");
    }
}

#[test]
fn runtime_finds_the_same_accuracy_from_the_onnx_alone() {
    let workspace = small();
    succeed(&mut workspace.run(&[]));
    let evaluation = workspace.json("runs/score/evaluation.json");

    let mut eval = workspace.runtime(&["eval", "runs/model.onnx", "--provider", "cpu", "--json"]);
    eval.arg("--data").arg(fixture());
    eval.arg("--ort-lib").arg(tests::onnx_runtime());
    let report: Value = serde_json::from_slice(&succeed(&mut eval).stdout).unwrap();

    for key in ["accuracy", "loss", "correct", "total", "confusion"] {
        assert!(!report[key].is_null(), "no {key} in {report}");
        assert_eq!(report[key], evaluation[key], "{key}");
    }
}

#[test]
fn every_kind_of_layer_trains_exports_and_verifies() {
    let workspace = Workspace::new(&whole(&[
        "conv2d: { channels: 8, kernel: 3, padding: same, bias: false }",
        "batch_norm",
        "relu",
        "max_pool: { kernel: 3, stride: 2, padding: 1 }",
        "conv2d: { channels: 8, kernel: [3, 5], stride: 2, padding: same }",
        "gelu",
        "residual: { body: [{ conv2d: { channels: 8, kernel: 3, padding: 1 } }, batch_norm, leaky_relu] }",
        "residual:
              name: down
              body: [{ conv2d: { channels: 12, kernel: 3, stride: 2, padding: [1, 1] } }, relu]
              shortcut: [{ conv2d: { channels: 12, kernel: 1, stride: 2, padding: valid } }]",
        "leaky_relu: { slope: 0.2 }",
        "avg_pool: { kernel: 2, stride: 1, padding: 1 }",
        "dropout: 0.1",
        "residual: { body: [relu], shortcut: [gelu] }",
        "global_avg_pool",
        "batch_norm: { name: norm }",
        "linear: { name: hidden, features: 16, bias: false }",
        "flatten",
        "relu",
        "linear: 10",
    ]));
    succeed(&mut workspace.run(&["--set", "onnx.probabilities=true"]));
    assert_eq!(
        workspace.json("runs/proof/verification.json")["images"],
        200
    );
}

#[test]
fn network_file_and_other_paths_are_relative_to_where_pipeline_runs() {
    let layers: String = SMALL.iter().map(|layer| format!("  - {layer}\n")).collect();
    let train = fit(&[]).replace("layers:\n", "file: net.yaml\n");
    let yaml = format!("output: out\nstages:\n{}{train}{REST}", digits());
    let workspace = Workspace::new(&yaml);
    workspace.write("net.yaml", format!("layers:\n{layers}"));

    succeed(&mut workspace.run(&["--stage", "onnx"]));
    assert!(workspace.path("out/model.onnx").is_file());

    // Another network in the same file is another network.
    let changed = layers.replace("channels: 4", "channels: 5");
    workspace.write("net.yaml", format!("layers:\n{changed}"));
    let message = stderr(&succeed(&mut workspace.run(&["--stage", "onnx"])));
    assert_eq!(ran(&message), ["fit", "onnx"]);
}

#[test]
fn early_stopping_ends_a_training_that_no_longer_gets_better() {
    let workspace = small();
    let set = ["fit.epochs=60", "fit.early_stopping.patience=2"];
    let message = stderr(&succeed(
        &mut workspace.run(&["--stage", "fit", "--set", set[0], "--set", set[1]]),
    ));
    assert!(message.contains("\n  stopped early"), "{message}");
    let summary = workspace.json("runs/fit/summary.json");
    assert!(summary["epochs"].as_u64().unwrap() < 60, "{summary}");
    let validation = |epoch: &str| summary[epoch]["validation_accuracy"].as_f64().unwrap();
    assert!(validation("best") >= validation("last"), "{summary}");
}

#[test]
fn a_tenth_of_a_small_dataset_is_held_out_where_nothing_else_is_said() {
    let yaml = whole(&SMALL).replace("      validation: { hold_out: 100 }\n", "");
    let workspace = Workspace::new(&yaml);
    let message = stderr(&succeed(&mut workspace.run(&["--stage", "fit"])));
    let told = "540 images to train on, 60 to validate on";
    assert!(message.contains(told), "{message}");
    let summary = workspace.json("runs/fit/summary.json");
    assert_eq!(summary["train_images"], 540);
    assert_eq!(summary["validation_images"], 60);
}

#[test]
fn batches_are_logged_on_request() {
    let workspace = small();
    let log = ["--stage", "fit", "--set", "fit.log_every=4"];
    let message = stderr(&succeed(&mut workspace.run(&log)));
    // 500 images in batches of 32 are 16 steps.
    let lines = message.lines().filter(|line| line.contains("batch "));
    assert_eq!(lines.count(), 4, "{message}");
}

#[test]
fn optimizers_and_schedules_may_be_written_as_bare_names() {
    for setting in [
        "fit.optimizer=adam",
        "fit.optimizer=adamw",
        "fit.optimizer=sgd",
        "fit.optimizer={ sgd: { momentum: 0.9, weight_decay: 0.001 } }",
        "fit.schedule=cosine",
        "fit.schedule={ step: { every: 1, factor: 0.5 } }",
        "fit.validation=test",
    ] {
        let workspace = small();
        succeed(&mut workspace.run(&["--stage", "fit", "--set", setting]));
    }
}

#[test]
fn exported_model_records_what_it_was_made_from() {
    let workspace = small();
    succeed(&mut workspace.run(&[]));
    let images = fixture();
    let check = |settings: &str| {
        workspace.runtime(&[
            "inspect",
            "runs/model.onnx",
            "--check",
            "--weights",
            "runs/fit/best.safetensors",
            "--data",
            images.to_str().unwrap(),
            "--settings",
            settings,
        ])
    };
    let text = stdout(&succeed(&mut check("runs/fit/settings.json")));
    let equal = text.lines().filter(|line| line.contains(" equal: "));
    assert_eq!(equal.count(), 4, "{text}");
    let output = check("runs/fit/summary.json").assert().code(1);
    let message = stderr(output.get_output());
    assert!(
        message.contains("error: the model was not made from"),
        "{message}"
    );
}

#[test]
fn signed_model_is_verified_until_it_changes() {
    let workspace = small();
    succeed(&mut workspace.run(&[]));
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/../signing/fixtures");
    let private = format!("{keys}/private.pem");
    let public = format!("{keys}/public.pem");
    let sign = ["sign", "runs/model.onnx", "--key", &private];
    let verify = ["verify-signature", "runs/model.onnx", "--key", &public];
    succeed(&mut workspace.pipeline(&sign));
    let bundle = workspace.read("runs/model.onnx.sig");
    let text = stdout(&succeed(&mut workspace.runtime(&verify)));
    assert!(text.contains("is what was signed"), "{text}");
    let json = |command: &mut assert_cmd::Command| -> Value {
        serde_json::from_slice(&succeed(command.arg("--json")).stdout).unwrap()
    };
    let signed = json(&mut workspace.pipeline(&sign));
    assert!(workspace.read("runs/model.onnx.sig") == bundle);
    let verified = json(&mut workspace.runtime(&verify));
    for field in ["model", "signature", "key"] {
        assert_eq!(signed[field], verified[field]);
    }

    let mut model = workspace.read("runs/model.onnx");
    *model.last_mut().unwrap() ^= 1;
    workspace.write("runs/model.onnx", model);
    refuse(&mut workspace.runtime(&verify), &["not what was signed"]);
    refuse(
        &mut workspace.pipeline(&["sign", "runs/model.onnx", "--key", &public]),
        &["public.pem", "no private key", "openssl genpkey"],
    );
}
