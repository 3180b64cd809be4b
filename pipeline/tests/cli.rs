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
