//! Planning one stage after the other, each from those that it refers to.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_saphyr::Spanned;

use super::{Action, DatasetPlan, ExportPlan, Stage, TrainPlan};
use crate::config::{Config, ConfigError, Document, ReportConfig, StageConfig};

/// The stages that are planned, and what the others are planned from.
pub(super) struct Planner<'a> {
    pub(super) document: &'a Document,
    pub(super) config: &'a Config,
    pub(super) stages: Vec<Stage>,
}

impl Planner<'_> {
    pub(super) fn add(&mut self, index: usize) -> Result<(), ConfigError> {
        let Some((name, stage)) = self.config.stages.get_index(index) else {
            return Ok(());
        };
        self.check_name(name, stage)?;
        let action = match &stage.value {
            StageConfig::Dataset(config) => Action::Dataset(Arc::new(self.dataset(config)?)),
            StageConfig::Train(config) => Action::Train(Arc::new(self.train(name, config, stage)?)),
            StageConfig::Export(config) => Action::Export(Arc::new(self.export(config)?)),
            StageConfig::Verify(config) => Action::Verify(self.verify(name, config)?),
            StageConfig::Eval(config) => Action::Eval(self.eval(name, config)?),
            StageConfig::Report(config) => Action::Report(Box::new(self.report(name, config)?)),
        };
        let references = stage.value.references().into_iter();
        let mut depends: Vec<usize> = references
            .filter_map(|reference| self.position(&reference.value))
            .collect();
        if let StageConfig::Report(config) = &stage.value {
            // It shows what all of them made.
            depends.extend(self.before(&config.eval.value));
            depends.extend(self.proofs(config));
        }
        depends.sort_unstable();
        depends.dedup();
        self.stages.push(Stage {
            name: name.clone(),
            depends,
            action,
        });
        Ok(())
    }

    /// Refuses a name that is no plain folder.
    fn check_name(&self, name: &str, stage: &Spanned<StageConfig>) -> Result<(), ConfigError> {
        let plain = |c: char| c.is_alphanumeric() || "-_ .".contains(c);
        if name.chars().all(plain) && !name.trim_matches(['.', ' ']).is_empty() {
            return Ok(());
        }
        Err(self.document.invalid(
            stage.referenced,
            format!("`{name}` cannot be the name of a stage, as its results go into a folder of that name"),
            Some("use letters, digits, `-` and `_`".to_owned()),
        ))
    }

    /// Where a stage stands among those planned so far.
    fn position(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.name == name)
    }

    /// What the stage that is referred to does.
    pub(super) fn action(&self, reference: &Spanned<String>) -> Option<&Action> {
        let position = self.position(&reference.value)?;
        Some(&self.stages[position].action)
    }

    pub(super) fn wrong_kind(&self, reference: &Spanned<String>, expected: &str) -> ConfigError {
        let found = self.action(reference).map_or("missing", Action::kind);
        self.document.invalid(
            reference.referenced,
            format!(
                "`{}` is a stage of kind `{found}`, but one of kind `{expected}` is expected",
                reference.value
            ),
            None,
        )
    }

    pub(super) fn dataset_of(
        &self,
        reference: &Spanned<String>,
    ) -> Result<Arc<DatasetPlan>, ConfigError> {
        match self.action(reference) {
            Some(Action::Dataset(plan)) => Ok(Arc::clone(plan)),
            _ => Err(self.wrong_kind(reference, "dataset")),
        }
    }

    pub(super) fn train_of(
        &self,
        reference: &Spanned<String>,
    ) -> Result<Arc<TrainPlan>, ConfigError> {
        match self.action(reference) {
            Some(Action::Train(plan)) => Ok(Arc::clone(plan)),
            _ => Err(self.wrong_kind(reference, "train")),
        }
    }

    pub(super) fn export_of(
        &self,
        reference: &Spanned<String>,
    ) -> Result<Arc<ExportPlan>, ConfigError> {
        match self.action(reference) {
            Some(Action::Export(plan)) => Ok(Arc::clone(plan)),
            _ => Err(self.wrong_kind(reference, "export")),
        }
    }

    /// The images of a stage that takes a model: as named, else those that
    /// the network was trained on.
    pub(super) fn images(
        &self,
        reference: Option<&Spanned<String>>,
        export: &ExportPlan,
    ) -> Result<Arc<DatasetPlan>, ConfigError> {
        let trained_on = &export.train.dataset;
        let Some(reference) = reference else {
            return Ok(Arc::clone(trained_on));
        };
        let dataset = self.dataset_of(reference)?;
        if (dataset.image_shape, dataset.classes.len())
            != (trained_on.image_shape, trained_on.classes.len())
        {
            return Err(self.document.invalid(
                reference.referenced,
                format!(
                    "`{}` has images of {:?} in {} classes, but the network was made for {:?} \
                     in {}",
                    reference.value,
                    dataset.image_shape,
                    dataset.classes.len(),
                    trained_on.image_shape,
                    trained_on.classes.len()
                ),
                None,
            ));
        }
        Ok(dataset)
    }

    /// The proofs of what the report's evaluation evaluates, in the order of the file.
    pub(super) fn proofs(&self, report: &ReportConfig) -> Vec<usize> {
        let proofs = self.config.proofs(report).into_iter();
        let names = proofs.filter_map(|index| self.config.stages.get_index(index));
        names.filter_map(|(name, _)| self.position(name)).collect()
    }

    /// The stages that must run before that of this name, in order.
    pub(super) fn before(&self, name: &str) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut next: Vec<usize> = self.position(name).into_iter().collect();
        while let Some(index) = next.pop() {
            let depends = self.stages[index].depends.iter();
            next.extend(depends.filter(|&&index| found.insert(index)));
        }
        found
    }
}
