//! A pipeline with a `matrix`: one run for each combination of its values, side
//! by side under `output`, and what came of them.

use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use output::message;
use serde::Serialize;
use serde_json::Value;
use trainer::Summary;

use crate::config::{Config, ConfigError, Document, Override, short_names};
use crate::history::Evaluated;
use crate::lock;
use crate::plan::{Action, Plan, plan_of};
use crate::results;
use crate::run::{Options, Pipeline};
use crate::table::table;

/// The setting over which results are averaged.
const SEED: &str = "seed";

/// All runs of a matrix.
#[derive(Debug)]
pub struct Sweep {
    /// In the order of the file, the last setting varied first.
    pub runs: Vec<Run>,
}

/// One run.
#[derive(Debug)]
pub struct Run {
    /// Its folder under `output`.
    pub name: String,
    /// The settings that are varied, by path, and their values.
    pub values: IndexMap<String, Value>,
    /// The pipeline with these values.
    pub pipeline: Pipeline,
    /// Why it was given up.
    pub error: Option<String>,
}

/// Runs that were given up.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {runs} runs were given up")]
pub struct GivenUp {
    failed: usize,
    runs: usize,
}

impl Sweep {
    /// Reads the pipeline at `path` and plans all its runs; `None` where it has
    /// no `matrix`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or a run is impossible.
    pub fn open(path: &Path, overrides: &[Override]) -> Result<Option<Self>, ConfigError> {
        let file = Document::read(path)?;
        let document = file.clone().with(overrides)?;
        // What is wrong with the file itself, `Pipeline::open` tells.
        let config = document.parse::<Config>();
        if !config.is_ok_and(|config| !config.matrix.is_empty()) {
            return Ok(None);
        }
        let runs = document.combinations()?.into_iter().map(|combination| {
            let plan = plan_of(&combination.document, &file)?;
            let lock_path = lock::path_in(&plan.output);
            Ok(Run {
                pipeline: Pipeline::planned(plan, lock_path)?,
                name: combination.name,
                values: combination.values,
                error: None,
            })
        });
        Ok(Some(Self {
            runs: runs.collect::<Result<_, ConfigError>>()?,
        }))
    }

    /// Runs what is not up to date, run by run. A training whose loss is no
    /// longer finite ends its run and not the others.
    ///
    /// # Errors
    ///
    /// The first run that fails in another way; the same command goes on there.
    pub fn run(&mut self, options: &Options) -> anyhow::Result<()> {
        let count = self.runs.len();
        for (index, run) in self.runs.iter_mut().enumerate() {
            let name = &run.name;
            if run.pipeline.pending(options)?.is_empty() {
                message!("{name} is up to date ({}/{count})", index + 1);
                continue;
            }
            message!("{name} ({}/{count})", index + 1);
            match run.pipeline.run(options) {
                Err(error) if has_diverged(&error) => {
                    message!("  given up: {error:#}");
                    run.error = Some(error.root_cause().to_string());
                }
                result => {
                    result.map_err(|error| error.context(format!("run `{name}` failed")))?;
                }
            }
        }
        Ok(())
    }

    /// What came of the runs that are up to date.
    ///
    /// # Errors
    ///
    /// When results that should be there cannot be read.
    pub fn results(&self) -> Result<Results, results::Error> {
        let runs = self.runs.iter().map(Run::result);
        let runs = runs.collect::<Result<Vec<_>, _>>()?;
        Ok(Results {
            best: groups(&runs),
            runs,
        })
    }
}

fn has_diverged(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let cause = cause.downcast_ref::<trainer::Error>();
        matches!(cause, Some(trainer::Error::Diverged { .. }))
    })
}

/// What came of a matrix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// Every run, in order.
    pub runs: Vec<RunResult>,
    /// The runs that are done, those that differ in their seed taken together,
    /// the best first by validation accuracy.
    pub best: Vec<Group>,
}

