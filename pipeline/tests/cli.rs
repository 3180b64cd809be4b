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
