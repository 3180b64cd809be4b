//! The runs that stand in folders of results: what was trained, how, and what
//! came of it.

mod date;
mod difference;

pub use difference::{Difference, Line};

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use artifact::Sha256;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trainer::{Summary, Timing};

use crate::plan::{SETTINGS, TrainPlan};
use crate::results;

/// Of a training: its [`Names`].
pub const NAMES: &str = "run.json";
/// Of an evaluation: what was found.
pub const EVALUATION: &str = "evaluation.json";
/// Folders within folders are looked into so far.
const DEPTH: usize = 8;

/// What a training is called by.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Names {
    /// The network's.
    pub model: String,
    /// The dataset's.
    pub dataset: String,
}

/// A training with what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// Folder of the training.
    pub name: PathBuf,
    /// The network's name.
    pub model: String,
    /// The dataset's name.
    pub dataset: String,
    /// Epochs that ran.
    pub epochs: usize,
    /// Trainable parameters.
    pub parameters: usize,
    /// Validation accuracy of the best epoch, 0 to 1.
    pub validation_accuracy: f64,
    /// Validation loss of the best epoch, in nats.
    pub validation_loss: f64,
    /// Accuracy of the exported weights on the test images, 0 to 1, if they
    /// were evaluated.
    pub accuracy: Option<f64>,
    /// Mean cross-entropy on the test images, in nats.
    pub loss: Option<f64>,
    /// How long the training took.
    pub seconds: Option<f64>,
    /// When it was done: `2026-11-22 09:35`, in UTC.
    pub date: Option<String>,
    /// SHA-256 of the settings.
    pub digest: Sha256,
    /// The settings.
    pub settings: Value,
}

/// The runs under some folders.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct History {
    /// By the names of their folders.
    pub runs: Vec<Run>,
}

/// What stands under a folder.
#[derive(Default)]
struct Found {
    trainings: Vec<PathBuf>,
    evaluations: HashMap<Sha256, Evaluated>,
}

/// Of an evaluation, what is told.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Evaluated {
    /// The part of the test images that is answered rightly, 0 to 1.
    pub accuracy: f64,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// SHA-256 of the weights that were exported.
    pub weights: Option<Sha256>,
}

impl Names {
    /// As they stand in the pipeline.
    pub(crate) fn of(plan: &TrainPlan) -> Self {
        Self {
            model: plan.model_name.clone(),
            dataset: plan.dataset.name.clone(),
        }
    }
}

impl History {
    /// Looks for runs in `folders` and those within them.
    ///
    /// # Errors
    ///
    /// When a folder is not there or cannot be read.
    pub fn under(folders: &[PathBuf]) -> Result<Self, artifact::Error> {
        let mut found = Found::default();
        for folder in folders {
            fs::read_dir(folder).map_err(artifact::Error::new("read the folder", folder))?;
            found.look_into(folder, DEPTH)?;
        }
        let trainings = found.trainings.iter();
        let mut runs: Vec<Run> = trainings
            .filter_map(|folder| run(folder, &found.evaluations))
            .collect();
        runs.sort_by(|a, b| a.name.cmp(&b.name));
        runs.dedup_by(|a, b| a.name == b.name);
        Ok(Self { runs })
    }
}

impl Found {
    fn look_into(&mut self, folder: &Path, depth: usize) -> Result<(), artifact::Error> {
        if folder.join(trainer::SUMMARY).is_file() {
            self.trainings.push(folder.to_owned());
        }
        // A folder may hold anything: what is no evaluation is passed over.
        if let Ok(evaluated) = results::json::<Evaluated>(&folder.join(EVALUATION))
            && let Some(weights) = evaluated.weights
        {
            self.evaluations.insert(weights, evaluated);
        }
        if depth == 0 {
            return Ok(());
        }
        let error = || artifact::Error::new("read the folder", folder);
        for entry in fs::read_dir(folder).map_err(error())? {
            let entry = entry.map_err(error())?;
            // A link is no folder here, so that there are no circles.
            if entry.file_type().map_err(error())?.is_dir() {
                self.look_into(&entry.path(), depth - 1)?;
            }
        }
        Ok(())
    }
}

