//! Where a training stands, on disk, so that it can go on from there.
//!
//! A checkpoint is one tar file, `checkpoints/step-00001200.tar`: `state.cbor`
//! (RFC 8949: its numbers come back to the last bit) and, as burnpack and
//! safetensors, the network, the optimizer and the best weights so far.
//! `state.cbor` holds the SHA-256 of the others, and `state.sha256` its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use artifact::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::progress::Progress;

/// Folder of the checkpoints, in that of the results.
const FOLDER: &str = "checkpoints";
const STATE: &str = "state.cbor";
const STATE_DIGEST: &str = "state.sha256";
const NETWORK: &str = "network.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const BEST: &str = "best.safetensors";

/// The largest part that is read, in bytes: a network of 500 million
/// parameters.
const LARGEST_PART: u64 = 1 << 31;

/// The largest `state.cbor`: a hundred thousand epochs.
const LARGEST_STATE: u64 = 1 << 26;

/// The largest description of what is trained, in bytes of its JSON.
const LARGEST_IDENTITY: usize = 1 << 20;

/// What is trained, on what and by what: equal for two trainings with equal results.
pub(crate) fn identity(description: &Value, dataset: Sha256, device: impl Serialize) -> Value {
    json!({
        "burnish": env!("CARGO_PKG_VERSION"),
        "device": device,
        "dataset": dataset,
        "training": description,
    })
}

/// Where a training stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checkpoint {
    /// Of [`identity`].
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
    /// No training of these settings comes so far.
    #[error("`{STATE}` tells of steps and epochs that this training does not have")]
    Impossible,
    /// A part has not the SHA-256 that the state says.
    #[error("`{0}` is not what was saved")]
    Altered(&'static str),
}

/// Where a checkpoint that is not whole is kept, and why it is not.
pub(crate) type Damaged = (PathBuf, CheckpointError);

/// `state.cbor`.
#[derive(Deserialize, Serialize)]
struct State {
    /// JSON, whose size says what its values may take.
    identity: String,
    progress: Progress,
    parts: BTreeMap<String, Sha256>,
}

impl State {
    /// That of the newest checkpoint, if it is whole: an older one may be of a training that has
    /// come to its end since. The parts behind it, which may be large, are not read.
    fn newest(results: &Path) -> Option<Self> {
        let path = saved(&results.join(FOLDER)).pop()?;
        let file = artifact::open_regular(&path).ok()?;
        Self::take_from(&mut read_parts(file, STATE_PARTS).ok()?).ok()
    }

