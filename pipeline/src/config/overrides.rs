//! `--set train.epochs=3`: a setting given on the command line.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use indexmap::IndexMap;
use serde_json::Value;

use super::document::read_tree;
use super::problem::Problem;
use super::tree::Tree;
use super::{ConfigError, Document};
use crate::paths::absolute;

/// The setting that names the folder of the results.
pub(super) const OUTPUT: &str = "output";

/// One `--set STAGE.FIELD=VALUE`; the stage by its name, or by its kind where
/// there is one of that kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    path: Vec<String>,
    value: String,
}

/// An override that cannot be applied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OverrideError {
    /// Not of the form KEY=VALUE.
    #[error("`{0}` is not of the form STAGE.SETTING=VALUE, such as train.epochs=3")]
    Form(String),
    /// No such stage.
    #[error("`{stage}` is neither a stage nor the kind of exactly one stage; there are: {stages}")]
    Stage {
        /// What was asked for.
        stage: String,
        /// What there is.
        stages: String,
    },
    /// The value is no YAML.
    #[error("`{value}` is not a YAML value: {problem}")]
    Value {
        /// What was given.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing stands behind `=`.
    #[error("`{0}=` says no value; write one behind the `=`")]
    Empty(String),
    /// `matrix` gives the setting its values, run by run.
    #[error(
        "`{setting}` has its values in `matrix`, as `{axis}`; take it out there, or give others \
         with --set 'matrix={{ {axis}: [...] }}'"
    )]
    Varied {
        /// The setting, as it was given.
        setting: String,
        /// As it stands in `matrix`.
        axis: String,
    },
    /// A part of the path is not a map.
    #[error("`{setting}` is {value}, which has no settings inside it; set it as a whole: {whole}")]
    NoMap {
        /// The part.
        setting: String,
        /// What it is.
        value: String,
        /// How it is set.
        whole: String,
    },
}

impl FromStr for Override {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, OverrideError> {
        let form = || OverrideError::Form(text.to_owned());
        let (setting, value) = text.split_once('=').ok_or_else(form)?;
        let path = parts(setting).map_err(|_| form())?;
        if value.trim().is_empty() {
            return Err(OverrideError::Empty(setting.to_owned()));
        }
        Ok(Self {
            path,
            value: value.to_owned(),
        })
    }
}

impl Document {
    /// The document with the overrides applied; it is the document itself
    /// where there are none. With `output`, files within it move, too.
    ///
    /// # Errors
    ///
    /// When the document is no YAML, or an override does not fit it.
    pub fn with(self, overrides: &[Override]) -> Result<Self, ConfigError> {
        if overrides.is_empty() {
            return Ok(self);
        }
        let mut root = self.tree()?;
        let (outputs, others): (Vec<&Override>, Vec<_>) =
            overrides.iter().partition(|one| one.path == [OUTPUT]);
        for one in outputs {
            one.move_output(&mut root)?;
        }
        for one in others {
            one.apply(&mut root)?;
        }
        for one in overrides {
            one.check_not_varied(&root)?;
        }
        self.changed("--set", &root)
    }
}

impl Override {
    /// Changes the setting in a document's tree.
    pub(super) fn apply(&self, root: &mut Tree) -> Result<(), OverrideError> {
        let place = place_of(&self.path, root)?;
        *place = read_tree(&self.value).map_err(|error| OverrideError::Value {
            value: self.value.clone(),
            problem: Problem::of(&error).text,
        })?;
        Ok(())
    }

    /// Changes the folder of the results, of those, too, that stages name by themselves: else
    /// another run would write over them.
    fn move_output(&self, root: &mut Tree) -> Result<(), OverrideError> {
        let output = |root: &Tree| Some(PathBuf::from(root.get(OUTPUT)?.text()?));
        let before = output(root);
        self.apply(root)?;
        if let (Some(before), Some(after)) = (before, output(root)) {
            for (_, file) in root.stage_files_mut() {
                if let Some(within) = within(file, &before) {
                    *file = after.join(within).to_string_lossy().into();
                }
            }
        }
        Ok(())
    }

