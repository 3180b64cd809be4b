//! Whatever ends a run, the next one goes on, and the results are those of a
//! run that nothing disturbed, byte for byte.
//!
//! `BURNISH_KILLS` sets how often the sweep kills: 50 by default.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use assert_cmd::Command;
use tests::{REST, Workspace, digits, refuse, stderr, stdout, succeed};

/// Dropout, augmentation, running statistics and a checkpoint every few steps:
/// all that a checkpoint must hold.
const FIT: &str = "  fit:
    train:
      dataset: digits
      model:
        layers:
          - conv2d: { channels: 4, kernel: 5, stride: 2 }
          - batch_norm
          - relu
          - max_pool: 2
          - dropout: 0.3
          - flatten
          - linear: 10
      epochs: 3
      batch_size: 20
      optimizer: adamw
      schedule: cosine
      validation: { hold_out: 100 }
      early_stopping: { patience: 2 }
      augment: { rotate: 10, scale: [0.9, 1.1], elastic: {}, erase: {}, mixup: { alpha: 0.4 } }
      checkpoint: { steps: 6 }
";

const PAGE: &str = "  page: { report: { eval: score } }\n";

fn workspace() -> Workspace {
    let digits = digits();
    Workspace::new(&format!("output: runs\nstages:\n{digits}{FIT}{REST}{PAGE}"))
}

/// What a run makes, without the file that is locked, the times (the page has
/// some: its digest without them stands in pipeline.lock), and the checkpoints,
/// which are there to be thrown away.
fn artefacts(workspace: &Workspace) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = workspace.snapshot().into_iter();
    files
        .map(|(path, (content, _))| {
            let path = path.strip_prefix(workspace.path("")).unwrap().to_owned();
            (path, content)
        })
        .filter(|(path, _)| {
            let passing = [
                "runs/.running",
                "runs/fit/timing.json",
                "runs/page/report.html",
            ];
            !path.starts_with("runs/fit/checkpoints")
                && !passing.iter().any(|name| path == Path::new(name))
        })
        .collect()
}

fn undisturbed() -> BTreeMap<PathBuf, Vec<u8>> {
    let workspace = workspace();
    succeed(&mut workspace.run(&[]));
    artefacts(&workspace)
}

/// `command` as a process that can be killed, with what it says to people.
fn start(command: &Command) -> Child {
    let mut process = Process::new(command.get_program());
    process.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => process.env(name, value),
            None => process.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        process.current_dir(folder);
    }
    let process = process.stdout(Stdio::null()).stderr(Stdio::piped());
    process.spawn().unwrap()
}

/// xorshift64: another point each time, the same in each run of the tests.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn killed_runs_leave_nothing_torn_and_end_as_undisturbed_ones() {
    let kills: u64 = std::env::var("BURNISH_KILLS").map_or(50, |kills| kills.parse().unwrap());
    let expected = undisturbed();
    let mut state = 0x9E37_79B9_7F4A_7C15;
    let mut killed = 0;
    while killed < kills {
        let workspace = workspace();
        // Alternately in the middle of a write, and at any time.
        loop {
            let threads = 1 + killed % 2;
            let mut command = workspace.run(&[]);
            command.env("RAYON_NUM_THREADS", threads.to_string());
            let done = if random(&mut state).is_multiple_of(2) {
                let point = 1 + random(&mut state) % 40;
                command.env("BURNISH_FAULT", format!("kill:{point}"));
                command.output().unwrap().status.success()
            } else {
                let mut child = start(&command);
                std::thread::sleep(Duration::from_millis(random(&mut state) % 400));
                child.kill().unwrap();
                child.wait().unwrap().success()
            };
            if done {
                break;
            }
            killed += 1;
            if killed % 6 == 0 {
                succeed(&mut workspace.run(&[]));
                break;
            }
        }
        let found = artefacts(&workspace);
        let names = |files: &BTreeMap<PathBuf, _>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected));
        for (path, content) in &expected {
            assert!(found[path] == *content, "{} differs", path.display());
        }
    }
}

/// Errors of Linux that writes meet: full disk, full quota, no permission, failing disk.
#[cfg(target_os = "linux")]
const ERRORS: [(u32, &str); 4] = [
    (28, "No space left on device"),
    (122, "quota exceeded"),
    (13, "Permission denied"),
    (5, "Input/output error"),
];

/// A write fails in its middle, so that half of it is there, or before a flush or a rename.
#[cfg(target_os = "linux")]
#[test]
fn writes_that_fail_leave_what_was_there_and_a_message_with_the_path() {
    let every = match std::env::var_os("BURNISH_ALL_FAULTS") {
        Some(_) => 1,
        None => 7,
    };
    let expected = undisturbed();
    let mut failed = 0;
    for (point, (error, text)) in (1..).step_by(every).zip(ERRORS.into_iter().cycle()) {
        let workspace = workspace();
        let mut command = workspace.run(&[]);
        command.env("BURNISH_FAULT", format!("{error}:{point}"));
        let output = command.output().unwrap();
        if output.status.success() {
            break;
        }
        failed += 1;
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{message}");
        for text in [text, "cannot ", "runs"] {
            assert!(message.contains(text), "no `{text}` in:\n{message}");
        }
        assert!(!message.contains("panicked"), "{message}");
        for (path, content) in artefacts(&workspace) {
            let whole = expected.get(&path) == Some(&content)
                // These grow from stage to stage and from epoch to epoch.
                || [Path::new("pipeline.lock"), Path::new("runs/fit/metrics.jsonl")].contains(&&*path);
            assert!(whole, "point {point}: {} is torn", path.display());
        }
        succeed(&mut workspace.run(&[]));
        assert!(artefacts(&workspace) == expected, "point {point}");
    }
    assert!(failed > 10, "only {failed} points failed");
}