    fn take_from(parts: &mut Parts) -> Result<Self, CheckpointError> {
        let mut take =
            |name: &'static str| parts.remove(name).ok_or(CheckpointError::Missing(name));
        let (state, digest) = (take(STATE)?, take(STATE_DIGEST)?);
        // Fuzzing shall come further than to the digest.
        if !cfg!(fuzzing) && digest != Sha256::of_bytes(&state).to_string().as_bytes() {
            return Err(CheckpointError::Altered(STATE));
        }
        ciborium::from_reader(state.as_slice())
            .map_err(|error| CheckpointError::State(error.to_string()))
    }
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
            identity: self.identity.to_string(),
            progress: self.progress.clone(),
            parts: parts()
                .map(|(name, part)| (name.to_owned(), Sha256::of_bytes(part)))
                .collect(),
        };
        let mut archive = tar::Builder::new(file);
        let mut bytes = Vec::new();
        ciborium::into_writer(&state, &mut bytes).map_err(io::Error::other)?;
        append(&mut archive, STATE, &bytes)?;
        let digest = Sha256::of_bytes(&bytes).to_string();
        append(&mut archive, STATE_DIGEST, digest.as_bytes())?;
        for (name, part) in parts() {
            append(&mut archive, name, part)?;
        }
        archive.finish()
    }

    /// The newest checkpoint that is whole and sensible by `check`. Newer ones that are not are
    /// set aside, under another name, and told with the reason.
    pub(crate) fn latest(
        results: &Path,
        check: impl Fn(&Self) -> Result<(), CheckpointError>,
    ) -> Result<(Option<Self>, Vec<Damaged>), Error> {
        let mut damaged = Vec::new();
        for path in saved(&results.join(FOLDER)).into_iter().rev() {
            // What cannot be opened may be whole.
            let file =
                artifact::open_regular(&path).map_err(artifact::Error::new("open", &path))?;
            let read = Self::read(file);
            match read.and_then(|found| check(&found).map(|()| found)) {
                Ok(checkpoint) => return Ok((Some(checkpoint), damaged)),
                Err(error) => damaged.push((set_aside(&path)?, error)),
            }
        }
        Ok((None, damaged))
    }

    fn read(file: fs::File) -> Result<Self, CheckpointError> {
        let mut parts = read_parts(file, usize::MAX)?;
        let state = State::take_from(&mut parts)?;
        let identity = parse_identity(&state.identity)?;
        let mut checked = |name| match (parts.remove(name), state.parts.get(name)) {
            (Some(part), Some(digest)) if Sha256::of_bytes(&part) == *digest => Ok(Some(part)),
            (Some(_), _) => Err(CheckpointError::Altered(name)),
            (None, Some(_)) => Err(CheckpointError::Missing(name)),
            (None, None) => Ok(None),
        };
        Ok(Self {
            network: checked(NETWORK)?.ok_or(CheckpointError::Missing(NETWORK))?,
            optimizer: checked(OPTIMIZER)?.ok_or(CheckpointError::Missing(OPTIMIZER))?,
            best: checked(BEST)?,
            identity,
            progress: state.progress,
        })
    }

    /// Deletes what a writer that was killed left.
    pub(crate) fn sweep(results: &Path) -> Result<(), Error> {
        Ok(artifact::sweep_abandoned(&results.join(FOLDER))?)
    }

    /// Deletes all checkpoints, the oldest first: what a process that is killed leaves is never
    /// an unfinished training where there was a finished one.
    pub(crate) fn clear(results: &Path) -> Result<(), Error> {
        let folder = results.join(FOLDER);
        for checkpoint in saved(&folder) {
            fs::remove_file(&checkpoint).map_err(artifact::Error::new("delete", &checkpoint))?;
        }
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(artifact::Error::new("delete", &folder)(error).into())
            }
            _ => Ok(()),
        }
    }
}

/// The epoch, counted from 1, in which the training of `description` on the images of `dataset`,
/// who are asked for only then, was interrupted that has its results in `folder`; none where it
/// was not, or could not go on. The device may be another one.
pub fn interrupted(
    folder: &Path,
    description: &Value,
    dataset: impl FnOnce() -> Option<Sha256>,
) -> Option<usize> {
    let state = State::newest(folder).filter(|state| !state.progress.finished)?;
    let then = parse_identity(&state.identity).ok()?;
    let now = identity(description, dataset()?, &then["device"]);
    (then == now).then(|| state.progress.epoch())
}

/// Reads the checkpoint at `path` and says whether it is whole.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_checkpoint(path: &Path) -> Result<(), CheckpointError> {
    Checkpoint::read(artifact::open_regular(path)?).map(|_| ())
}

fn parse_identity(text: &str) -> Result<Value, CheckpointError> {
    if text.len() > LARGEST_IDENTITY {
        return Err(CheckpointError::State(format!(
            "what is trained takes {} bytes, the most is {LARGEST_IDENTITY}",
            text.len()
        )));
    }
    serde_json::from_str(text).map_err(|error| CheckpointError::State(error.to_string()))
}

/// Renames a checkpoint, so that none is lost and none is in the way; its new name.
fn set_aside(path: &Path) -> Result<PathBuf, Error> {
    let aside = path.with_extension("tar.damaged");
    fs::rename(path, &aside).map_err(artifact::Error::new("set aside", path))?;
    Ok(aside)
}

/// Parts of an archive, by name.
type Parts = BTreeMap<&'static str, Vec<u8>>;

/// The state and its digest are the archive's first parts.
const STATE_PARTS: usize = 2;

