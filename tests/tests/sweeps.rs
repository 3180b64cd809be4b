//! `matrix:` one run for each combination, side by side.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tests::{SMALL, Workspace, refuse, stderr, stdout, succeed, whole};

/// [`SMALL`] with two learning rates and two seeds.
fn sweep() -> Workspace {
    let matrix = "matrix:\n  fit.learning_rate: [0.01, 0.0001]\n  fit.seed: [1, 2]\n";
    Workspace::new(&format!("{matrix}{}", whole(&SMALL)))
}

const RUNS: [&str; 4] = [
    "learning_rate=0.01,seed=1",
    "learning_rate=0.01,seed=2",
    "learning_rate=0.0001,seed=1",
    "learning_rate=0.0001,seed=2",
];

/// What `pipeline sweep` knows.
fn results(workspace: &Workspace) -> Value {
    let output = succeed(&mut workspace.pipeline(&["sweep", "--json"]));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_combination_runs_once_and_the_best_stands_first() {
    let workspace = sweep();
    let output = succeed(&mut workspace.run(&[]));
    for run in RUNS {
        assert!(workspace.path(&format!("runs/{run}/model.onnx")).is_file());
    }
    let table = stdout(&output);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[1][..2], ["0.01", "2"], "{table}");
    assert_eq!(rows[2][..2], ["0.0001", "2"], "{table}");

    let found = results(&workspace);
    assert_eq!(found["runs"].as_array().unwrap().len(), 4);
    let best = &found["best"][0];
    assert_eq!(best["values"]["fit.learning_rate"], 0.01);
    let accuracy = |run: &str| {
        let summary = workspace.json(&format!("runs/{run}/fit/summary.json"));
        summary["best"]["validation_accuracy"].as_f64().unwrap()
    };
    let mean = (accuracy(RUNS[0]) + accuracy(RUNS[1])) / 2.0;
    let found_mean = best["validation_accuracy"]["mean"].as_f64().unwrap();
    assert!((found_mean - mean).abs() < 1e-12);

    let before = workspace.snapshot();
    let message = stderr(&succeed(&mut workspace.run(&[])));
    assert_eq!(message.matches("is up to date").count(), 4, "{message}");
    assert!(workspace.snapshot() == before);
}

#[test]
fn both_accuracies_are_of_the_training_that_is_evaluated() {
    let settings = "dataset: digits, model: lenet5, epochs: 1, learning_rate: 1.0e-9";
    let other = format!("  first: {{ train: {{ {settings}, device: cpu }} }}\n");
    let stages = whole(&SMALL).replace("stages:\n", &format!("stages:\n{other}"));
    let workspace = Workspace::new(&format!("matrix:\n  fit.seed: [1]\n{stages}"));
    succeed(&mut workspace.run(&[]));
    let accuracy = |training: &str| {
        let summary = workspace.json(&format!("runs/seed=1/{training}/summary.json"));
        summary["best"]["validation_accuracy"].clone()
    };
    assert_ne!(accuracy("first"), accuracy("fit"));
    let found = results(&workspace);
    assert_eq!(found["runs"][0]["validation_accuracy"], accuracy("fit"));
}

#[test]
fn what_is_wrong_in_the_file_is_told_with_its_own_lines() {
    let stages = whole(&SMALL).replace("batch_size: 32", "batch_size: 0");
    let yaml = format!("# One\nmatrix:\n  fit.seed: [1, 2]\n{stages}");
    let line = 1 + yaml
        .lines()
        .position(|line| line.contains("batch_size"))
        .unwrap();
    let place = format!("pipeline.yaml:{line}:");
    refuse(&mut Workspace::new(&yaml).pipeline(&["status"]), &[&place]);
}

#[test]
fn sweep_that_was_cut_short_goes_on_where_it_was() {
    let workspace = sweep();
    let first = "matrix={ fit.learning_rate: [0.01], fit.seed: [1] }";
    succeed(&mut workspace.run(&["--set", first]));
    let found = results(&workspace);
    let done = found["runs"].as_array().unwrap().iter();
    let done: Vec<bool> = done.map(|run| run["done"].as_bool().unwrap()).collect();
    assert_eq!(done, [true, false, false, false]);

    let weights = format!("runs/{}/fit/best.safetensors", RUNS[0]);
    let before = workspace.snapshot()[&workspace.path(&weights)].1;
    succeed(&mut workspace.run(&[]));
    assert_eq!(workspace.snapshot()[&workspace.path(&weights)].1, before);
    assert!(results(&workspace)["runs"][3]["done"].as_bool().unwrap());
}

#[test]
fn run_that_diverges_does_not_stop_the_others() {
    let workspace = sweep();
    let matrix = "matrix={ fit.learning_rate: [1.0e+30, 0.01] }";
    let sgd = "fit.optimizer=sgd";
    let run = |json: &[&str]| {
        let arguments = [&["--set", matrix, "--set", sgd], json].concat();
        let output = workspace.run(&arguments).output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{message}");
        for text in ["given up", "error: 1 of 2 runs were given up"] {
            assert!(message.contains(text), "no `{text}` in:\n{message}");
        }
        stdout(&output)
    };
    let why = "the loss is no longer a finite number in epoch 1";
    let table = run(&[]);
    assert!(table.contains("1 of 2 runs are not done"), "{table}");
    let reason = format!("  learning_rate=1e30: {why}");
    assert!(table.contains(&reason), "{table}");
    let found: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    let error = found["runs"][0]["error"].as_str().unwrap();
    assert!(error.contains(why), "{error}");
    assert!(found["runs"][1]["done"].as_bool().unwrap());
    assert!(found["runs"][1]["error"].is_null());
}

#[test]
fn setting_of_the_matrix_cannot_be_set_beside_it() {
    let workspace = sweep();
    refuse(
        &mut workspace.pipeline(&["run", "--set", "train.seed=9"]),
        &["`train.seed` has its values in `matrix`, as `fit.seed`"],
    );
    assert_eq!(workspace.files(), ["pipeline.yaml"]);
}

#[test]
fn setting_that_is_not_there_is_refused_with_what_was_meant() {
    for (from, to, texts) in [
        (
            "fit.seed",
            "fit.sed",
            ["no setting `sed`", "did you mean `seed`?"],
        ),
        ("fit.seed", "fti.seed", ["`fti`", "did you mean `fit`?"]),
    ] {
        let workspace = sweep();
        let yaml = String::from_utf8(workspace.read("pipeline.yaml")).unwrap();
        workspace.write("pipeline.yaml", yaml.replace(from, to));
        let message = refuse(&mut workspace.pipeline(&["run"]), &texts);
        assert!(message.contains("pipeline.yaml:3:"), "{message}");
    }
}

#[test]
fn pipeline_without_a_matrix_has_no_table() {
    let workspace = Workspace::new(&whole(&SMALL));
    refuse(&mut workspace.pipeline(&["sweep"]), &["has no `matrix`"]);
}
