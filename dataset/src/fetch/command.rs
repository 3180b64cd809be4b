//! Running the programs that download packages.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::source::SourceError;

const POLL_INTERVAL: Duration = Duration::from_millis(50);
const MESSAGE_CHARS: usize = 300;

/// Runs `command` in `folder`, with its output in the file `stdout` there,
/// for at most `limit`.
pub(super) fn run(
    command: &mut Command,
    folder: &Path,
    stdout: &str,
    limit: Duration,
) -> Result<(), SourceError> {
    let create = |name: &str| {
        let path = folder.join(name);
        File::create(&path).map_err(artifact::Error::new("write", &path))
    };
    let line = command_line(command);
    let child = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(create(stdout)?)
        .stderr(create("stderr")?)
        .spawn()
        .map_err(|error| not_started(command, error))?;

    let spinner = ProgressBar::new_spinner().with_message(line.clone());
    spinner.enable_steady_tick(Duration::from_millis(100));
    let status = wait(child, limit);
    spinner.finish_and_clear();
    match status {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(SourceError::Command {
            command: line,
            message: message(&fs::read(folder.join("stderr")).unwrap_or_default(), status),
        }),
        Ok(None) => Err(SourceError::Timeout {
            command: line,
            limit,
        }),
        Err(error) => Err(not_started(command, error)),
    }
}

/// The status of `child`; none when it was killed at the end of `limit`.
fn wait(mut child: Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    while started.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(POLL_INTERVAL);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Why the operating system did not run `command`.
pub(super) fn not_started(command: &Command, error: std::io::Error) -> SourceError {
    let program = command.get_program().to_string_lossy().into_owned();
    match error.kind() {
        ErrorKind::NotFound => SourceError::NotInstalled(program),
        _ => SourceError::Command {
            command: program,
            message: error.to_string(),
        },
    }
}

fn command_line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args().map(|text| text.to_string_lossy()) {
        // Options are settings of ours that say nothing to the reader.
        if !argument.starts_with('-') && !argument.contains('=') {
            line = format!("{line} {argument}");
        }
    }
    line
}

/// What a failed program wrote to `stderr`: its lines on errors, else its last
/// line, else its status.
pub(super) fn message(stderr: &[u8], status: ExitStatus) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let errors: Vec<_> = lines().filter(|line| is_error(line)).take(3).collect();
    let message = match errors.as_slice() {
        [] => lines()
            .next_back()
            .map_or_else(|| status.to_string(), str::to_owned),
        errors => errors.join("; "),
    };
    message.chars().take(MESSAGE_CHARS).collect()
}

/// Whether npm ("npm error"), apt ("E: "), dpkg ("error: ") or curl
/// ("curl: (6) ") reports an error.
fn is_error(line: &str) -> bool {
    let names_a_log = line.contains("complete log of this run");
    let begins_as_one = line.starts_with("E: ") || line.starts_with("curl: (");
    (begins_as_one || line.to_lowercase().contains("error")) && !names_a_log
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn run_shell(script: &str, limit: Duration) -> SourceError {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("/bin/sh");
        run(command.args(["-c", script]), folder.path(), "stdout", limit).unwrap_err()
    }

    #[test]
    fn program_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("/nonexistent/npm");
        let error = run(&mut command, folder.path(), "stdout", UNHURRIED).unwrap_err();
        assert_eq!(error.to_string(), "`/nonexistent/npm` is not installed");
    }

    #[test]
    fn failure_is_told_by_the_lines_on_errors() {
        let script = "echo npm error code E404 >&2; echo npm error A complete log of this run is in x >&2; exit 1";
        let error = run_shell(script, UNHURRIED);
        assert!(
            matches!(&error, SourceError::Command { message, .. } if message == "npm error code E404"),
            "{error}"
        );
    }

    #[test]
    fn advice_after_the_error_is_left_out() {
        let script =
            "echo 'curl: (60) SSL certificate problem' >&2; echo visit the web page >&2; exit 60";
        let error = run_shell(script, UNHURRIED);
        assert!(
            matches!(&error, SourceError::Command { message, .. } if message == "curl: (60) SSL certificate problem"),
            "{error}"
        );
    }

    #[test]
    fn silent_failure_is_told_by_its_status() {
        let error = run_shell("exit 3", UNHURRIED);
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }

    #[test]
    fn program_that_hangs_is_killed_at_its_limit() {
        let started = Instant::now();
        let error = run_shell("exec sleep 60", Duration::from_millis(100));
        assert!(matches!(error, SourceError::Timeout { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    const UNHURRIED: Duration = Duration::from_secs(60);
}