/// The first `count` parts of the archive.
fn read_parts(file: fs::File, count: usize) -> Result<Parts, CheckpointError> {
    let bytes = file.metadata()?.len();
    let mut archive = tar::Archive::new(file);
    let mut parts = BTreeMap::new();
    // Raw: without the extensions by which a small file has large parts.
    for entry in archive.entries()?.raw(true).take(count) {
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
    let known = [STATE, STATE_DIGEST, NETWORK, OPTIMIZER, BEST];
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
    // Names of more digits are those of later steps.
    paths.sort_by(|a, b| (a.as_os_str().len(), a).cmp(&(b.as_os_str().len(), b)));
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
            let (found, damaged) = Checkpoint::latest(folder.path(), |_| Ok(())).unwrap();
            let paths: Vec<PathBuf> = damaged.into_iter().map(|(path, _)| path).collect();
            (found, paths)
        };
        assert_eq!(latest(), (Some(checkpoint(1000)), vec![]));

        let steps = || State::newest(folder.path()).map(|state| state.progress.steps);
        assert_eq!(steps(), Some(1000));

        let whole = fs::read(&files[1]).unwrap();
        let flipped = |part: &str| {
            let mut flipped = whole.clone();
            let mut names = whole.windows(part.len());
            flipped[names.position(|name| name == part.as_bytes()).unwrap() + 520] ^= 1;
            flipped
        };
        let mut longer = whole.clone();
        longer.push(b'x');
        for damaged in [
            &whole[..700],
            &longer[3..],
            b"",
            &flipped(STATE),
            &flipped(STATE_DIGEST),
        ] {
            fs::write(&files[1], damaged).unwrap();
            assert_eq!(steps(), None);
            let aside = files[1].with_extension("tar.damaged");
            assert_eq!(latest(), (Some(checkpoint(900)), vec![aside.clone()]));
            assert_eq!(fs::read(aside).unwrap(), *damaged);
        }

        Checkpoint::clear(folder.path()).unwrap();
        assert_eq!(latest(), (None, vec![]));
    }

    #[test]
    fn training_is_interrupted_where_the_same_one_can_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let [dataset, other] = [b"a", b"b"].map(|bytes| Sha256::of_bytes(bytes));
        // Numbers that are read otherwise than they are written where parsers round carelessly.
        let description = serde_json::json!({ "std": [0.2023_f32, 0.243_f32, 0.2471_f32] });
        let mut interrupted = Checkpoint {
            identity: identity(&description, dataset, "cpu"),
            ..checkpoint(5)
        };
        interrupted.save(folder.path(), 2).unwrap();
        let found = |description: &Value, dataset: Sha256| {
            super::interrupted(folder.path(), description, || Some(dataset))
        };
        assert_eq!(found(&description, dataset), Some(1));
        assert_eq!(found(&description, other), None);
        assert_eq!(found(&Value::Null, dataset), None);

        interrupted.identity["burnish"] = serde_json::json!("0.0.0");
        interrupted.save(folder.path(), 2).unwrap();
        assert_eq!(found(&description, dataset), None);
    }

    #[test]
    fn later_steps_have_longer_names() {
        let folder = tempfile::tempdir().unwrap();
        for steps in [99_999_999, 100_000_000] {
            checkpoint(steps).save(folder.path(), 2).unwrap();
        }
        let (latest, _) = Checkpoint::latest(folder.path(), |_| Ok(())).unwrap();
        assert_eq!(latest.unwrap().progress.steps, 100_000_000);
    }

    #[test]
    fn checkpoint_without_sense_gives_way_to_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        for steps in [5, 900] {
            checkpoint(steps).save(folder.path(), 2).unwrap();
        }
        let check = |found: &Checkpoint| match found.progress.steps {
            900 => Err(CheckpointError::Impossible),
            _ => Ok(()),
        };
        let (found, damaged) = Checkpoint::latest(folder.path(), check).unwrap();
        assert_eq!(found.unwrap().progress.steps, 5);
        assert_eq!(damaged.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn checkpoint_that_cannot_be_opened_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        checkpoint(5).save(folder.path(), 2).unwrap();
        let loop_to_itself = folder.path().join(FOLDER).join("step-00000009.tar");
        std::os::unix::fs::symlink(&loop_to_itself, &loop_to_itself).unwrap();
        assert!(Checkpoint::latest(folder.path(), |_| Ok(())).is_err());
        assert!(loop_to_itself.symlink_metadata().is_ok());
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
