//! No network, and no package manager or no program at all.
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use dataset::{DatasetName, fetch};

const FOLDER: &str = "BURNISH_TEST_OFFLINE_FOLDER";

#[test]
fn error_lists_every_source_and_every_file() {
    for name in DatasetName::ALL {
        let message = offline_message(name, Path::new("/nonexistent"));
        for source in name.sources() {
            let line = format!("{source}: ");
            assert!(message.contains(&line), "{line} in:\n{message}");
        }
        assert!(message.contains("`curl` is not installed"), "{message}");
        let refused = message.matches("is not installed").count();
        assert_eq!(refused, name.sources().len(), "{message}");
        assert!(message.contains("put these files"), "{message}");
        for file in dataset::DatasetFile::ALL {
            let Some(sha256) = name.sha256(file) else {
                assert!(
                    message.contains("cifar-10-binary.tar.gz  SHA-256 "),
                    "{message}"
                );
                assert!(message.contains("data_batch_5.bin"), "{message}");
                break;
            };
            let line = format!("{}  SHA-256 {sha256}", file.names()[0]);
            assert!(message.contains(&line), "{line} in:\n{message}");
        }
    }
}

#[cfg(unix)]
#[test]
fn mirror_that_cannot_be_reached_is_told_in_the_words_of_curl() {
    let programs = tempfile::tempdir().unwrap();
    let curl = env::split_paths(&env::var_os("PATH").unwrap())
        .map(|folder| folder.join("curl"))
        .find(|path| path.is_file())
        .expect("the tests need `curl`");
    std::os::unix::fs::symlink(curl, programs.path().join("curl")).unwrap();

    let message = offline_message(DatasetName::Mnist, programs.path());
    // "Failed to connect", to the proxy, once for each mirror.
    assert_eq!(message.matches("curl: (7) ").count(), 2, "{message}");
    assert!(message.contains("`npm` is not installed"), "{message}");
}

/// What [`offline_child`] prints in a process that finds the `programs` alone
/// and can reach nothing.
fn offline_message(name: DatasetName, programs: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env::current_exe().unwrap());
    child
        .args(["--exact", "offline_child", "--ignored", "--nocapture"])
        .env(FOLDER, format!("{name}={}", folder.path().display()))
        .env("PATH", programs);
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(variable, "http://127.0.0.1:1");
    }
    let output = child
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
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
