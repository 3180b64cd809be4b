//! Whoever reads what is printed may stop, like `head`: the work goes on, and
//! nothing is said of it.
#![allow(clippy::unwrap_used)]

use std::process::Stdio;

use assert_cmd::Command;
use tests::{SMALL, Workspace, stdout, succeed, whole};

/// The exit code of a command with these for stdout and stderr.
fn exit_code(command: &Command, [out, err]: [Stdio; 2]) -> Option<i32> {
    let mut process = std::process::Command::new(command.get_program());
    process.args(command.get_args());
    process.current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => process.env(name, value),
            None => process.env_remove(name),
        };
    }
    process.stdout(out).stderr(err).status().unwrap().code()
}

/// The exit code of a command whose stdout and stderr nobody reads.
fn unread(command: &Command) -> Option<i32> {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    exit_code(command, [writer.try_clone().unwrap().into(), writer.into()])
}

#[test]
fn run_that_nobody_reads_goes_on_to_its_end() {
    let page = "  page:\n    report: { eval: score }\n";
    let workspace = Workspace::new(&(whole(&SMALL) + page));
    assert_eq!(unread(&workspace.run(&[])), Some(0));
    let status = stdout(&succeed(&mut workspace.pipeline(&["status"])));
    assert_eq!(status.matches("up to date").count(), 6, "{status}");
}

#[cfg(target_os = "linux")]
#[test]
fn run_whose_log_is_on_a_full_disk_goes_on_to_its_end() {
    let page = "  page:\n    report: { eval: score }\n";
    let workspace = Workspace::new(&(whole(&SMALL) + page));
    let full = || std::fs::File::create("/dev/full").unwrap().into();
    exit_code(&workspace.run(&[]), [full(), full()]);
    let status = stdout(&succeed(&mut workspace.pipeline(&["status"])));
    assert_eq!(status.matches("up to date").count(), 6, "{status}");
}

#[test]
fn commands_that_nobody_reads_end_as_if_somebody_did() {
    let workspace = Workspace::new(&whole(&SMALL));
    for (arguments, code) in [
        (&["status"][..], 0),
        (&["dag"], 0),
        (&["run", "--dry-run"], 0),
        (&["data", "show"], 0),
        (&["model", "list"], 0),
        (&["schema"], 0),
        (&["completions", "bash"], 0),
        (&["--help"], 0),
        (&["init", "pipeline.yaml"], 1),
        (&["run", "--stage", "fitt"], 1),
    ] {
        let found = unread(&workspace.pipeline(arguments));
        assert_eq!(found, Some(code), "pipeline {arguments:?}");
    }
    assert_eq!(unread(&workspace.runtime(&["inspect", "none"])), Some(1));
}
