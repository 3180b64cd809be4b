//! What the pipeline tells of its runs.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tests::{SMALL, Workspace, digits, fixture, refuse, stderr, stdout, succeed, whole};

/// Two runs, side by side, which differ in their seed and number of epochs.
fn two_runs() -> Workspace {
    let workspace = Workspace::new(&whole(&SMALL));
    for set in [
        ["output=runs/a", "fit.seed=1", "fit.epochs=1"],
        ["output=runs/b", "fit.seed=2", "fit.epochs=2"],
    ] {
        let set = set.iter().flat_map(|value| ["--set", value]);
        succeed(&mut workspace.run(&set.collect::<Vec<_>>()));
    }
    workspace
}

fn json(workspace: &Workspace, arguments: &[&str]) -> Value {
    let output = succeed(&mut workspace.pipeline(arguments));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn runs_are_listed_with_their_metrics() {
    let workspace = two_runs();
    let text = stdout(&succeed(&mut workspace.pipeline(&["runs"])));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    for column in [
        "run", "model", "dataset", "accuracy", "loss", "seconds", "settings",
    ] {
        assert!(lines[0].contains(column), "{text}");
    }
    assert!(lines[1].starts_with("runs/a/fit"), "{text}");

    let runs = json(&workspace, &["runs", "--json"]);
    for (index, folder) in ["a", "b"].into_iter().enumerate() {
        let evaluation = workspace.json(&format!("runs/{folder}/score/evaluation.json"));
        let summary = workspace.json(&format!("runs/{folder}/fit/summary.json"));
        let run = &runs[index];
        assert_eq!(run["name"], format!("runs/{folder}/fit"));
        assert_eq!(run["accuracy"], evaluation["accuracy"]);
        assert_eq!(run["loss"], evaluation["loss"]);
        assert_eq!(run["epochs"], summary["epochs"]);
        assert_eq!(run["dataset"], "digits");
        assert!(run["seconds"].as_f64().unwrap() > 0.0);
        assert!(run["date"].as_str().unwrap().starts_with("20"));
    }
    assert_ne!(runs[0]["digest"], runs[1]["digest"]);
}

#[test]
fn evaluation_of_other_weights_is_not_told() {
    let workspace = two_runs();
    let fit = [
        "--stage",
        "fit",
        "--set",
        "output=runs/a",
        "--set",
        "fit.seed=3",
    ];
    succeed(&mut workspace.run(&fit));
    let runs = json(&workspace, &["runs", "runs/a", "--json"]);
    assert!(runs[0]["accuracy"].is_null(), "{runs}");
    assert!(runs[0]["validation_accuracy"].is_f64(), "{runs}");
}

#[test]
fn runs_of_the_same_weights_have_each_its_own_evaluation() {
    let other = digits().replace("  digits:", "  other:");
    let workspace = Workspace::new(&format!("{}{other}", whole(&SMALL)));
    // Its test images are those that the network was trained on.
    let [digits, others] = [fixture(), workspace.path("others")];
    for kind in ["images-idx3", "labels-idx1"] {
        let train = digits.join(format!("train-{kind}-ubyte.gz"));
        for part in ["train", "t10k"] {
            let name = format!("others/{part}-{kind}-ubyte.gz");
            workspace.write(&name, std::fs::read(&train).unwrap());
        }
    }
    let dir = format!("other.dir={}", others.display());
    succeed(&mut workspace.run(&["--set", "output=runs/a"]));
    let sets = ["output=runs/b", "score.dataset=other", &dir];
    let sets = sets.iter().flat_map(|value| ["--set", value]);
    succeed(&mut workspace.run(&sets.collect::<Vec<_>>()));

    let runs = json(&workspace, &["runs", "--json"]);
    let weights = ["a", "b"].map(|run| workspace.read(&format!("runs/{run}/fit/last.safetensors")));
    assert!(weights[0] == weights[1]);
    for (index, folder) in ["a", "b"].into_iter().enumerate() {
        let evaluation = workspace.json(&format!("runs/{folder}/score/evaluation.json"));
        assert_eq!(runs[index]["loss"], evaluation["loss"]);
    }
    assert_ne!(runs[0]["loss"], runs[1]["loss"]);
}

#[test]
fn differences_are_marked_and_nothing_else() {
    let workspace = two_runs();
    let text = stdout(&succeed(&mut workspace.pipeline(&[
        "diff",
        "runs/a",
        "runs/b/fit",
    ])));
    let marked = |name: &str| {
        let line = text
            .lines()
            .find(|line| line.trim_start_matches(['≠', ' ']).starts_with(name));
        line.unwrap_or_else(|| panic!("no {name}:\n{text}"))
            .starts_with('≠')
    };
    for name in ["epochs ", "seed ", "epochs that ran ", "accuracy ", "loss "] {
        assert!(marked(name), "{name}:\n{text}");
    }
    for name in ["learning_rate ", "batch_size ", "dataset ", "parameters "] {
        assert!(!marked(name), "{name}:\n{text}");
    }

    let difference = json(&workspace, &["diff", "runs/a", "runs/b", "--json"]);
    let different = |part: &str| {
        let lines = difference[part].as_array().unwrap().iter();
        let lines = lines.filter(|line| line["equal"] == false);
        lines
            .map(|line| line["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(different("settings"), ["epochs", "seed"]);
    #[cfg(unix)]
    std::os::unix::fs::symlink("a/fit", workspace.path("runs/link")).unwrap();
    for (folder, a, b) in [
        #[cfg(unix)]
        ("runs", "link", "b"),
        #[cfg(unix)]
        ("runs", "link/", "b"),
        ("runs/a", "fit", "../b/fit"),
        ("runs/a/fit/checkpoints", "..", "../../../b/fit"),
        ("runs/a/fit/checkpoints", "../..", "../../../b"),
    ] {
        let mut within = workspace.pipeline(&["diff", a, b, "--json"]);
        let within = succeed(within.current_dir(workspace.path(folder)));
        let within: Value = serde_json::from_slice(&within.stdout).unwrap();
        assert_eq!(within["metrics"], difference["metrics"]);
    }
    let same = json(&workspace, &["diff", "runs/a", "runs/a", "--json"]);
    let lines = ["settings", "metrics"].map(|part| same[part].as_array().unwrap().clone());
    assert!(
        lines.concat().iter().all(|line| line["equal"] == true),
        "{same}"
    );
}

#[test]
fn folders_without_one_run_are_told() {
    let workspace = two_runs();
    let several = ["several runs in runs", "runs/a/fit", "runs/b/fit"];
    refuse(
        &mut workspace.pipeline(&["diff", "runs", "runs/a"]),
        &several,
    );
    refuse(
        &mut workspace.pipeline(&["diff", "runs/a/score", "runs/a"]),
        &["no finished run in runs/a/score"],
    );
    refuse(
        &mut workspace.pipeline(&["runs", "none"]),
        &["cannot read the folder none"],
    );
    let message = stderr(&succeed(&mut workspace.pipeline(&["runs", "runs/a/score"])));
    assert_eq!(message, "no run is there yet\n");
}

#[test]
fn stages_and_their_states_are_told_to_programs() {
    let workspace = Workspace::new(&whole(&SMALL));
    succeed(&mut workspace.run(&["--stage", "fit"]));
    let status = json(&workspace, &["status", "--json"]);
    assert_eq!(status[1]["stage"], "fit");
    assert_eq!(status[1]["up_to_date"], true);
    assert!(status[1]["reason"].is_null());
    assert_eq!(status[2]["reason"], "it has not run yet");

    let dag = json(&workspace, &["dag", "--json"]);
    assert_eq!(dag[4]["kind"], "eval");
    assert_eq!(dag[4]["after"], serde_json::json!(["onnx", "proof"]));
}
