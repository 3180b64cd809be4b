//! `matrix:` settings that are varied, and the pipelines that come of it.

use artifact::Sha256;
use indexmap::IndexMap;
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::overrides::{OUTPUT, OverrideError, keys_of, overlap, parts, place_of, within};
use super::problem::suggestion;
use super::tree::Tree;
use super::{Config, ConfigError, Document};

/// Settings with the values that each of them takes: `fit.seed: [1, 2, 3]`.
pub type Matrix = IndexMap<String, Spanned<Vec<Value>>>;

/// The most runs of one sweep; more are a mistake.
const MAX_RUNS: usize = 10_000;

/// The most bytes of all pipelines of one sweep together.
const MAX_TEXT: usize = 1 << 26;

/// The longest part of a folder's name that one value gives, in bytes.
const MAX_SLUG: usize = 48;

/// A setting that is varied.
struct Axis<'a> {
    setting: &'a String,
    place: Location,
    /// Its values, as they are shown and as they are written.
    values: Vec<(Value, &'a Tree)>,
}

/// One value for each setting.
type Choice<'a> = IndexMap<&'a String, &'a (Value, &'a Tree)>;

/// One combination of the values of a matrix.
#[derive(Clone, Debug)]
pub struct Combination {
    /// Folder under `output`: `model=lenet5,seed=1`.
    pub name: String,
    /// The setting and its value, in the order of the file.
    pub values: IndexMap<String, Value>,
    /// The pipeline with these values, and its results in that folder.
    pub document: Document,
}

impl Document {
    /// All combinations of the values of `matrix`, the last setting varied
    /// first; none where there is no matrix.
    ///
    /// # Errors
    ///
    /// A setting that is not there or has no values, a value that does not fit,
    /// two runs with one folder, or a file that all runs would write.
    pub fn combinations(&self) -> Result<Vec<Combination>, ConfigError> {
        let config: Config = self.parse()?;
        let Some(place) = config.matrix.values().next().map(|axis| axis.referenced) else {
            return Ok(Vec::new());
        };
        let mut root = self.tree()?;
        // Aliases stand for all of their text there.
        let bytes = self.changed("matrix", &root)?.text().len();
        let written = root
            .settings_mut()
            .and_then(|root| root.shift_remove("matrix"));
        let axes = axes(&config.matrix, written.as_ref());
        self.check_size(&axes, bytes, place)?;
        for axis in &axes {
            self.check_axis(&root, axis)?;
        }
        self.check_distinct(&root, &axes)?;
        let names = short_names(config.matrix.keys());
        let mut combinations: Vec<Combination> = Vec::new();
        for choice in product(&axes) {
            let pairs = names.iter().zip(choice.values());
            let parts = pairs.map(|(name, (value, _))| format!("{name}={}", slug(value)));
            let name = parts.collect::<Vec<_>>().join(",");
            if combinations.iter().any(|other| other.name == name) {
                let problem = format!("two runs would have the folder `{name}`");
                let hint = "give the values names that differ in letters or digits";
                return Err(self.invalid(place, problem, Some(hint.to_owned())));
            }
            let document = self.combination(&root, &config, &name, &choice, place)?;
            let values = choice.into_iter();
            combinations.push(Combination {
                name,
                values: values
                    .map(|(setting, (value, _))| (setting.clone(), value.clone()))
                    .collect(),
                document,
            });
        }
        Ok(combinations)
    }

    /// Refuses a setting that is not there, and values that it cannot have.
    fn check_axis(&self, root: &Tree, axis: &Axis<'_>) -> Result<(), ConfigError> {
        let Axis {
            setting,
            place,
            values,
        } = axis;
        if values.is_empty() {
            return Err(self.invalid(*place, format!("`{setting}` has no values"), None));
        }
        for (value, written) in values {
            let mut varied = root.clone();
            self.set(&mut varied, setting, written, *place)?;
            let document = self.changed(setting, &varied)?;
            if let Some(problem) = document.problem::<Config>() {
                let text = format!("`{setting}: {value}` does not fit: {}", problem.text);
                return Err(self.invalid(*place, text, problem.hint));
            }
        }
        Ok(())
    }

