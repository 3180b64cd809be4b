//! The lock file beside pipeline.yaml: what each stage was made from and what
//! it made, by SHA-256. Sorted and without times, so that it is fit for git.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use artifact::Sha256;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, Document};
use crate::history;
use crate::paths::absolute;
use crate::plan::{Action, Plan, SETTINGS, Stage, TrainPlan};

/// Version of the stages' code; part of what a stage is made from.
const CODE: &str = env!("CARGO_PKG_VERSION");

/// What has been made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// By the stage's name.
    pub stages: BTreeMap<String, Entry>,
}

/// What one stage was made from, and what it made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version of Burnish.
    pub code: String,
    /// Digest of the stage's settings.
    pub settings: Sha256,
    /// Digests of what the stages before it made.
    pub inputs: BTreeMap<PathBuf, Sha256>,
    /// Digests of what it made.
    pub outputs: BTreeMap<PathBuf, Sha256>,
}

/// Why a stage has to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It never has.
    New,
    /// Another version of Burnish made its outputs.
    Code,
    /// Its settings have changed, of a training these.
    Settings(Vec<String>),
    /// A stage before it has to run.
    Before(String),
    /// What it was made from has changed.
    Input(PathBuf),
    /// An output is not there.
    Missing(PathBuf),
    /// An output is not what the stage made.
    Changed(PathBuf),
    /// It was interrupted in this epoch, and goes on from there.
    Interrupted(usize),
    /// It was asked for.
    Forced,
}

impl Reason {
    /// This reason, or that a stage before has to run: settings that are another
    /// stage's are told there.
    pub(crate) fn or_of(self, before: Option<Self>) -> Self {
        match (self, before) {
            (Self::Settings(changes), Some(before)) if changes.is_empty() => before,
            (reason, _) => reason,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("it has not run yet"),
            Self::Code => f.write_str("another version of Burnish made it"),
            Self::Settings(changes) => write_settings(f, changes),
            Self::Before(stage) => write!(f, "`{stage}` before it has to run"),
            Self::Input(path) => write!(f, "its input {} has changed", path.display()),
            Self::Missing(path) => write!(f, "{} is not there", path.display()),
            Self::Changed(path) => write!(f, "{} is not what it made", path.display()),
            Self::Interrupted(epoch) => {
                write!(f, "interrupted in epoch {epoch}; goes on from there")
            }
            Self::Forced => f.write_str("it was asked for"),
        }
    }
}

/// Changes of settings that are told; of more, their number.
const TOLD: usize = 3;

fn write_settings(f: &mut fmt::Formatter<'_>, changes: &[String]) -> fmt::Result {
    f.write_str("its settings have changed")?;
    if !changes.is_empty() {
        let told = &changes[..changes.len().min(TOLD)];
        write!(f, ": {}", told.join("; "))?;
    }
    match changes.len().saturating_sub(TOLD) {
        0 => Ok(()),
        more => write!(f, "; and {more} more"),
    }
}

/// Name of the lock file in a folder of results that the pipeline's file does
/// not name: that of a run of a `matrix`, or one said on the command line.
const IN_OUTPUT: &str = "pipeline.lock";

/// The lock file of a pipeline: `pipeline.yaml` has `pipeline.lock`.
pub fn path_of(pipeline: &Path) -> PathBuf {
    pipeline.with_extension("lock")
}

/// The lock file in a folder of results that the pipeline's file does not name.
pub fn path_in(output: &Path) -> PathBuf {
    output.join(IN_OUTPUT)
}

/// As [`path_in`], where that is no lock file of a pipeline that stands there.
pub(crate) fn free_path_in(output: &Path) -> Result<PathBuf, ConfigError> {
    let path = path_in(output);
    let pipelines = ["yaml", "yml"].map(|ending| path.with_extension(ending));
    match pipelines.into_iter().find(|pipeline| pipeline.is_file()) {
        None => Ok(path),
        Some(pipeline) => Err(ConfigError::Invalid {
            rendered: format!(
                "results in {} would be recorded in {}, the lock file of {}",
                output.display(),
                path.display(),
                pipeline.display()
            ),
            hint: Some("choose another folder as `output`".to_owned()),
        }),
    }
}