/// What came of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunResult {
    /// Its folder under `output`.
    pub name: String,
    /// The folder itself.
    #[serde(serialize_with = "output::path")]
    pub folder: PathBuf,
    /// The settings that are varied, and their values.
    pub values: IndexMap<String, Value>,
    /// Whether all its stages are up to date.
    pub done: bool,
    /// Why it was given up, if it has been just now.
    pub error: Option<String>,
    /// Validation accuracy of the best epoch of the training whose ONNX the first
    /// evaluation evaluates, or of the first training where there is none, 0 to 1.
    pub validation_accuracy: Option<f64>,
    /// Accuracy on the test images by the first evaluation, 0 to 1.
    pub test_accuracy: Option<f64>,
}

/// Runs that differ in their seed alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// The settings that they have in common.
    pub values: IndexMap<String, Value>,
    /// How many they are.
    pub runs: usize,
    /// Of their best epochs, 0 to 1.
    pub validation_accuracy: Option<Spread>,
    /// On the test images, 0 to 1.
    pub test_accuracy: Option<Spread>,
}

/// Mean and standard deviation of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// √(Σ(x - mean)² / (n - 1)); none of a single value.
    pub std: Option<f64>,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        let std = (values.len() > 1).then(|| (squares.sum::<f64>() / (count - 1.0)).sqrt());
        (!values.is_empty()).then_some(Self { mean, std })
    }
}

impl fmt::Display for Spread {
    /// In percent: `99.12 ± 0.08`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", 100.0 * self.mean)?;
        match self.std {
            Some(std) => write!(f, " ± {:.2}", 100.0 * std),
            None => Ok(()),
        }
    }
}

impl Run {
    fn result(&self) -> Result<RunResult, results::Error> {
        let plan = &self.pipeline.plan;
        let done = self
            .pipeline
            .status()
            .iter()
            .all(|(_, reason)| reason.is_none());
        let (validation_accuracy, test_accuracy) = match done {
            true => (validation_accuracy(plan)?, test_accuracy(plan)?),
            false => (None, None),
        };
        Ok(RunResult {
            name: self.name.clone(),
            folder: plan.output.clone(),
            values: self.values.clone(),
            done,
            error: self.error.clone(),
            validation_accuracy,
            test_accuracy,
        })
    }
}

impl Results {
    /// That no run was given up.
    ///
    /// # Errors
    ///
    /// When some were.
    pub fn check(&self) -> Result<(), GivenUp> {
        let runs = self.runs.len();
        match self.runs.iter().filter(|run| run.error.is_some()).count() {
            0 => Ok(()),
            failed => Err(GivenUp { failed, runs }),
        }
    }
}

fn validation_accuracy(plan: &Plan) -> Result<Option<f64>, results::Error> {
    let actions = || plan.stages.iter().map(|stage| &stage.action);
    let evaluated = actions().find_map(|action| match action {
        Action::Eval(eval) => Some(&eval.export.train.folder),
        _ => None,
    });
    let first = || {
        actions().find_map(|action| match action {
            Action::Train(train) => Some(&train.folder),
            _ => None,
        })
    };
    let Some(folder) = evaluated.or_else(first) else {
        return Ok(None);
    };
    let summary: Summary = results::json(&folder.join(trainer::SUMMARY))?;
    Ok(Some(summary.best.validation_accuracy))
}

fn test_accuracy(plan: &Plan) -> Result<Option<f64>, results::Error> {
    let file = plan.stages.iter().find_map(|stage| match &stage.action {
        Action::Eval(eval) => Some(&eval.file),
        _ => None,
    });
    let Some(file) = file else {
        return Ok(None);
    };
    let evaluated: Evaluated = results::json(file)?;
    Ok(Some(evaluated.accuracy))
}