    /// Refuses two settings that are one by different names.
    fn check_distinct(&self, root: &Tree, axes: &[Axis<'_>]) -> Result<(), ConfigError> {
        for (index, Axis { setting, place, .. }) in axes.iter().enumerate() {
            let keys = keys_of(setting, root)?;
            let same = |other: &&Axis<'_>| {
                keys_of(other.setting, root).is_ok_and(|one| overlap(&one, &keys))
            };
            if let Some(Axis { setting: other, .. }) = axes[..index].iter().find(same) {
                let problem = format!("`{setting}` and `{other}` are the same setting");
                let hint = Some("take one of the two out".to_owned());
                return Err(self.invalid(*place, problem, hint));
            }
        }
        Ok(())
    }

    /// Sets one setting; what is wrong is told at `place`.
    fn set(
        &self,
        root: &mut Tree,
        setting: &str,
        value: &Tree,
        place: Location,
    ) -> Result<(), ConfigError> {
        let mut set = || -> Result<(), OverrideError> {
            *place_of(&parts(setting)?, root)? = value.clone();
            Ok(())
        };
        set().map_err(|error| {
            let hint = match &error {
                OverrideError::Stage { stage, stages } => {
                    Some(suggestion(stage, stages.split(", ")))
                }
                OverrideError::Form(_)
                | OverrideError::Empty(_)
                | OverrideError::Varied { .. }
                | OverrideError::Value { .. }
                | OverrideError::NoMap(_) => None,
            };
            self.invalid(place, error.to_string(), hint)
        })
    }

    /// Refuses more runs, of a pipeline of at most so many `bytes`, than a sweep may have.
    fn check_size(
        &self,
        axes: &[Axis<'_>],
        bytes: usize,
        place: Location,
    ) -> Result<(), ConfigError> {
        let runs = axes
            .iter()
            .fold(1_usize, |runs, axis| runs.saturating_mul(axis.values.len()));
        let bytes = runs.saturating_mul(bytes);
        let problem = if runs > MAX_RUNS {
            format!("the matrix has more than {MAX_RUNS} runs")
        } else if bytes > MAX_TEXT {
            format!("the pipelines of the matrix take {bytes} bytes, more than {MAX_TEXT}")
        } else {
            return Ok(());
        };
        Err(self.invalid(place, problem, None))
    }

    /// The pipeline with these values, and all its results under `name`.
    fn combination(
        &self,
        root: &Tree,
        config: &Config,
        name: &str,
        choice: &Choice<'_>,
        place: Location,
    ) -> Result<Document, ConfigError> {
        let mut root = root.clone();
        for (setting, (_, written)) in choice {
            self.set(&mut root, setting, written, place)?;
        }
        let output = config.output.join(name);
        for (stage, file) in root.stage_files_mut() {
            let Some(within) = within(file, &config.output) else {
                let file = file.text().unwrap_or_default();
                let problem = format!("all runs would write `{file}`, the file of `{stage}`");
                let hint = format!(
                    "move it into `{}`, or leave it out",
                    config.output.display()
                );
                return Err(self.invalid(place, problem, Some(hint)));
            };
            *file = output.join(within).to_string_lossy().into();
        }
        if let Some(settings) = root.settings_mut() {
            settings.insert(OUTPUT.to_owned(), output.to_string_lossy().into());
        }
        self.changed(name, &root)
    }
}

/// The settings of `matrix`, which is `written` so.
fn axes<'a>(matrix: &'a Matrix, written: Option<&'a Tree>) -> Vec<Axis<'a>> {
    let axis = |(setting, values): (&'a String, &'a Spanned<Vec<Value>>)| {
        let written = written.and_then(|matrix| matrix.get(setting)?.list());
        Axis {
            setting,
            place: values.referenced,
            values: values
                .value
                .iter()
                .map(shown)
                .zip(written.unwrap_or(&[]))
                .collect(),
        }
    };
    matrix.iter().map(axis).collect()
}

/// Every choice of one value for each setting.
fn product<'a>(axes: &'a [Axis<'a>]) -> Vec<Choice<'a>> {
    axes.iter().fold(vec![Choice::new()], |product, axis| {
        let longer = product.iter().flat_map(|chosen| {
            axis.values.iter().map(|value| {
                let mut chosen = chosen.clone();
                chosen.insert(axis.setting, value);
                chosen
            })
        });
        longer.collect()
    })
}

/// The value as tables and folders have it: a number, also where it was written as text.
fn shown(value: &Value) -> Value {
    let number = value.as_str().map(serde_saphyr::from_str);
    match number {
        Some(Ok(Value::Number(number))) => number.into(),
        _ => value.clone(),
    }
}

/// The last name of each path, or the whole path where two have the same.
pub(crate) fn short_names<'a>(paths: impl Iterator<Item = &'a String> + Clone) -> Vec<String> {
    let last = |path: &'a String| path.rsplit('.').next().unwrap_or(path);
    let is_alone = |name: &str| paths.clone().filter(|path| last(path) == name).count() == 1;
    let names = paths.clone().map(|path| match last(path) {
        name if is_alone(name) => name.to_owned(),
        _ => path.clone(),
    });
    names.collect()
}

/// A value as part of a folder's name: `sgd-momentum-0.9`.
fn slug(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::Bool(_) => value.to_string(),
        // `1e+30` would become `1e-30`.
        Value::Number(number) => number.to_string().replace("e+", "e"),
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(slug).collect();
            values.join("-")
        }
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| format!("{key}-{}", slug(value)));
            entries.collect::<Vec<_>>().join("-")
        }
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let text: String = text
        .chars()
        .map(|c| if plain(c) { c } else { '-' })
        .collect();
    if text.len() <= MAX_SLUG {
        return text;
    }
    let digest = Sha256::of_bytes(value.to_string().as_bytes()).to_string();
    format!("{}-{}", &text[..MAX_SLUG - 9], &digest[..8])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::StageConfig;

    const STAGES: &str = "output: runs
