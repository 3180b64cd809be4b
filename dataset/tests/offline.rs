//! No network and no package manager.
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::process::Command;

use dataset::{DatasetName, fetch};

const FOLDER: &str = "BURNISH_TEST_OFFLINE_FOLDER";

#[test]
fn error_lists_every_source_and_every_file() {
    for name in DatasetName::ALL {
        let folder = tempfile::tempdir().unwrap();
        let message = offline_message(name, folder.path().to_str().unwrap());
        for source in name.sources() {
            assert!(
                message.contains(&source.to_string()),
                "{source} in:\n{message}"
            );
        }
        assert!(message.contains("is not installed"), "{message}");
        assert!(message.contains("put these files"), "{message}");
        for file in dataset::DatasetFile::ALL {
            let line = format!("{}  SHA-256 {}", file.names()[0], name.sha256(file));
            assert!(message.contains(&line), "{line} in:\n{message}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// What [`offline_child`] prints in a process that can reach nothing.
fn offline_message(name: DatasetName, folder: &str) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "offline_child", "--ignored", "--nocapture"])
        .env(FOLDER, format!("{name}={folder}"))
        .env("PATH", "/nonexistent")
        .env("ALL_PROXY", "http://127.0.0.1:1")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "runs in a process of its own"]
fn offline_child() {
    if let Ok(task) = env::var(FOLDER) {
        let (name, folder) = task.split_once('=').unwrap();
        println!(
            "{}",
            fetch(name.parse().unwrap(), folder.as_ref()).unwrap_err()
        );
    }
}