    /// Refuses to set what each run of the `matrix` sets again.
    fn check_not_varied(&self, root: &Tree) -> Result<(), OverrideError> {
        let keys = resolve(&self.path, root)?;
        let axes = root.get("matrix").and_then(Tree::settings);
        let varied = |axis: &&String| {
            // One that names nothing is told where it stands.
            keys_of(axis, root).is_ok_and(|axis| overlap(&axis, &keys))
        };
        match axes.into_iter().flat_map(IndexMap::keys).find(varied) {
            None => Ok(()),
            Some(axis) => Err(OverrideError::Varied {
                setting: self.path.join("."),
                axis: axis.clone(),
            }),
        }
    }
}

/// Where the file that a setting names lies in the folder `output`, if it does.
pub(super) fn within(file: &Tree, output: &Path) -> Option<PathBuf> {
    let file = absolute(Path::new(&file.text()?));
    Some(file.strip_prefix(absolute(output)).ok()?.to_owned())
}

/// The place of a setting, which is made where it is not there.
pub(super) fn place_of<'a>(
    path: &[String],
    root: &'a mut Tree,
) -> Result<&'a mut Tree, OverrideError> {
    let keys = resolve(path, root)?;
    let count = keys.len();
    let mut place = root;
    for (index, key) in keys.into_iter().enumerate() {
        if index > 0 && matches!(place, Tree::Value(Value::Null)) {
            *place = Tree::Settings(IndexMap::new());
        }
        match place {
            Tree::Settings(settings) => {
                place = settings.entry(key).or_insert(Value::Null.into());
            }
            other => return Err(no_map(path, count - index, other)),
        }
    }
    Ok(place)
}

/// That `found` has no settings, of which the last `missing` parts of `path` would be one.
fn no_map(path: &[String], missing: usize, found: &Tree) -> OverrideError {
    let (outer, inner) = path.split_at(path.len().saturating_sub(missing));
    let setting = outer.join(".");
    let inner = inner.iter().rev();
    let value = inner.fold("...".to_owned(), |value, key| {
        format!("{{ {key}: {value} }}")
    });
    OverrideError::NoMap {
        whole: format!("--set '{setting}={value}'"),
        setting,
        value: match found.text() {
            Some(text) => format!("`{text}`"),
            None => "a list".to_owned(),
        },
    }
}

/// The parts of a setting's name; none of them is empty.
pub(super) fn parts(setting: &str) -> Result<Vec<String>, OverrideError> {
    let parts: Vec<String> = setting.split('.').map(str::to_owned).collect();
    match parts.iter().any(String::is_empty) {
        true => Err(OverrideError::Form(setting.to_owned())),
        false => Ok(parts),
    }
}

/// The keys of a setting that is called `path`, from the root on.
pub(super) fn keys_of(path: &str, root: &Tree) -> Result<Vec<String>, OverrideError> {
    resolve(&parts(path)?, root)
}

/// Whether two settings are one, or one is part of the other.
pub(super) fn overlap(one: &[String], other: &[String]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The keys from the root: `stages`, the stage, its kind, the setting.
fn resolve(path: &[String], root: &Tree) -> Result<Vec<String>, OverrideError> {
    if let [setting] = path {
        return Ok(vec![setting.clone()]);
    }
    let empty = IndexMap::new();
    let stages = root.get("stages").and_then(Tree::settings);
    let stages = stages.unwrap_or(&empty);
    let found = by_name(path, stages).or_else(|| by_kind(path, stages));
    let (name, kind, setting) = found.ok_or_else(|| OverrideError::Stage {
        stage: path[0].clone(),
        stages: stages.keys().cloned().collect::<Vec<_>>().join(", "),
    })?;
    // `fit.train.epochs` and `fit.epochs` are the same.
    let setting = match setting {
        [head, tail @ ..] if *head == kind && !tail.is_empty() => tail,
        setting => setting,
    };
    let keys = ["stages".to_owned(), name, kind].into_iter();
    Ok(keys.chain(setting.iter().cloned()).collect())
}

/// A stage's name and kind, and the rest of a setting's path.
type Found<'a> = (String, String, &'a [String]);

/// The stage whose name, in which there may be dots, too, stands at the beginning of `path`.
fn by_name<'a>(path: &'a [String], stages: &IndexMap<String, Tree>) -> Option<Found<'a>> {
    (1..path.len()).rev().find_map(|length| {
        let name = path[..length].join(".");
        let kind = kind_of(stages.get(&name)?)?.clone();
        Some((name, kind, &path[length..]))
    })
}

