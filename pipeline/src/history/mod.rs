//! The runs that stand in folders of results: what was trained, how, and what
//! came of it.

mod date;
mod difference;

pub(crate) use difference::changes;
pub use difference::{Difference, Line};

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use artifact::Sha256;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use runtime::text::{padded, widest};
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
    #[serde(serialize_with = "output::path")]
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
    /// By the SHA-256 of the weights, with their folders.
    evaluations: HashMap<Sha256, Vec<(PathBuf, Evaluated)>>,
}

/// Of an evaluation, what is told.
#[derive(Clone, Debug, Deserialize)]
pub struct Evaluated {
    /// Name of the dataset whose test images they are.
    #[serde(default)]
    pub dataset: String,
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
        let mut runs: Vec<Run> = trainings.filter_map(|folder| found.run(folder)).collect();
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
            let others = self.evaluations.entry(weights).or_default();
            others.push((folder.to_owned(), evaluated));
        }
        if depth == 0 {
            return Ok(());
        }
        let error = || artifact::Error::new("read the folder", folder);
        let entries = match fs::read_dir(folder) {
            // Those that were asked for can be read: `under` has looked.
            Err(refused) if refused.kind() == ErrorKind::PermissionDenied => return Ok(()),
            entries => entries.map_err(error())?,
        };
        for entry in entries {
            let entry = entry.map_err(error())?;
            // A link is no folder here, so that there are no circles.
            if entry.file_type().map_err(error())?.is_dir() {
                self.look_into(&entry.path(), depth - 1)?;
            }
        }
        Ok(())
    }

    /// The run in `folder`, if its files tell of one that is done.
    fn run(&self, folder: &Path) -> Option<Run> {
        let summary: Summary = results::json(&folder.join(trainer::SUMMARY)).ok()?;
        let names: Names = results::json(&folder.join(NAMES)).ok()?;
        let settings = read_settings(folder)?;
        let timing: Option<Timing> = results::json(&folder.join(trainer::TIMING)).ok();
        let evaluated = self.evaluated(folder, &names.dataset);
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

    /// The evaluation of the training in `folder` on the dataset that it was trained on: of its
    /// weights, which others may have, too, rather that beside it and rather of its best ones.
    fn evaluated(&self, folder: &Path, dataset: &str) -> Option<&Evaluated> {
        let weights = [trainer::BEST, trainer::LAST].map(|file| folder.join(file));
        let digests = weights.iter().filter_map(|file| Sha256::of_file(file).ok());
        let found = digests.enumerate().flat_map(|(index, digest)| {
            let found = self.evaluations.get(&digest).into_iter().flatten();
            found.map(move |(place, evaluated)| {
                let beside = place.parent() == folder.parent();
                ((!beside, index, place), evaluated)
            })
        });
        let found = found.filter(|(_, evaluated)| evaluated.dataset == dataset);
        let (_, evaluated) = found.min_by_key(|(rank, _)| *rank)?;
        Some(evaluated)
    }
}

/// The largest `settings.json` that is read, in bytes: it is shown whole, and values without end
/// take hundreds of times the space of their JSON.
const MAX_SETTINGS: u64 = 1 << 20;

/// The text of the settings of the training in `folder`.
fn read_settings(folder: &Path) -> Option<Vec<u8>> {
    artifact::read_at_most(&folder.join(SETTINGS), MAX_SETTINGS).ok()
}

/// The columns of a run's values, between those of its name and its settings.
const VALUES: [&str; 6] = ["model", "dataset", "accuracy", "loss", "seconds", "date"];

impl Run {
    /// As [`VALUES`].
    fn values(&self) -> [String; 6] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        [
            self.model.clone(),
            self.dataset.clone(),
            or_dash(self.accuracy.map(|part| format!("{:.2}%", 100.0 * part))),
            or_dash(self.loss.map(|loss| format!("{loss:.4}"))),
            or_dash(self.seconds.map(|seconds| format!("{seconds:.1}"))),
            or_dash(self.date.as_ref().map(|date| date[..10].to_owned())),
        ]
    }
}

impl History {
    /// Names, which are paths and copied, so that none is broken.
    fn names(&self) -> Vec<String> {
        let names = self.runs.iter().map(|run| run.name.display().to_string());
        ["run".to_owned()].into_iter().chain(names).collect()
    }