stages:
  mnist: { dataset: { name: mnist } }
  fit: { train: { dataset: mnist, model: lenet5, epochs: 1 } }
  onnx: { export: { train: fit, file: runs/mnist.onnx } }
";

    fn combinations(matrix: &str) -> Result<Vec<Combination>, ConfigError> {
        let yaml = format!("matrix:\n{matrix}{STAGES}");
        Document::new(Path::new("p.yaml"), yaml).combinations()
    }

    fn error(matrix: &str) -> (String, Option<String>) {
        match combinations(matrix).unwrap_err() {
            ConfigError::Invalid { rendered, hint } => (rendered, hint),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_combination_is_a_pipeline_with_a_folder_of_its_own() {
        let runs = combinations("  fit.model: [lenet5, cnn-10-20]\n  fit.seed: [1, 2]\n").unwrap();
        let names: Vec<&str> = runs.iter().map(|run| &*run.name).collect();
        assert_eq!(
            names,
            [
                "model=lenet5,seed=1",
                "model=lenet5,seed=2",
                "model=cnn-10-20,seed=1",
                "model=cnn-10-20,seed=2",
            ]
        );
        let last: Value = runs[3].document.parse().unwrap();
        assert_eq!(last["output"], "runs/model=cnn-10-20,seed=2");
        assert_eq!(last["stages"]["fit"]["train"]["model"], "cnn-10-20");
        assert_eq!(last["stages"]["fit"]["train"]["seed"], 2);
        assert_eq!(
            last["stages"]["onnx"]["export"]["file"],
            "runs/model=cnn-10-20,seed=2/mnist.onnx"
        );
        assert!(last.get("matrix").is_none());
    }

    #[test]
    fn settings_and_stages_stay_in_the_order_of_the_file() {
        let yaml = "matrix:\n  fit.model: [lenet5]\n  fit.learning_rate: [0.1, 1e-3]\n";
        let document = Document::new(Path::new("p.yaml"), format!("{yaml}{STAGES}"));
        let set = document
            .clone()
            .with(&["fit.log_every=9".parse().unwrap()])
            .unwrap();
        for document in [document, set] {
            let runs = document.combinations().unwrap();
            let names: Vec<&str> = runs.iter().map(|run| &*run.name).collect();
            let expected = [
                "model=lenet5,learning_rate=0.1",
                "model=lenet5,learning_rate=0.001",
            ];
            assert_eq!(names, expected);
            let config: Config = runs[0].document.parse().unwrap();
            let stages: Vec<&str> = config.stages.keys().map(String::as_str).collect();
            assert_eq!(stages, ["mnist", "fit", "onnx"]);
        }
    }

    #[test]
    fn values_are_taken_as_they_are_written() {
        let matrix = "  mnist.name: [1.10, 0x10, no, +1]\n  fit.checkpoint.seconds: [.inf]\n";
        let runs = combinations(matrix).unwrap();
        let names = runs.iter().map(|run| {
            let config: Config = run.document.parse().unwrap();
            match &config.stages["mnist"].value {
                StageConfig::Dataset(dataset) => dataset.name.value.clone(),
                other => panic!("another stage: {other:?}"),
            }
        });
        assert_eq!(names.collect::<Vec<_>>(), ["1.10", "0x10", "no", "+1"]);
    }

    #[test]
    fn pipeline_without_a_matrix_has_no_combinations() {
        let document = Document::new(Path::new("p.yaml"), STAGES.to_owned());
        assert!(document.combinations().unwrap().is_empty());
    }

    #[test]
    fn names_of_folders_are_readable_whatever_the_value() {
        for (yaml, name) in [
            ("0.001", "0.001"),
            ("1.0e+30", "1e30"),
            ("1.0e-30", "1e-30"),
            ("{ sgd: { momentum: 0.9 } }", "sgd-momentum-0.9"),
            ("{ file: nets/größer.yaml }", "file-nets-gr--er.yaml"),
            ("null", "none"),
        ] {
            let value: Value = serde_saphyr::from_str(yaml).unwrap();
            assert_eq!(slug(&value), name);
        }
        let long = slug(&Value::String("x".repeat(300)));
        assert_eq!(long.len(), MAX_SLUG);
        assert_ne!(long, slug(&Value::String("x".repeat(301))));
    }

    #[test]
    fn settings_of_one_name_are_told_apart_by_their_stage() {
        let paths = ["a.seed", "b.seed", "a.epochs"].map(str::to_owned);
        assert_eq!(short_names(paths.iter()), ["a.seed", "b.seed", "epochs"]);
    }

    #[test]
    fn what_cannot_be_varied_is_told_at_its_place_with_what_was_meant() {
        for (matrix, problem, meant) in [
            ("  fti.seed: [1]\n", "`fti`", "did you mean `fit`?"),
            (
                "  fit.seeed: [1]\n",
                "no setting `seeed`",
                "did you mean `seed`?",
            ),
        ] {
            let (rendered, hint) = error(matrix);
            assert!(rendered.contains("p.yaml:2:"), "{rendered}");
            assert!(rendered.contains(problem), "{rendered}");
            assert_eq!(hint.as_deref(), Some(meant));
        }
        for (matrix, problem) in [
            ("  fit.seed: []\n", "`fit.seed` has no values"),
            (
                "  fit.epochs: [1, many]\n",
                "`fit.epochs: \"many\"` does not fit",
            ),
            ("  fit.seed: [1, 1]\n", "the folder `seed=1`"),
            (
                "  fit.seed: [1, 2]\n  train.seed: [3, 4]\n",
                "`train.seed` and `fit.seed` are the same setting",
            ),
            (
                "  fit.optimizer: [sgd]\n  fit.optimizer.sgd.momentum: [0.9]\n",
                "are the same setting",
            ),
            (
                "  fit.model: [{ file: a/b }, { file: a-b }]\n",
                "the folder `model=file-a-b`",
            ),
        ] {
            let (rendered, _) = error(matrix);
            assert!(rendered.contains(problem), "{rendered}");
        }
    }

    #[test]
    fn sweep_that_would_fill_the_memory_is_refused() {
        let name = "x".repeat(1 << 16);
        let matrix = format!("  mnist.name: [&a {name}]\n  mnist.classes: [[*a, *a]]\n");
        let seeds: Vec<u32> = (0..600).collect();
        let (rendered, _) = error(&format!("{matrix}  fit.seed: {seeds:?}\n"));
        assert!(rendered.contains("more than 67108864"), "{rendered}");
    }

    #[test]
    fn file_that_all_runs_would_write_is_refused() {
        let yaml = format!("matrix:\n  fit.seed: [1, 2]\n{STAGES}")
            .replace("runs/mnist.onnx", "mnist.onnx");
        let error = Document::new(Path::new("p.yaml"), yaml)
            .combinations()
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("all runs would write `mnist.onnx`"),
            "{error}"
        );
    }
}
