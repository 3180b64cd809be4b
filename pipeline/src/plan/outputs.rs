//! What no stage may write: what the pipeline is made from, and what another
//! stage writes.

use std::path::{Component, Path, PathBuf};

use super::planner::Planner;
use super::{Action, DatasetFormat, DatasetPlan};
use crate::config::{ConfigError, ModelRef, StageConfig};
use crate::{lock, sweep};

impl DatasetPlan {
    /// Whether a file at `path`, which is absolute, is one of the dataset's, or
    /// would be taken for one.
    fn claims(&self, path: &Path) -> bool {
        let inside = path.starts_with(absolute(&self.dir));
        match self.format {
            DatasetFormat::Pictures(_) => inside,
            DatasetFormat::Published(_) | DatasetFormat::Idx => {
                inside && dataset::is_dataset_file(path)
            }
        }
    }
}

impl Planner<'_> {
    /// Refuses a stage that would write over what the pipeline reads, or over
    /// what another stage writes.
    pub(super) fn check_outputs(&self) -> Result<(), ConfigError> {
        let read = self.read();
        let mut written: Vec<(&str, PathBuf)> = Vec::new();
        for stage in &self.stages {
            if matches!(stage.action, Action::Dataset(_)) {
                continue;
            }
            for output in stage.action.outputs() {
                let path = absolute(&output);
                let output = output.display();
                if let Some(what) = self.occupied(&path, &read) {
                    let problem = format!("`{}` would write {output}, which is {what}", stage.name);
                    return Err(self.other_file(&stage.name, problem));
                }
                if let Some((other, _)) = written.iter().find(|(_, file)| overlap(file, &path)) {
                    let problem = match written.iter().any(|(_, file)| *file == path) {
                        true => format!("`{}` and `{other}` both write {output}", stage.name),
                        false => format!(
                            "`{}` would write {output}, where `{other}` has its results",
                            stage.name
                        ),
                    };
                    return Err(self.other_file(&stage.name, problem));
                }
                written.push((&stage.name, path));
            }
        }
        Ok(())
    }

    fn other_file(&self, name: &str, problem: String) -> ConfigError {
        let hint = "give one of them another `file`".to_owned();
        let place = self.config.stages[name].referenced;
        self.document.invalid(place, problem, Some(hint))
    }

    /// The files that the pipeline reads, with what they are.
    fn read(&self) -> Vec<(PathBuf, String)> {
        let pipeline = self.document.path();
        let mut read = vec![
            (absolute(pipeline), "the pipeline itself".to_owned()),
            (
                absolute(&lock::path_of(pipeline)),
                "its lock file".to_owned(),
            ),
            (
                absolute(&self.config.output.join(sweep::LOCK)),
                "a lock file".to_owned(),
            ),
        ];
        for (name, stage) in &self.config.stages {
            let StageConfig::Train(train) = &stage.value else {
                continue;
            };
            if let ModelRef::File(file) = &train.model.value {
                read.push((absolute(file), format!("the network of `{name}`")));
            }
            if let Some(init) = &train.init {
                read.push((absolute(&init.value), format!("the `init` of `{name}`")));
            }
        }
        read
    }

    /// What is or will be at `path`, where that is none of the results.
    fn occupied(&self, path: &Path, read: &[(PathBuf, String)]) -> Option<String> {
        if let Some((_, what)) = read.iter().find(|(file, _)| file == path) {
            return Some(what.clone());
        }
        let claimed = self.stages.iter().find_map(|stage| match &stage.action {
            Action::Dataset(plan) if plan.claims(path) => Some(&stage.name),
            _ => None,
        });
        if let Some(dataset) = claimed {
            return Some(format!("a file of the dataset `{dataset}`"));
        }
        let is_folder = path.is_dir() || absolute(&self.config.output).starts_with(path);
        is_folder.then(|| "a folder".to_owned())
    }
}

/// Whether the two are one file, or one would be a folder of the other.
fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The path from the root on, without `.` and `..`: two names of a file are
/// then equal, unless there are links.
fn absolute(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                plain.push(component);
            }
        }
    }
    plain
}
