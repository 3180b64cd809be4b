//! The command line itself; what its commands do is tested end to end.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;

fn pipeline(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("pipeline").unwrap();
    command.args(arguments);
    command
}

#[test]
fn help_and_version_are_no_errors() {
    for arguments in [&["--help"][..], &["--version"], &["run", "--help"]] {
        let output = pipeline(arguments).assert().success().get_output().clone();
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn wrong_command_lines_are_errors_the_user_can_fix() {
    for arguments in [
        &[][..],
        &["walk"],
        &["run", "--epochs", "3"],
        &["run", "a", "b"],
    ] {
        pipeline(arguments).assert().failure().code(1);
    }
}

#[test]
fn shells_get_completions_and_man_a_page_for_each_command() {
    let output = pipeline(&["completions", "zsh"]).assert().success();
    let script = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(script.starts_with("#compdef pipeline"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    pipeline(&["man", path]).assert().success();
    for page in ["pipeline.1", "pipeline-run.1", "pipeline-sign.1"] {
        assert!(folder.path().join(page).exists(), "{page}");
    }
}

#[test]
fn built_in_networks_are_listed() {
    let output = pipeline(&["model", "list"]).assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(
        text.contains("resnet-cifar") && text.contains("272,474"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn summary_shows_every_layer_at_the_shape_that_is_asked_for() {
    let arguments = ["model", "summary", "lenet5", "--input", "3x32x32", "--json"];
    let output = pipeline(&arguments).assert().success();
    let summary: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(summary["total"]["parameters"], 62_006);
    assert_eq!(
        summary["layers"][0]["output"],
        serde_json::json!([6, 28, 28])
    );
}

#[test]
fn network_that_is_not_there_is_told_with_the_nearest_name() {
    let output = pipeline(&["model", "summary", "lenet"]).assert().failure();
    let text = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(text.contains("did you mean `lenet5`?"), "{text}");
}

#[test]
fn schema_is_json_and_knows_the_settings() {
    let output = pipeline(&["schema"]).assert().success();
    let schema: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let train = &schema["definitions"]["TrainConfig"];
    assert_eq!(train["additionalProperties"], false);
    assert!(train["properties"]["learning_rate"].is_object(), "{train}");
}