    /// The beginnings of the settings' digests.
    fn digests(&self) -> Vec<String> {
        let digests = self.runs.iter().map(|run| run.digest.to_string());
        let short = digests.map(|digest| digest[..8].to_owned());
        ["settings".to_owned()].into_iter().chain(short).collect()
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

    /// A line for each run, the header first; where that is wider than `width`,
    /// one for its name and settings and one for its values.
    fn lines(&self, width: usize) -> Vec<String> {
        let (names, values) = (self.names(), self.values());
        let widest = |texts: &[String]| widest(texts.iter().map(String::as_str));
        let [name, value] = [&names, &values].map(|texts| widest(texts));
        let runs = names.iter().zip(&values).zip(self.digests());
        let wide = runs.clone().map(|((run, values), digest)| {
            format!("{}  {}  {digest}", padded(run, name), padded(values, value))
        });
        let wide: Vec<String> = wide.collect();
        if widest(&wide) <= width {
            return wide;
        }
        let narrow = |((run, values), digest)| [format!("{run}  {digest}"), format!("  {values}")];
        runs.flat_map(narrow).collect()
    }
}

impl fmt::Display for History {
    /// As wide as it is, or as the terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = Table::new().width().map_or(usize::MAX, usize::from);
        self.lines(width)
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn history(model: &str, dataset: &str) -> History {
        let run = Run {
            name: "runs/a-rather-long-name/fit".into(),
            model: model.to_owned(),
            dataset: dataset.to_owned(),
            epochs: 1,
            parameters: 1,
            validation_accuracy: 1.0,
            validation_loss: 0.0,
            accuracy: Some(1.0),
            loss: Some(0.0),
            seconds: Some(1234.5),
            date: Some("2026-11-22 09:35".to_owned()),
            digest: Sha256::of_bytes(b""),
            settings: Value::Null,
        };
        History { runs: vec![run] }
    }

    /// Two trainings of the same weights, of which `b` has exported its last ones and evaluated
    /// them on other images, too.
    #[test]
    fn evaluation_is_that_of_the_runs_own_export_on_its_own_dataset() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for run in ["a/fit", "b/fit"] {
            artifact::write_bytes(&at(run).join(trainer::BEST), b"best").unwrap();
            artifact::write_bytes(&at(run).join(trainer::LAST), b"last").unwrap();
        }
        let mut found = Found::default();
        for (name, weights, dataset, accuracy) in [
            ("b/elsewhere", b"best", "other", 0.3),
            ("a/score", b"best", "digits", 0.9),
            ("b/score", b"last", "digits", 0.8),
        ] {
            let weights = Sha256::of_bytes(weights);
            let evaluated = Evaluated {
                dataset: dataset.to_owned(),
                accuracy,
                loss: 0.0,
                weights: Some(weights),
            };
            let of_weights = found.evaluations.entry(weights).or_default();
            of_weights.push((at(name), evaluated));
        }
        let accuracy =
            |run: &str, dataset: &str| Some(found.evaluated(&at(run), dataset)?.accuracy);
        assert_eq!(accuracy("a/fit", "digits"), Some(0.9));
        assert_eq!(accuracy("b/fit", "digits"), Some(0.8));
        assert_eq!(accuracy("b/fit", "letters"), None);
    }

    #[test]
    fn runs_of_what_is_built_in_fit_into_a_terminal() {
        let lines = history("cnn-16-32-32-64", "fashion-mnist").lines(80);
        let expected = [
            "run  settings",
            "  model            dataset        accuracy    loss  seconds  date",
            "runs/a-rather-long-name/fit  e3b0c442",
            "  cnn-16-32-32-64  fashion-mnist   100.00%  0.0000   1234.5  2026-11-22",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn run_has_one_line_where_that_fits() {
        let lines = history("lenet5", "mnist").lines(100);
        let expected = [
            "run                          model   dataset  accuracy    loss  seconds  date        settings",
            "runs/a-rather-long-name/fit  lenet5  mnist     100.00%  0.0000   1234.5  2026-11-22  e3b0c442",
        ];
        assert_eq!(lines, expected);
    }
}
