//! Running what is not up to date.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use output::message;
use serde::Serialize;

use crate::config::{ConfigError, Document, Override};
use crate::interrupt::Interrupts;
use crate::lock::{self, Lock, Reason};
use crate::plan::{Plan, Stage, plan_of};
use crate::run_lock::RunLock;
use crate::stages;

/// A pipeline with what is known of its last run.
#[derive(Debug)]
pub struct Pipeline {
    /// The stages.
    pub plan: Plan,
    lock: Lock,
    lock_path: PathBuf,
}

/// What to run, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// This stage and those before it; by default all.
    pub stage: Option<String>,
    /// Run what is up to date, too: the stage, or all.
    pub force: bool,
    /// Begin trainings anew, whatever checkpoints there are.
    pub fresh: bool,
    /// Wait for another run of the pipeline to end.
    pub wait: bool,
    /// One run of many: no tables.
    pub brief: bool,
    /// ONNX Runtime's library, where it should not be searched for.
    pub ort_lib: Option<PathBuf>,
    /// Ctrl-C.
    pub interrupts: Interrupts,
}

impl Options {
    /// Whether the stage at `index` runs even if it is up to date; `target` is
    /// the stage that was asked for, the last of those that are wanted.
    fn forces(&self, index: usize, target: Option<usize>) -> bool {
        self.force && (self.stage.is_none() || target == Some(index))
    }

    /// What is told of why a stage runs: with `fresh`, nothing goes on.
    fn told(&self, reason: Reason) -> Reason {
        match reason {
            Reason::Interrupted(_) if self.fresh => Reason::Forced,
            other => other,
        }
    }
}

/// What became of a stage.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Its name.
    pub stage: String,
    /// What kind it is of.
    pub kind: &'static str,
    /// Whether it ran; else it was up to date.
    pub ran: bool,
    /// Why it ran.
    pub reason: Option<String>,
    /// How long that took.
    pub seconds: Option<f64>,
    /// The files that it made, or a dataset's folder.
    pub outputs: Vec<PathBuf>,
    /// The one of them that says what was found: of a training, a verification
    /// or an evaluation.
    #[serde(skip)]
    pub results: Option<PathBuf>,
}

impl Outcome {
    fn of(stage: &Stage, run: Option<(Reason, f64)>) -> Self {
        let (reason, seconds) = run.unzip();
        Self {
            stage: stage.name.clone(),
            kind: stage.action.kind(),
            ran: reason.is_some(),
            reason: reason.map(|reason| reason.to_string()),
            seconds,
            outputs: stage.action.outputs(),
            results: stage.action.results(),
        }
    }
}

/// A stage that is not in the pipeline.
#[derive(Debug, thiserror::Error)]
#[error("there is no stage `{stage}`; there are: {stages}")]
pub struct UnknownStage {
    stage: String,
    stages: String,
}

impl Pipeline {
    /// Reads and checks the pipeline at `path`, and its lock file.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or the pipeline is not valid.
    pub fn open(path: &Path, overrides: &[Override]) -> Result<Self, ConfigError> {
        let document = Document::read(path)?;
        let plan = plan_of(&document.clone().with(overrides)?, &document)?;
        let lock_path = match document.names_output(&plan.output) {
            true => lock::path_of(path),
            false => lock::free_path_in(&plan.output)?,
        };
        Self::planned(plan, lock_path)
    }

    /// The pipeline of `plan`, with the lock file at `lock_path`.
    ///
    /// # Errors
    ///
    /// When the lock file cannot be read.
    pub fn planned(plan: Plan, lock_path: PathBuf) -> Result<Self, ConfigError> {
        Ok(Self {
            plan,
            lock: Lock::read(&lock_path)?,
            lock_path,
        })
    }

    /// Why each stage has to run, in order; `None` where it is up to date.
    pub fn status(&self) -> Vec<(&Stage, Option<Reason>)> {
        let mut reasons: Vec<Option<Reason>> = Vec::new();
        for stage in &self.plan.stages {
            let reason = self.lock.reason(&self.plan, stage);
            let before = self.before(stage, |index| reasons[index].is_some());
            reasons.push(match reason {
                Some(reason) => Some(reason.or_of(before)),
                None => before,
            });
        }
        self.plan.stages.iter().zip(reasons).collect()
    }

