//! What a program writes, read as it comes.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::command::{message, not_started};
use super::source::SourceError;

/// The output of a program that runs until it is read to its end or dropped.
/// Where the program fails, reading does, with what the program wrote to
/// stderr: an end that is read without an error is the end of the content.
pub(super) struct Stream {
    child: Child,
    stdout: ChildStdout,
    stderr: File,
}

impl Stream {
    /// Starts `command`.
    pub(super) fn of(command: &mut Command) -> Result<Self, SourceError> {
        let parent = std::env::temp_dir();
        let scratch = |error| artifact::Error::new("make a file in", &parent)(error);
        // A file, since a pipe that nobody reads could fill up and block.
        let stderr = tempfile::tempfile_in(&parent).map_err(scratch)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr.try_clone().map_err(scratch)?)
            .spawn()
            .map_err(|error| not_started(command, error))?;
        let stdout = child.stdout.take().expect("stdout is piped");
        Ok(Self {
            child,
            stdout,
            stderr,
        })
    }

    fn check_status(&mut self) -> io::Result<()> {
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        let mut text = Vec::new();
        self.stderr.rewind()?;
        self.stderr.read_to_end(&mut text)?;
        Err(io::Error::other(message(&text, status)))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stdout.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.check_status()?;
        }
        Ok(count)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Both fail only for a program that has ended, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn shell(script: &str) -> Stream {
        Stream::of(Command::new("/bin/sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn output_is_read_to_its_end() {
        let mut text = String::new();
        shell("echo one; echo two")
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn failure_after_some_output_is_no_end() {
        let mut content = Vec::new();
        let mut stream = shell("echo half; echo 'curl: (18) cut off' >&2; exit 18");
        let error = stream.read_to_end(&mut content).unwrap_err();
        assert_eq!(content, b"half\n");
        assert_eq!(error.to_string(), "curl: (18) cut off");
        // Nor is it one when asked again.
        assert!(stream.read(&mut [0]).is_err());
    }

    #[test]
    fn long_complaints_do_not_block_the_output() {
        let script = "head -c 1000000 /dev/zero >&2; echo done";
        let mut text = String::new();
        shell(script).read_to_string(&mut text).unwrap();
        assert_eq!(text, "done\n");
    }

    #[test]
    fn program_that_is_not_read_to_its_end_is_ended() {
        let started = Instant::now();
        let mut stream = shell("echo first; exec sleep 60");
        stream.read_exact(&mut [0; 6]).unwrap();
        drop(stream);
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn program_that_is_not_there_is_named() {
        let error = Stream::of(&mut Command::new("/nonexistent/curl")).err();
        assert_eq!(
            error.unwrap().to_string(),
            "`/nonexistent/curl` is not installed"
        );
    }
}