#[cfg(unix)]
fn interrupt(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let sent = Process::new("kill").args([signal, &id]).status().unwrap();
    assert!(sent.success());
}

/// Waits for the end of the first epoch of `fit`.
fn wait_for_an_epoch(workspace: &Workspace) {
    let metrics = workspace.path("runs/fit/metrics.jsonl");
    while !metrics.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(unix)]
#[test]
fn first_signal_saves_a_checkpoint_and_exits_with_130() {
    let anew: [(_, &[_]); 2] = [("-INT", &["--fresh"]), ("-TERM", &["--resume", "never"])];
    for (signal, anew) in anew {
        let workspace = workspace();
        let epochs = ["--set", "fit.epochs=3000", "--set", "fit.schedule=constant"];
        let patience = ["--set", "fit.early_stopping.patience=3000"];
        let mut command = workspace.pipeline(&["run", "--stage", "fit"]);
        let child = start(command.args(patience).args(epochs));
        wait_for_an_epoch(&workspace);
        interrupt(&child, signal);
        let output = child.wait_with_output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(130), "{message}");
        assert!(message.contains("interrupted in epoch"), "{message}");
        assert!(message.contains("goes on from there"), "{message}");

        let status = stdout(&succeed(
            workspace.pipeline(&["status"]).args(patience).args(epochs),
        ));
        let fit = status.lines().find(|line| line.starts_with("fit")).unwrap();
        assert!(
            fit.contains("has to run: interrupted in epoch "),
            "{status}"
        );
        assert!(fit.ends_with("; goes on from there"), "{status}");

        let run = || workspace.pipeline(&["run", "--stage", "fit"]);
        let message = refuse(run().args(["--resume", "auto"]), &["--fresh"]);
        assert!(
            message.contains("training.settings.epochs: 3000, now 3"),
            "{message}"
        );
        succeed(run().args(anew));
    }
}

#[test]
fn training_that_was_asked_for_once_more_goes_on_too() {
    let workspace = workspace();
    succeed(&mut workspace.run(&[]));
    let expected = artefacts(&workspace);
    let told = "interrupted in epoch 1; goes on from there";
    // Later and later, until there is a checkpoint.
    let interrupted = (10..300).step_by(10).any(|point| {
        let mut forced = workspace.run(&["--stage", "fit", "--force"]);
        forced.env("BURNISH_FAULT", format!("kill:{point}"));
        assert!(!forced.output().unwrap().status.success());
        stdout(&succeed(&mut workspace.pipeline(&["status"]))).contains(told)
    });
    assert!(interrupted);
    succeed(&mut workspace.run(&[]));
    assert!(artefacts(&workspace) == expected);
}

/// One step an epoch, which takes a good part of a second.
const SLOW: &str = "  fit:
    train:
      dataset: digits
      model:
        layers:
          - conv2d: { channels: 32, kernel: 5 }
          - relu
          - conv2d: { channels: 64, kernel: 5 }
          - relu
          - max_pool: 20
          - flatten
          - linear: 10
      epochs: 3000
      batch_size: 500
      validation: { hold_out: 100 }
      checkpoint: { seconds: 3600 }
";

#[cfg(unix)]
#[test]
fn second_signal_ends_at_once_and_saves_nothing() {
    // The first may come so late that the step is over before the second.
    let ended_at_once = (0..5).any(|_| {
        let workspace = Workspace::new(&format!("output: runs\nstages:\n{}{SLOW}", digits()));
        let child = start(&workspace.run(&[]));
        wait_for_an_epoch(&workspace);
        interrupt(&child, "-INT");
        std::thread::sleep(Duration::from_millis(20));
        interrupt(&child, "-INT");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
        !workspace.path("runs/fit/checkpoints").exists()
    });
    assert!(ended_at_once);
}

#[test]
fn second_run_says_who_holds_the_folder_or_waits() {
    let workspace = workspace();
    let long = [
        "--set",
        "fit.epochs=60",
        "--set",
        "fit.early_stopping.patience=60",
    ];
    let mut first = start(workspace.pipeline(&["run", "--stage", "fit"]).args(long));
    wait_for_an_epoch(&workspace);
    let process = format!("process {}, for ", first.id());
    let mut second = workspace.pipeline(&["run", "--stage", "fit"]);
    refuse(second.args(long), &["another run", &process, "--wait"]);

    let mut third = workspace.pipeline(&["run", "--stage", "fit", "--wait"]);
    let message = stderr(&succeed(third.args(long)));
    assert!(first.wait().unwrap().success());
    assert!(message.contains("waiting: another run"), "{message}");
    assert!(message.contains("[fit] train is up to date"), "{message}");
}

#[test]
fn eight_runs_at_once_make_one_result() {
    let expected = undisturbed();
    let workspace = workspace();
    let runs: Vec<Child> = (0..8).map(|_| start(&workspace.run(&["--wait"]))).collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert!(artefacts(&workspace) == expected);
}