/// The one stage whose kind does.
fn by_kind<'a>(path: &'a [String], stages: &IndexMap<String, Tree>) -> Option<Found<'a>> {
    let is_of_kind = |stage: &Tree| kind_of(stage) == Some(&path[0]);
    let mut found = stages.iter().filter(|(_, stage)| is_of_kind(stage));
    let (name, _) = found.next().filter(|_| found.next().is_none())?;
    Some((name.clone(), path[0].clone(), &path[1..]))
}

fn kind_of(stage: &Tree) -> Option<&String> {
    stage.settings()?.keys().next()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::{Config, ModelRef, StageConfig};

    const YAML: &str = "output: runs
stages:
  mnist:
    dataset: { name: mnist }
  fit:
    train: { dataset: mnist, epochs: 1, validation: { hold_out: 5 } }
  a:
    eval: { model: x }
  b:
    eval: { model: y }
";

    fn apply(texts: &[&str]) -> Result<Value, ConfigError> {
        let overrides: Vec<Override> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let document = Document::new(Path::new("p.yaml"), YAML.to_owned());
        document.with(&overrides)?.parse()
    }

    #[test]
    fn stage_is_found_by_its_name_or_its_kind() {
        for text in ["fit.epochs=3", "train.epochs=3", "fit.train.epochs=3"] {
            let root = apply(&[text]).unwrap();
            assert_eq!(root["stages"]["fit"]["train"]["epochs"], 3, "{text}");
        }
        let root = apply(&["b.batch=7", "output=elsewhere"]).unwrap();
        assert_eq!(root["stages"]["b"]["eval"]["batch"], 7);
        assert!(root["stages"]["a"]["eval"]["batch"].is_null());
        assert_eq!(root["output"], "elsewhere");
    }

    #[test]
    fn values_are_yaml_and_the_last_one_counts() {
        let root = apply(&["fit.optimizer={ sgd: { momentum: 0.9 } }"]).unwrap();
        let train = &root["stages"]["fit"]["train"];
        assert_eq!(train["optimizer"]["sgd"]["momentum"], 0.9);
        let root = apply(&[
            "fit.early_stopping.patience=2",
            "fit.epochs=4",
            "fit.epochs=5",
        ]);
        let train = &root.unwrap()["stages"]["fit"]["train"];
        assert_eq!(train["early_stopping"]["patience"], 2);
        assert_eq!(train["epochs"], 5);
        let root = apply(&["fit.validation.hold_out=9"]).unwrap();
        assert_eq!(root["stages"]["fit"]["train"]["validation"]["hold_out"], 9);
    }

    #[test]
    fn setting_that_is_varied_is_refused_by_whatever_name() {
        for set in ["fit.seed=9", "train.seed=9", "fit.train.seed=9"] {
            let axis = "matrix={ fit.seed: [1, 2] }";
            let error = apply(&[set, axis]).unwrap_err().to_string();
            assert!(error.contains("has its values in `matrix`"), "{error}");
        }
        apply(&["fit.epochs=9", "matrix={ fit.seed: [1, 2] }"]).unwrap();
    }

    #[test]
    fn what_is_not_set_stays_as_it_is_written() {
        let classes = r#"[no, yes, 01, 1_2, "3", False, -1, +1, 1.10, 0x10, 1e3, *a, &b 2.0, *b]"#;
        let yaml = format!(
            "output: &a 007
stages:
  photos:
    dataset: {{ name: photos, dir: here, classes: {classes} }}
  fit:
    train:
      dataset: photos
      model: {{ layers: [flatten, linear: 1_0, dropout: 0.50, residual: {{ body: [] }}] }}
      learning_rate: 1e-3
      epochs: 0x3
      checkpoint: {{ seconds: .inf }}
  onnx:
    export: {{ train: fit, probabilities: yes }}
"
        );
        let read = |sets: &[&str]| {
            let sets: Vec<Override> = sets.iter().map(|set| set.parse().unwrap()).collect();
            let document = Document::new(Path::new("p.yaml"), yaml.clone());
            let config: Config = document.with(&sets).unwrap().parse().unwrap();
            let stages: Vec<&StageConfig> = config.stages.values().map(|s| &s.value).collect();
            let [
                StageConfig::Dataset(photos),
                StageConfig::Train(fit),
                StageConfig::Export(onnx),
            ] = stages[..]
            else {
                panic!("other stages: {stages:?}");
            };
            let classes = photos.classes.as_ref().unwrap().value.clone();
            let layers = match &fit.model.value {
                ModelRef::Inline(model) => serde_json::to_value(model).unwrap(),
                other => panic!("another model: {other:?}"),
            };
            (classes, (fit.settings(None), layers), onnx.probabilities)
        };
        let (classes, (settings, layers), probabilities) = read(&[]);
        let expected = [
            "no", "yes", "01", "1_2", "3", "False", "-1", "+1", "1.10", "0x10", "1e3", "007",
            "2.0", "2.0",
        ];
        assert_eq!(classes, expected);
        assert!(probabilities && settings.checkpoint.seconds.is_infinite());
        assert_eq!(
            read(&["output=elsewhere"]),
            (classes, (settings, layers), probabilities)
        );
    }

    #[test]
    fn files_within_the_folder_of_the_results_move_with_it() {
        let set = |file: &str, sets: &[&str]| {
            let yaml = format!("{YAML}  onnx:\n    export: {{ train: fit, file: {file} }}\n");
            let sets: Vec<Override> = sets.iter().map(|set| set.parse().unwrap()).collect();
            let document = Document::new(Path::new("p.yaml"), yaml);
            let root = document.with(&sets).unwrap().tree().unwrap();
            let file = root
                .get("stages")
                .unwrap()
                .get("onnx")
                .unwrap()
                .get("export")
                .unwrap();
            file.get("file").unwrap().text().unwrap()
        };
        for output in ["01", "2", "1.10", "True", "./there"] {
            let output_is = format!("output={output}");
            assert_eq!(
                set("./runs/x/../a.onnx", &["fit.epochs=2", &output_is]),
                format!("{output}/a.onnx")
            );
        }
        assert_eq!(set("a.onnx", &["output=there"]), "a.onnx");
        let sets = ["onnx.file=runs/b.onnx", "output=there"];
        assert_eq!(set("runs/a.onnx", &sets), "runs/b.onnx");
    }

    #[test]
    fn stage_may_have_dots_in_its_name() {
        let yaml = format!("{YAML}  fit.v2:\n    train: {{ epochs: 1 }}\n");
        let set = ["fit.v2.epochs=3", "fit.v2.train.seed=4", "fit.epochs=5"];
        let sets: Vec<Override> = set.iter().map(|set| set.parse().unwrap()).collect();
        let document = Document::new(Path::new("p.yaml"), yaml);
        let root: Value = document.with(&sets).unwrap().parse().unwrap();
        assert_eq!(root["stages"]["fit.v2"]["train"]["epochs"], 3);
        assert_eq!(root["stages"]["fit.v2"]["train"]["seed"], 4);
        assert_eq!(root["stages"]["fit"]["train"]["epochs"], 5);
    }

    #[test]
    fn kind_of_two_stages_names_neither() {
        let error = apply(&["eval.batch=7"]).unwrap_err().to_string();
        assert!(error.contains("exactly one stage"), "{error}");
        assert!(error.contains("mnist, fit, a, b"), "{error}");
    }

    #[test]
    fn what_cannot_be_set_is_refused() {
        for (text, message) in [
            ("none.epochs=3", "`none`"),
            (
                "fit.train.epochs.x.y=3",
                "`fit.train.epochs` is `1`, which has no settings inside it; set it as a whole: \
                 --set 'fit.train.epochs={ x: { y: ... } }'",
            ),
            ("fit.epochs=[", "`[`"),
        ] {
            let error = apply(&[text]).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        let error = "fit.epochs=".parse::<Override>().unwrap_err();
        assert_eq!(error, OverrideError::Empty("fit.epochs".to_owned()));
        for text in ["epochs", "=3", "fit.=3", ".epochs=3"] {
            let error = text.parse::<Override>().unwrap_err();
            assert_eq!(error, OverrideError::Form(text.to_owned()));
        }
    }
}
