//! Weights that a training begins with.
#![allow(clippy::unwrap_used)]

use tests::{REST, SMALL, Workspace, digits, fit, refuse, stderr, succeed};

/// A pipeline whose training begins with `weights.safetensors`.
fn pretrained(layers: &[&str], settings: &str) -> String {
    let train = fit(layers).replace(
        "      device: cpu\n",
        &format!("      device: cpu\n      init: weights.safetensors\n{settings}"),
    );
    format!("output: runs\nstages:\n{}{train}{REST}", digits())
}

/// A folder with the weights of [`SMALL`] after an epoch, and their validation
/// accuracy.
fn trained() -> (Workspace, f64) {
    let workspace = Workspace::new(&tests::whole(&SMALL));
    succeed(&mut workspace.run(&["--stage", "fit"]));
    workspace.write(
        "weights.safetensors",
        workspace.read("runs/fit/last.safetensors"),
    );
    let summary = workspace.json("runs/fit/summary.json");
    let accuracy = summary["last"]["validation_accuracy"].as_f64().unwrap();
    (workspace, accuracy)
}

/// [`SMALL`] with other names.
const RENAMED: [&str; 5] = [
    "conv2d: { name: stem, channels: 4, kernel: 5, stride: 2 }",
    "relu",
    "max_pool: 2",
    "flatten",
    "linear: { name: head, features: 10 }",
];

#[test]
fn weights_without_epochs_are_exported_as_they_are() {
    let (workspace, accuracy) = trained();
    let yaml = pretrained(&RENAMED, "").replace("epochs: 1", "epochs: 0");
    workspace.write("pipeline.yaml", yaml);
    let message = stderr(&succeed(&mut workspace.run(&[])));
    for text in ["stem.weight", "conv1.weight", "not trained"] {
        assert!(message.contains(text), "no `{text}` in:\n{message}");
    }
    let summary = workspace.json("runs/fit/summary.json");
    assert_eq!(summary["epochs"], 0);
    assert_eq!(summary["best"]["epoch"], 0);
    assert_eq!(summary["best"]["validation_accuracy"], accuracy);
    assert_eq!(
        workspace.json("runs/proof/verification.json")["images"],
        200
    );
    let message = stderr(&succeed(&mut workspace.run(&[])));
    assert!(message.contains("nothing to do"), "{message}");
}

#[test]
fn training_goes_on_from_the_weights_and_runs_again_when_they_change() {
    let (workspace, _) = trained();
    let first = workspace.json("runs/fit/summary.json")["last"]["train_loss"].as_f64();
    workspace.write("pipeline.yaml", pretrained(&SMALL, ""));
    let only = ["--stage", "fit"];
    let message = stderr(&succeed(&mut workspace.run(&only)));
    assert!(message.contains("4 tensors, matched by name"), "{message}");
    let second = workspace.json("runs/fit/summary.json")["last"]["train_loss"].as_f64();
    assert!(second < first, "{second:?} after {first:?}");

    workspace.write(
        "weights.safetensors",
        workspace.read("runs/fit/last.safetensors"),
    );
    let message = stderr(&succeed(&mut workspace.run(&only)));
    assert!(message.contains("its settings have changed"), "{message}");
}

#[test]
fn weights_of_another_network_are_refused_before_anything_runs() {
    let (workspace, _) = trained();
    let other = ["flatten", "linear: 20", "relu", "linear: 10"];
    workspace.write("pipeline.yaml", pretrained(&other, ""));
    let before = workspace.snapshot();
    refuse(
        &mut workspace.pipeline(&["run"]),
        &[
            "pipeline.yaml:22:13",
            "weights.safetensors holds the weights of another network",
            "`fc1.weight` has the shape [10, 144], but [20, 784] is expected",
            "`fc2.weight` [10, 20] is missing",
            "`conv1.weight` [4, 1, 5, 5] is not in this network",
        ],
    );
    assert!(workspace.snapshot() == before);
}

#[test]
fn weights_that_are_not_finite_are_refused_by_their_name() {
    let (workspace, _) = trained();
    let mut weights = workspace.read("weights.safetensors");
    let last = weights.len() - 4;
    weights[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    workspace.write("weights.safetensors", weights);
    let yaml = pretrained(&SMALL, "").replace("epochs: 1", "epochs: 0");
    workspace.write("pipeline.yaml", yaml);
    refuse(
        &mut workspace.pipeline(&["run"]),
        &["weights.safetensors", "fc1.weight", "infinite or none"],
    );
}

#[test]
fn epochs_are_needed_where_no_weights_are_given() {
    let workspace = Workspace::new(&tests::whole(&SMALL).replace("epochs: 1", "epochs: 0"));
    refuse(
        &mut workspace.pipeline(&["run"]),
        &["`epochs`: must be at least 1, unless `init` brings the weights"],
    );
}
