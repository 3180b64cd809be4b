//! What no stage may write: what the pipeline is made from, and what another
//! stage writes.

use std::path::{Path, PathBuf};

use super::planner::Planner;
use super::{Action, DatasetFormat, DatasetPlan};
use crate::config::{ConfigError, ModelRef, StageConfig};
use crate::lock;
use crate::paths::absolute;

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
                let taken = self.occupied(&path, &read);
                if let Some(why) = taken.or_else(|| written_already(&path, &written)) {
                    return Err(self.document.invalid(
                        self.config.stages[&stage.name].referenced,
                        format!("`{}` would write {}, {why}", stage.name, output.display()),
                        Some("choose another `file`, or another `output`".to_owned()),
                    ));
                }
                written.push((&stage.name, path));
            }
        }
        Ok(())
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
                absolute(&lock::path_in(&self.config.output)),
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

    /// What is or will be at `path` besides results.
    fn occupied(&self, path: &Path, read: &[(PathBuf, String)]) -> Option<String> {
        if let Some((_, what)) = read.iter().find(|(file, _)| file == path) {
            return Some(format!("which is {what}"));
        }
        let claimed = self.stages.iter().find_map(|stage| match &stage.action {
            Action::Dataset(plan) if plan.claims(path) => Some(&stage.name),
            _ => None,
        });
        if let Some(dataset) = claimed {
            return Some(format!("which is a file of the dataset `{dataset}`"));
        }
        let is_folder = path.is_dir() || absolute(&self.config.output).starts_with(path);
        is_folder.then(|| "which is a folder".to_owned())
    }
}

/// Which stage writes there before.
fn written_already(path: &Path, written: &[(&str, PathBuf)]) -> Option<String> {
    let (stage, file) = written.iter().find(|(_, file)| overlap(file, path))?;
    Some(match file == path {
        true => format!("as `{stage}` does"),
        false => format!("where `{stage}` has its results"),
    })
}

/// Whether the two are one file, or one would be a folder of the other.
fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}