/// The runs that are done, by all their values but the seed, the best first.
fn groups(runs: &[RunResult]) -> Vec<Group> {
    let mut groups: Vec<(IndexMap<String, Value>, Vec<&RunResult>)> = Vec::new();
    for run in runs.iter().filter(|run| run.done) {
        let mut values = run.values.clone();
        values.retain(|path, _| path.rsplit('.').next() != Some(SEED));
        match groups.iter_mut().find(|(other, _)| *other == values) {
            Some((_, members)) => members.push(run),
            None => groups.push((values, vec![run])),
        }
    }
    let spread = |members: &[&RunResult], accuracy: fn(&RunResult) -> Option<f64>| {
        let values: Vec<f64> = members.iter().filter_map(|run| accuracy(run)).collect();
        Spread::of(&values)
    };
    let groups = groups.into_iter().map(|(values, members)| Group {
        values,
        runs: members.len(),
        validation_accuracy: spread(&members, |run| run.validation_accuracy),
        test_accuracy: spread(&members, |run| run.test_accuracy),
    });
    let mut groups: Vec<Group> = groups.collect();
    let mean = |group: &Group| group.validation_accuracy.map_or(-1.0, |spread| spread.mean);
    groups.sort_by(|one, other| mean(other).total_cmp(&mean(one)));
    groups
}

impl fmt::Display for Results {
    /// A table of the groups; accuracies in percent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.runs.iter().filter(|run| !run.done).count();
        if let Some(first) = self.best.first() {
            let names = short_names(first.values.keys());
            let mut header = names;
            header.extend(["runs", "validation %", "test %"].map(str::to_owned));
            let numbers = header.len() - 3..header.len();
            let mut table = table(header, numbers);
            for group in &self.best {
                let mut row: Vec<String> = group.values.values().map(shown).collect();
                let spread = |spread: Option<Spread>| {
                    spread.map_or("–".to_owned(), |spread| spread.to_string())
                };
                row.push(group.runs.to_string());
                row.push(spread(group.validation_accuracy));
                row.push(spread(group.test_accuracy));
                table.add_row(row);
            }
            writeln!(f, "{}", table.trim_fmt())?;
        }
        if open > 0 {
            writeln!(f, "{open} of {} runs are not done", self.runs.len())?;
        }
        for run in &self.runs {
            if let Some(error) = &run.error {
                writeln!(f, "  {}: {error}", run.name)?;
            }
        }
        Ok(())
    }
}

/// A value as a person would write it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(model: &str, seed: u64, done: bool, accuracy: f64) -> RunResult {
        let values = [("fit.model", json!(model)), ("fit.seed", json!(seed))];
        RunResult {
            name: format!("model={model},seed={seed}"),
            folder: PathBuf::from("runs"),
            values: values.map(|(path, value)| (path.to_owned(), value)).into(),
            done,
            error: None,
            validation_accuracy: done.then_some(accuracy),
            test_accuracy: None,
        }
    }

    #[test]
    fn seeds_are_taken_together_and_the_best_stands_first() {
        let runs = [
            run("a", 1, true, 0.5),
            run("a", 2, true, 0.7),
            run("b", 1, true, 0.8),
            run("b", 2, false, 0.0),
        ];
        let groups = groups(&runs);
        let summary: Vec<_> = groups
            .iter()
            .map(|group| {
                (
                    group.values["fit.model"].clone(),
                    group.runs,
                    group.validation_accuracy,
                )
            })
            .collect();
        assert_eq!(summary[0], (json!("b"), 1, Spread::of(&[0.8])));
        assert_eq!((&summary[1].0, summary[1].1), (&json!("a"), 2));
        let spread = summary[1].2.unwrap();
        assert!((spread.mean - 0.6).abs() < 1e-12);
        assert!((spread.std.unwrap() - 0.02_f64.sqrt()).abs() < 1e-12);
        assert_eq!(spread.to_string(), "60.00 ± 14.14");
    }

    #[test]
    fn table_says_what_is_not_done() {
        let runs = vec![run("a", 1, true, 0.5), run("a", 2, false, 0.0)];
        let best = groups(&runs);
        let text = Results { runs, best }.to_string();
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["model", "runs", "validation", "%", "test", "%"]);
        assert_eq!(lines[1], ["a", "1", "50.00", "–"]);
        assert_eq!(text.lines().last(), Some("1 of 2 runs are not done"));
    }
}