impl Lock {
    /// Reads the lock file, or gives an empty lock where there is none.
    ///
    /// # Errors
    ///
    /// When it is there but cannot be read.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            _ => Document::read(path)?.parse().map_err(|error| match error {
                ConfigError::Invalid { rendered, .. } => ConfigError::Invalid {
                    rendered,
                    hint: Some(format!(
                        "delete {}; every stage then runs again",
                        path.display()
                    )),
                },
                error => error,
            }),
        }
    }

    /// Records what `stage` was made from and made, and writes the lock. What
    /// is known of stages that are no longer in the plan is dropped.
    ///
    /// # Errors
    ///
    /// When an output is not there or the lock cannot be written.
    pub fn record(
        &mut self,
        plan: &Plan,
        stage: &Stage,
        path: &Path,
    ) -> Result<(), artifact::Error> {
        let entry = Entry {
            code: CODE.to_owned(),
            settings: stage.action.settings(),
            inputs: self.inputs(plan, stage),
            outputs: outputs(&stage.action)?,
        };
        self.stages.insert(stage.name.clone(), entry);
        let planned = |name: &String| plan.stages.iter().any(|stage| stage.name == *name);
        self.stages.retain(|name, _| planned(name));
        let text = serde_saphyr::to_string(self)
            .map_err(|error| std::io::Error::other(error.to_string()))
            .map_err(artifact::Error::new("write", path))?;
        let text = format!(
            "# Written by `pipeline run`: what each stage was made from, and made.\n{text}"
        );
        artifact::write_bytes(path, text.as_bytes())
    }

    /// Why `stage` has to run, or `None` where it is up to date. Stages before
    /// it count by what is recorded of them.
    pub fn reason(&self, plan: &Plan, stage: &Stage) -> Option<Reason> {
        // One that was up to date may have been asked for.
        let interrupted = training(&stage.action).and_then(|plan| {
            let dataset = || plan.dataset.digest().ok();
            trainer::interrupted(&plan.folder, &plan.description(), dataset)
        });
        let interrupted = interrupted.map(Reason::Interrupted);
        interrupted.or_else(|| self.outdated(plan, stage))
    }

    fn outdated(&self, plan: &Plan, stage: &Stage) -> Option<Reason> {
        let Some(entry) = self.stages.get(&stage.name) else {
            return Some(Reason::New);
        };
        if entry.code != CODE {
            return Some(Reason::Code);
        }
        if entry.settings != stage.action.settings() {
            let changes = training(&stage.action).map(history::changes);
            return Some(Reason::Settings(changes.unwrap_or_default()));
        }
        let inputs = self.inputs(plan, stage);
        let [made_from, found] = [&entry.inputs, &inputs].map(by_place);
        let changed = |path: &&PathBuf| {
            let place = absolute(path);
            made_from.get(&place) != found.get(&place)
        };
        if let Some(path) = inputs.keys().chain(entry.inputs.keys()).find(changed) {
            return Some(Reason::Input(path.clone()));
        }
        // Those of the plan: another `output` folder has none of them yet.
        let made = by_place(&entry.outputs);
        stage.action.outputs().into_iter().find_map(|path| {
            let made = made.get(&absolute(&path));
            match (made, digest_of(&stage.action, &path), &stage.action) {
                (_, Err(_), _) => Some(Reason::Missing(path)),
                (Some(made), Ok(found), _) if found == **made => None,
                // Images are brought, and not made.
                (_, Ok(_), Action::Dataset(_)) => Some(Reason::Input(path)),
                (_, Ok(_), _) => Some(Reason::Changed(path)),
            }
        })
    }

    /// What the stages before it made, by this lock.
    fn inputs(&self, plan: &Plan, stage: &Stage) -> BTreeMap<PathBuf, Sha256> {
        let before = stage.depends.iter().map(|&index| &plan.stages[index].name);
        before
            .filter_map(|name| self.stages.get(name))
            .flat_map(|entry| entry.outputs.clone())
            .collect()
    }
}

