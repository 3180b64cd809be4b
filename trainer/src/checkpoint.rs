//! Where a training stands, on disk, so that it can go on from there.
//!
//! A checkpoint is one tar file, `checkpoints/step-00001200.tar`: `state.cbor`
//! (RFC 8949: its numbers come back to the last bit) and, as burnpack and
//! safetensors, the network, the optimizer and the best weights so far.
//! `state.cbor` holds the SHA-256 of the others.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use artifact::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::progress::Progress;

/// Folder of the checkpoints, in that of the results.
const FOLDER: &str = "checkpoints";
const STATE: &str = "state.cbor";
const NETWORK: &str = "network.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const BEST: &str = "best.safetensors";

/// The largest part that is read, in bytes: a network of 500 million
/// parameters.
const LARGEST_PART: u64 = 1 << 31;

/// The largest `state.cbor`: a hundred thousand epochs.
const LARGEST_STATE: u64 = 1 << 26;

/// Where a training stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checkpoint {
    /// What is trained, and on what: equal for two trainings with equal results.
    pub(crate) identity: Value,
    pub(crate) progress: Progress,
    /// Burnpack.
    pub(crate) network: Vec<u8>,
    /// Burnpack.
    pub(crate) optimizer: Vec<u8>,
    /// The weights of the best epoch so far, as safetensors.
    pub(crate) best: Option<Vec<u8>>,
}

/// A checkpoint that is not whole.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read, or is no archive.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// A part is not there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A part is there twice.
    #[error("`{0}` is there twice")]
    Duplicate(&'static str),
    /// An entry that no checkpoint has.
    #[error("`{}` is no part of a checkpoint", .0.display())]
    Foreign(PathBuf),
    /// A part is larger than it can be.
    #[error("`{name}` cannot have {size} bytes")]
    Size {
        /// The part.
        name: &'static str,
        /// The size that the archive says it has.
        size: u64,
    },
    /// The state is not what it should be.
    #[error("`{STATE}` is damaged: {0}")]
    State(String),
    /// A part has not the SHA-256 that the state says.
    #[error("`{0}` is not what was saved")]
    Altered(&'static str),
}

/// `state.cbor`.
#[derive(Deserialize, Serialize)]
struct State {
    identity: Value,
    progress: Progress,
    parts: BTreeMap<String, Sha256>,
}

impl Checkpoint {
    /// Writes the checkpoint into the folder of the results, and deletes all
    /// but the newest `keep`.
    pub(crate) fn save(&self, results: &Path, keep: usize) -> Result<(), Error> {
        let folder = results.join(FOLDER);
        let path = folder.join(format!("step-{:08}.tar", self.progress.steps));
        artifact::write(&path, |file| self.write(file))?;
        for old in saved(&folder).into_iter().rev().skip(keep.max(1)) {
            fs::remove_file(&old).map_err(artifact::Error::new("delete", &old))?;
        }
        Ok(())
    }

    fn write(&self, file: &mut dyn Write) -> io::Result<()> {
        let parts = [
            (NETWORK, Some(&self.network)),
            (OPTIMIZER, Some(&self.optimizer)),
            (BEST, self.best.as_ref()),
        ];
        let parts = || {
            parts
                .iter()
                .filter_map(|(name, part)| Some((*name, (*part)?)))
        };
        let state = State {
            identity: self.identity.clone(),
            progress: self.progress.clone(),
            parts: parts()
                .map(|(name, part)| (name.to_owned(), Sha256::of_bytes(part)))
                .collect(),
        };
        let mut archive = tar::Builder::new(file);
        let mut bytes = Vec::new();
        ciborium::into_writer(&state, &mut bytes).map_err(io::Error::other)?;
        append(&mut archive, STATE, &bytes)?;
        for (name, part) in parts() {
            append(&mut archive, name, part)?;
        }
        archive.finish()
    }

    /// The newest checkpoint that is whole, and the newer ones that are not,
    /// each with the reason.
    pub(crate) fn latest(results: &Path) -> (Option<Self>, Vec<(PathBuf, CheckpointError)>) {
        let mut damaged = Vec::new();
        for path in saved(&results.join(FOLDER)).into_iter().rev() {
            match Self::read(&path) {
                Ok(checkpoint) => return (Some(checkpoint), damaged),
                Err(error) => damaged.push((path, error)),
            }
        }
        (None, damaged)
    }

    fn read(path: &Path) -> Result<Self, CheckpointError> {
        let mut parts = read_parts(path)?;
        let mut take = |name: &'static str| parts.remove(name);
        let state = take(STATE).ok_or(CheckpointError::Missing(STATE))?;
        let state: State = ciborium::from_reader(state.as_slice())
            .map_err(|error| CheckpointError::State(error.to_string()))?;
        let mut checked = |name| match (take(name), state.parts.get(name)) {
            (Some(part), Some(digest)) if Sha256::of_bytes(&part) == *digest => Ok(Some(part)),
            (Some(_), _) => Err(CheckpointError::Altered(name)),
            (None, Some(_)) => Err(CheckpointError::Missing(name)),
            (None, None) => Ok(None),
        };
        Ok(Self {
            network: checked(NETWORK)?.ok_or(CheckpointError::Missing(NETWORK))?,
            optimizer: checked(OPTIMIZER)?.ok_or(CheckpointError::Missing(OPTIMIZER))?,
            best: checked(BEST)?,
            identity: state.identity,
            progress: state.progress,
        })
    }

    /// Deletes what a writer that was killed left.
    pub(crate) fn sweep(results: &Path) -> Result<(), Error> {
        Ok(artifact::sweep_folder(&results.join(FOLDER))?)
    }

    /// Deletes all checkpoints.
    pub(crate) fn clear(results: &Path) -> Result<(), Error> {
        let folder = results.join(FOLDER);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(artifact::Error::new("delete", &folder)(error).into())
            }
            _ => Ok(()),
        }
    }
}