    /// That a stage before `stage` has to run, of those of which `runs` says so.
    fn before(&self, stage: &Stage, runs: impl Fn(usize) -> bool) -> Option<Reason> {
        let index = stage.depends.iter().find(|&&index| runs(index))?;
        Some(Reason::Before(self.plan.stages[*index].name.clone()))
    }

    /// The stages that [`Self::run`] would run, with the reasons.
    ///
    /// # Errors
    ///
    /// When the stage that was asked for is not there.
    pub fn pending(&self, options: &Options) -> Result<Vec<(&Stage, Reason)>, UnknownStage> {
        let wanted = self.wanted(options)?;
        let target = wanted.last().copied();
        let status = self.status().into_iter().enumerate();
        Ok(status
            .filter(|(index, _)| wanted.contains(index))
            .filter_map(|(index, (stage, reason))| {
                let forced = options.forces(index, target).then_some(Reason::Forced);
                Some((stage, options.told(forced.or(reason)?)))
            })
            .collect())
    }

    /// Runs the stages that are not up to date, and records each when it is
    /// done. Returns what became of all that are wanted, in order.
    ///
    /// # Errors
    ///
    /// The first stage that fails; what was done before it stays done.
    pub fn run(&mut self, options: &Options) -> anyhow::Result<Vec<Outcome>> {
        let pending = self.pending(options)?;
        for (stage, _) in &pending {
            stages::check(&stage.action)
                .map_err(anyhow::Error::from)
                .with_context(|| format!("stage `{}` cannot run", stage.name))?;
        }
        let _lock = match pending.is_empty() {
            true => None,
            // Another run may have recorded stages until it let go.
            false => {
                let lock = RunLock::take(&self.plan.output, options.wait)?;
                self.lock = Lock::read(&self.lock_path)?;
                Some(lock)
            }
        };
        let wanted = self.wanted(options)?;
        let target = wanted.last().copied();
        let mut outcomes = Vec::new();
        let mut ran = BTreeSet::new();
        for index in wanted {
            let stage = &self.plan.stages[index];
            let reason = options
                .forces(index, target)
                .then_some(Reason::Forced)
                .or_else(|| self.lock.reason(&self.plan, stage))
                .map(|reason| options.told(reason))
                .map(|reason| reason.or_of(self.before(stage, |index| ran.contains(&index))));
            let Some(reason) = reason else {
                announce(stage, "is up to date");
                outcomes.push(Outcome::of(stage, None));
                continue;
            };
            announce(stage, &format!("runs: {reason}"));
            let started = Instant::now();
            let context = stages::Context {
                ort_lib: options.ort_lib.clone(),
                brief: options.brief,
                fresh: options.fresh || reason == Reason::Forced,
                interrupts: options.interrupts.clone(),
            };
            stages::run(&stage.action, &context)
                .map_err(|error| error.context(format!("stage `{}` failed", stage.name)))?;
            self.lock.record(&self.plan, stage, &self.lock_path)?;
            let seconds = started.elapsed().as_secs_f64();
            announce(stage, &format!("done in {seconds:.1} s"));
            ran.insert(index);
            outcomes.push(Outcome::of(stage, Some((reason, seconds))));
        }
        Ok(outcomes)
    }

    /// Positions of the stages that the options ask for, in order.
    fn wanted(&self, options: &Options) -> Result<Vec<usize>, UnknownStage> {
        let Some(name) = &options.stage else {
            return Ok((0..self.plan.stages.len()).collect());
        };
        let stages = &self.plan.stages;
        let position = stages.iter().position(|stage| stage.name == *name);
        let Some(position) = position else {
            let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
            return Err(UnknownStage {
                stage: name.clone(),
                stages: names.join(", "),
            });
        };
        let mut wanted = BTreeSet::from([position]);
        // Stages stand after those that they depend on.
        for index in (0..=position).rev() {
            if wanted.contains(&index) {
                wanted.extend(&stages[index].depends);
            }
        }
        Ok(wanted.into_iter().collect())
    }
}

fn announce(stage: &Stage, what: &str) {
    message!("[{}] {} {what}", stage.name, stage.action.kind());
}