/// The run in `folder`, if its files tell of one that is done.
fn run(folder: &Path, evaluations: &HashMap<Sha256, Evaluated>) -> Option<Run> {
    let summary: Summary = results::json(&folder.join(trainer::SUMMARY)).ok()?;
    let names: Names = results::json(&folder.join(NAMES)).ok()?;
    let settings = artifact::read_at_most(&folder.join(SETTINGS), results::MAX_BYTES).ok()?;
    let timing: Option<Timing> = results::json(&folder.join(trainer::TIMING)).ok();
    let weights = [trainer::BEST, trainer::LAST].map(|file| folder.join(file));
    let digests = weights.iter().filter_map(|file| Sha256::of_file(file).ok());
    let evaluated = digests.filter_map(|digest| evaluations.get(&digest)).next();
    let modified = fs::metadata(folder.join(trainer::SUMMARY)).and_then(|file| file.modified());
    Some(Run {
        name: folder.to_owned(),
        model: names.model,
        dataset: names.dataset,
        epochs: summary.epochs,
        parameters: summary.parameters,
        validation_accuracy: summary.best.validation_accuracy,
        validation_loss: summary.best.validation_loss,
        accuracy: evaluated.map(|evaluated| evaluated.accuracy),
        loss: evaluated.map(|evaluated| evaluated.loss),
        seconds: timing.map(|timing| timing.seconds),
        date: modified.ok().map(date::utc),
        digest: Sha256::of_bytes(&settings),
        settings: serde_json::from_slice(&settings).ok()?,
    })
}

/// The columns of a run's values, after that of its name.
const VALUES: [&str; 7] = [
    "model", "dataset", "accuracy", "loss", "seconds", "date", "settings",
];

impl Run {
    /// As [`VALUES`].
    fn values(&self) -> [String; 7] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        [
            self.model.clone(),
            self.dataset.clone(),
            or_dash(self.accuracy.map(|part| format!("{:.2}%", 100.0 * part))),
            or_dash(self.loss.map(|loss| format!("{loss:.4}"))),
            or_dash(self.seconds.map(|seconds| format!("{seconds:.1}"))),
            or_dash(self.date.as_ref().map(|date| date[..10].to_owned())),
            self.digest.to_string()[..8].to_owned(),
        ]
    }
}

impl History {
    /// The names; they are paths, which are copied, so that none is broken.
    fn names(&self) -> impl Iterator<Item = String> {
        self.runs.iter().map(|run| run.name.display().to_string())
    }

    /// The lines of the table of values, the header first.
    fn values(&self) -> Vec<String> {
        let mut table = table(VALUES);
        table.set_content_arrangement(ContentArrangement::Disabled);
        for run in &self.runs {
            table.add_row(run.values());
        }
        for column in table.column_iter_mut().skip(2).take(3) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }
}

impl fmt::Display for History {
    /// A line for each run; in a terminal that is too narrow, a line for its
    /// name and one for its values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = ["run".to_owned()].into_iter().chain(self.names()).collect();
        let length = |text: &String| text.chars().count();
        let column = names.iter().map(length).max().unwrap_or_default();
        let values = self.values();
        let needed = column + 2 + values.iter().map(length).max().unwrap_or_default();
        let narrow = Table::new()
            .width()
            .is_some_and(|width| needed > usize::from(width));
        for (name, values) in names.iter().zip(&values) {
            match narrow {
                true => writeln!(f, "{name}\n  {values}")?,
                false => writeln!(f, "{name:column$}  {values}")?,
            }
        }
        Ok(())
    }
}

/// A table without lines, as wide as what is in it; in a terminal, no wider
/// than that.
fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    table
}

fn write_table(f: &mut fmt::Formatter<'_>, table: &Table) -> fmt::Result {
    for line in table.lines() {
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}
