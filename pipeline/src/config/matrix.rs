//! `matrix:` settings that are varied, and the pipelines that come of it.

use artifact::Sha256;
use indexmap::IndexMap;
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::document::read_strictly;
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

/// The longest name of a folder, in bytes, as file systems have it.
const MAX_NAME: usize = 255;

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
        let mut room = MAX_TEXT;
        for choice in product(&axes) {
            let pairs = names.iter().zip(choice.values());
            let parts = pairs.map(|(name, (value, _))| format!("{name}={}", slug(value)));
            let name = parts.collect::<Vec<_>>().join(",");
            let name = shortened(name.clone(), MAX_NAME, &name);
            if combinations.iter().any(|other| other.name == name) {
                let problem = format!("two runs would have the folder `{name}`");
                let hint = "give the values names that differ in letters or digits";
                return Err(self.invalid(place, problem, Some(hint.to_owned())));
            }
            let document = self.combination(&root, &config, &name, &choice, place, room)?;
            room = room.saturating_sub(document.text().len());
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
                | OverrideError::NoMap { .. } => None,
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
        if runs > MAX_RUNS {
            let problem = format!("the matrix has more than {MAX_RUNS} runs");
            return Err(self.invalid(place, problem, None));
        }
        match runs.saturating_mul(bytes) > MAX_TEXT {
            true => Err(self.too_much_text(place)),
            false => Ok(()),
        }
    }

    fn too_much_text(&self, place: Location) -> ConfigError {
        let problem = format!("the pipelines of the matrix take more than {MAX_TEXT} bytes");
        self.invalid(place, problem, None)
    }

    /// The pipeline with these values, and all its results under `name`; what that
    /// adds has at most `room` bytes.
    fn combination(
        &self,
        root: &Tree,
        config: &Config,
        name: &str,
        choice: &Choice<'_>,
        place: Location,
        room: usize,
    ) -> Result<Document, ConfigError> {
        let mut root = root.clone();
        for (setting, (_, written)) in choice {
            self.set(&mut root, setting, written, place)?;
        }
        let output = config.output.join(name);
        let paths = 1 + root.stage_files_mut().count();
        if paths.saturating_mul(output.as_os_str().len()) > room {
            return Err(self.too_much_text(place));
        }
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
        let values_of = |written: &'a [Tree]| written.iter().map(|one| (shown(one), one));
        Axis {
            setting,
            place: values.referenced,
            values: values_of(written.unwrap_or(&[])).collect(),
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

/// The value as tables and folders have it: `1e-3` is 0.001 there.
fn shown(written: &Tree) -> Value {
    match written {
        Tree::Settings(settings) => {
            let settings = settings.iter();
            Value::Object(
                settings
                    .map(|(name, one)| (name.clone(), shown(one)))
                    .collect(),
            )
        }
        Tree::List(values) => values.iter().map(shown).collect(),
        Tree::Value(Value::String(text)) => match read_strictly(text) {
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value,
            _ => text.clone().into(),
        },
        Tree::Value(value) => value.clone(),
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
    shortened(text, MAX_SLUG, &value.to_string())
}

/// The name, where it is longer than `longest` bytes with the digest of all that it
/// stands for at its end.
fn shortened(mut name: String, longest: usize, whole: &str) -> String {
    const DIGITS: usize = 8;
    if name.len() > longest {
        let digest = Sha256::of_bytes(whole.as_bytes()).to_string();
        name.truncate(name.floor_char_boundary(longest - DIGITS - 1));
        name += "-";
        name += &digest[..DIGITS];
    }
    name
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

    /// The pipeline of this matrix as it is, and with another setting.
    fn as_it_is_and_set(matrix: &str) -> [Document; 2] {
        let yaml = format!("matrix:\n{matrix}{STAGES}");
        let document = Document::new(Path::new("p.yaml"), yaml);
        let set = document.clone();
        let set = set.with(&["fit.log_every=9".parse().unwrap()]).unwrap();
        [document, set]
    }

    #[test]
    fn settings_and_stages_stay_in_the_order_of_the_file() {
        let matrix = "  fit.model: [lenet5]\n  fit.learning_rate: [0.1, 1e-3]\n";
        for document in as_it_is_and_set(matrix) {
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
    fn folders_are_the_same_whatever_else_is_set() {
        for (matrix, expected) in [
            (
                "fit.optimizer: [adam, { adamw: { weight_decay: 1e-2 } }]",
                ["optimizer=adam", "optimizer=adamw-weight_decay-0.01"],
            ),
            (
                "fit.augment: [{ scale: [0.80, 1.20] }, { scale: [1, 1.5] }]",
                ["augment=scale-0.8-1.2", "augment=scale-1-1.5"],
            ),
            (
                "onnx.probabilities: [True, off]",
                ["probabilities=true", "probabilities=off"],
            ),
            ("mnist.name: [01, 1_0]", ["name=01", "name=1_0"]),
            ("mnist.name: [\"01\", yes]", ["name=01", "name=yes"]),
        ] {
            for document in as_it_is_and_set(&format!("  {matrix}\n")) {
                let runs = document.combinations().unwrap();
                let names: Vec<&str> = runs.iter().map(|run| &*run.name).collect();
                assert_eq!(names, expected);
            }
        }
    }

    #[test]
    fn values_are_taken_as_they_are_written() {
        let matrix =
            "  mnist.name: [1.10, 0x10, no, +1, 1e400, '.inf']\n  fit.checkpoint.seconds: [.inf]\n";
        let runs = combinations(matrix).unwrap();
        let names = runs.iter().map(|run| {
            let config: Config = run.document.parse().unwrap();
            match &config.stages["mnist"].value {
                StageConfig::Dataset(dataset) => dataset.name.value.clone(),
                other => panic!("another stage: {other:?}"),
            }
        });
        let expected = ["1.10", "0x10", "no", "+1", "1e400", ".inf"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
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
    fn name_of_a_run_is_one_of_a_folder() {
        let fits = "é".repeat(127);
        let name = |name: &str| shortened(name.to_owned(), MAX_NAME, name);
        assert_eq!(name(&fits), fits);
        let [one, other] = ["a", "b"].map(|end| name(&("é".repeat(128) + end)));
        assert!(one.len() <= MAX_NAME && other.len() <= MAX_NAME);
        assert_ne!(one, other);
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
    fn long_output_in_front_of_many_files_is_refused() {
        let output = format!("{}runs", "./".repeat(1 << 15));
        let stages = STAGES.replace("output: runs", &format!("output: {output}"));
        let mut yaml = format!("matrix:\n  fit.seed: [1]\n{stages}");
        for stage in 0..1024 {
            yaml += &format!("  s{stage}: {{ export: {{ train: fit, file: runs/{stage} }} }}\n");
        }
        let error = Document::new(Path::new("p.yaml"), yaml).combinations();
        let error = error.unwrap_err().to_string();
        assert!(error.contains("more than 67108864"), "{error}");
    }

    #[test]
    fn stage_without_a_file_of_its_own_writes_where_its_run_does() {
        let yaml = format!("matrix:\n  fit.seed: [1, 2]\n{STAGES}");
        let yaml = yaml.replace("runs/mnist.onnx", "~");
        let runs = Document::new(Path::new("p.yaml"), yaml).combinations();
        assert_eq!(runs.unwrap().len(), 2);
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