/// By the places of the files, whose paths may be written in several ways.
fn by_place(files: &BTreeMap<PathBuf, Sha256>) -> BTreeMap<PathBuf, &Sha256> {
    let files = files.iter();
    files
        .map(|(path, digest)| (absolute(path), digest))
        .collect()
}

/// The training that a stage is.
fn training(action: &Action) -> Option<&TrainPlan> {
    match action {
        Action::Train(plan) => Some(plan),
        Action::Dataset(_)
        | Action::Export(_)
        | Action::Verify(_)
        | Action::Eval(_)
        | Action::Report(_) => None,
    }
}

/// Digests of what a stage made.
fn outputs(action: &Action) -> Result<BTreeMap<PathBuf, Sha256>, artifact::Error> {
    action
        .outputs()
        .into_iter()
        .map(|path| {
            let digest = digest_of(action, &path)?;
            Ok((path, digest))
        })
        .collect()
}

/// Digest of one output: of a file, or of those of a dataset's folder.
fn digest_of(action: &Action, path: &Path) -> Result<Sha256, artifact::Error> {
    match action {
        Action::Dataset(plan) => plan
            .digest()
            .map_err(|error| std::io::Error::other(error.to_string()))
            .map_err(artifact::Error::new("read the dataset in", path)),
        Action::Train(_) | Action::Export(_) | Action::Verify(_) | Action::Eval(_) => {
            Sha256::of_file(path)
        }
        Action::Report(_) => report::digest(path),
    }
}

impl Action {
    /// What it makes: files, or a dataset's folder.
    pub fn outputs(&self) -> Vec<PathBuf> {
        match self {
            Self::Dataset(plan) => vec![plan.dir.clone()],
            Self::Train(plan) => [
                trainer::BEST,
                trainer::LAST,
                trainer::METRICS,
                SETTINGS,
                trainer::SUMMARY,
                history::NAMES,
            ]
            .map(|file| plan.folder.join(file))
            .to_vec(),
            Self::Export(plan) => vec![plan.file.clone()],
            Self::Verify(plan) => vec![plan.file.clone()],
            Self::Eval(plan) => vec![plan.file.clone()],
            Self::Report(plan) => report::FILES.map(|file| plan.folder.join(file)).to_vec(),
        }
    }