/// Reads the checkpoint at `path` and says whether it is whole.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_checkpoint(path: &Path) -> Result<(), CheckpointError> {
    Checkpoint::read(path).map(|_| ())
}

/// The parts of the archive at `path`, by name.
fn read_parts(path: &Path) -> Result<BTreeMap<&'static str, Vec<u8>>, CheckpointError> {
    let file = fs::File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut archive = tar::Archive::new(file);
    let mut parts = BTreeMap::new();
    // Raw: without the extensions by which a small file has large parts.
    for entry in archive.entries()?.raw(true) {
        let (name, part) = read_part(entry?, bytes)?;
        if parts.insert(name, part).is_some() {
            return Err(CheckpointError::Duplicate(name));
        }
    }
    Ok(parts)
}

/// Name and content of an entry in an archive of so many `bytes`.
fn read_part(
    mut entry: tar::Entry<'_, fs::File>,
    bytes: u64,
) -> Result<(&'static str, Vec<u8>), CheckpointError> {
    let path = entry.path()?.into_owned();
    let known = [STATE, NETWORK, OPTIMIZER, BEST].into_iter();
    let name = known.into_iter().find(|name| path == Path::new(name));
    let name = name
        .filter(|_| entry.header().entry_type().is_file())
        .ok_or(CheckpointError::Foreign(path))?;
    let size = entry.size();
    let limit = match name {
        STATE => LARGEST_STATE,
        _ => LARGEST_PART,
    };
    if size > limit.min(bytes) {
        return Err(CheckpointError::Size { name, size });
    }
    let mut part = Vec::with_capacity(size as usize);
    entry.read_to_end(&mut part)?;
    if part.len() as u64 == size {
        Ok((name, part))
    } else {
        Err(CheckpointError::Size { name, size })
    }
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, part: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(part.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, part)
}

/// The checkpoints in a folder, oldest first.
fn saved(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "tar"))
        .collect();
    paths.sort();
    paths
}

/// Where two identities differ, a line each: `settings.seed: 1, now 2`.
pub(crate) fn differences(then: &Value, now: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare(String::new(), then, now, &mut lines);
    lines
}

fn compare(path: String, then: &Value, now: &Value, lines: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            let names: std::collections::BTreeSet<_> = then.keys().chain(now.keys()).collect();
            for name in names {
                let path = match path.as_str() {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                let [then, now] = [then, now].map(|side| side.get(name).unwrap_or(&Value::Null));
                compare(path, then, now, lines);
            }
        }
        _ if then == now => {}
        _ => lines.push(format!("{path}: {then}, now {now}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn checkpoint(steps: u64) -> Checkpoint {
        Checkpoint {
            identity: serde_json::json!({ "seed": 1 }),
            progress: Progress {
                steps,
                ..Progress::default()
            },
            network: vec![1, 2, 3],
            optimizer: vec![4],
            best: None,
        }
    }

    #[test]
    fn newest_whole_checkpoint_is_read_and_only_the_newest_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for steps in [5, 900, 1000] {
            checkpoint(steps).save(folder.path(), 2).unwrap();
        }
        let files = saved(&folder.path().join(FOLDER));
        assert_eq!(files.len(), 2);
        let latest = || {
            let (found, damaged) = Checkpoint::latest(folder.path());
            let paths: Vec<PathBuf> = damaged.into_iter().map(|(path, _)| path).collect();
            (found, paths)
        };
        assert_eq!(latest(), (Some(checkpoint(1000)), vec![]));

        let whole = fs::read(&files[1]).unwrap();
        for damaged in [&whole[..700], &[whole.as_slice(), b"x"].concat()[3..], b""] {
            fs::write(&files[1], damaged).unwrap();
            assert_eq!(latest(), (Some(checkpoint(900)), vec![files[1].clone()]));
        }
        // One bit of the optimizer.
        let mut flipped = whole.clone();
        let at = whole
            .windows(OPTIMIZER.len())
            .rposition(|name| name == OPTIMIZER.as_bytes());
        flipped[at.unwrap() + 512] ^= 1;
        fs::write(&files[1], flipped).unwrap();
        assert_eq!(latest().0, Some(checkpoint(900)));

        Checkpoint::clear(folder.path()).unwrap();
        assert_eq!(latest(), (None, vec![]));
    }

    #[test]
    fn differences_are_told_by_path_with_both_values() {
        let then = serde_json::json!({ "a": { "lr": 0.1, "seed": 1 }, "b": [1] });
        let now = serde_json::json!({ "a": { "lr": 0.2, "seed": 1 }, "b": [1], "c": true });
        assert_eq!(
            differences(&then, &now),
            ["a.lr: 0.1, now 0.2", "c: null, now true"]
        );
        assert!(differences(&then, &then).is_empty());
    }
}