    /// Which of them is JSON that says what was found.
    pub fn results(&self) -> Option<PathBuf> {
        match self {
            Self::Train(plan) => Some(plan.folder.join(trainer::SUMMARY)),
            Self::Verify(plan) => Some(plan.file.clone()),
            Self::Eval(plan) => Some(plan.file.clone()),
            Self::Dataset(_) | Self::Export(_) | Self::Report(_) => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::plan::plan;

    /// digits → fit → onnx, with the results in `folder`.
    fn pipeline(folder: &Path, settings: &str) -> Plan {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../dataset/fixtures/mnist");
        let yaml = format!(
            "output: {}
stages:
  digits:
    dataset: {{ name: digits, dir: {data}, classes: [a, b, c, d, e, f, g, h, i, j] }}
  fit:
    train: {{ dataset: digits, model: lenet5{settings} }}
  onnx:
    export: {{ train: fit }}
",
            folder.display()
        );
        plan(&Document::new(Path::new("pipeline.yaml"), yaml)).unwrap()
    }

    /// Makes the outputs of a stage and records them.
    fn make(lock: &mut Lock, plan: &Plan, index: usize, content: &str, path: &Path) {
        let stage = &plan.stages[index];
        if !matches!(stage.action, Action::Dataset(_)) {
            for output in stage.action.outputs() {
                artifact::write_bytes(&output, content.as_bytes()).unwrap();
            }
        }
        lock.record(plan, stage, path).unwrap();
    }

    /// A lock of three stages that have run, its file and its plan.
    fn made(folder: &Path) -> (Lock, PathBuf, Plan) {
        let plan = pipeline(folder, "");
        let path = folder.join("pipeline.lock");
        let mut lock = Lock::default();
        for index in 0..3 {
            make(&mut lock, &plan, index, "made", &path);
        }
        (lock, path, plan)
    }

    #[test]
    fn stage_that_has_run_is_up_to_date_and_one_that_has_not_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let (mut lock, _, plan) = made(folder.path());
        assert!(
            plan.stages
                .iter()
                .all(|stage| lock.reason(&plan, stage).is_none())
        );
        lock.stages.remove("fit");
        assert_eq!(lock.reason(&plan, &plan.stages[1]), Some(Reason::New));
    }

    #[test]
    fn missing_and_altered_outputs_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, _, plan) = made(folder.path());
        let output = folder.path().join("model.onnx");
        fs::write(&output, "altered").unwrap();
        let reason = lock.reason(&plan, &plan.stages[2]);
        assert_eq!(reason, Some(Reason::Changed(output.clone())));
        fs::remove_file(&output).unwrap();
        let reason = lock.reason(&plan, &plan.stages[2]);
        assert_eq!(reason, Some(Reason::Missing(output)));
    }

    #[test]
    fn another_folder_has_no_outputs_yet() {
        let [here, there] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (lock, _, _) = made(here.path());
        let moved = pipeline(there.path(), "");
        let reason = lock.reason(&moved, &moved.stages[1]);
        assert!(matches!(reason, Some(Reason::Missing(_))), "{reason:?}");
    }

    #[test]
    fn stages_that_are_gone_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (mut lock, path, plan) = made(folder.path());
        let entry = lock.stages["fit"].clone();
        lock.stages.insert("gone".to_owned(), entry);
        make(&mut lock, &plan, 1, "made", &path);
        let names: Vec<&String> = lock.stages.keys().collect();
        assert_eq!(names, ["digits", "fit", "onnx"]);
    }

    #[test]
    fn other_inputs_settings_or_code_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let (mut lock, path, plan) = made(folder.path());
        make(&mut lock, &plan, 1, "made anew", &path);
        let reason = lock.reason(&plan, &plan.stages[2]);
        assert!(matches!(reason, Some(Reason::Input(_))), "{reason:?}");

        let other = pipeline(folder.path(), ", epochs: 3");
        assert_eq!(
            lock.reason(&other, &other.stages[1]),
            Some(Reason::Settings(Vec::new()))
        );
        let quiet = pipeline(folder.path(), ", log_every: 3");
        assert_eq!(lock.reason(&quiet, &quiet.stages[1]), None);

        lock.stages.get_mut("fit").unwrap().code = "0.0.0".to_owned();
        assert_eq!(lock.reason(&plan, &plan.stages[1]), Some(Reason::Code));
    }

    #[test]
    fn input_that_is_one_no_longer_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (mut lock, _, plan) = made(folder.path());
        let inputs = &mut lock.stages.get_mut("onnx").unwrap().inputs;
        inputs.insert("other".into(), Sha256::of_bytes(b"other"));
        let reason = lock.reason(&plan, &plan.stages[2]);
        assert_eq!(reason, Some(Reason::Input("other".into())));
    }

    #[test]
    fn lock_file_is_sorted_and_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, path, _) = made(folder.path());
        assert_eq!(Lock::read(&path).unwrap(), lock);
        let text = fs::read_to_string(&path).unwrap();
        let places = ["  digits:\n", "  fit:\n", "  onnx:\n"].map(|stage| text.find(stage));
        assert!(
            places.iter().all(Option::is_some) && places.is_sorted(),
            "{text}"
        );
        assert_eq!(
            Lock::read(&folder.path().join("none")).unwrap(),
            Lock::default()
        );
    }
}
