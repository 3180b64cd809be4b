//! Two runs side by side.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use comfy_table::CellAlignment;
use runtime::text::shortened;
use serde::Serialize;
use serde_json::{Value, json};

use super::{NAMES, Names, Run, read_settings, table, write_table};
use crate::plan::TrainPlan;
use crate::results;

/// Two runs, value by value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Folder of the one training.
    pub a: String,
    /// Folder of the other.
    pub b: String,
    /// What they were made from.
    pub settings: Vec<Line>,
    /// What came of them.
    pub metrics: Vec<Line>,
}

/// A value of both runs; `null` where one has it not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Its name; those within others have them before it: `schedule.step.every`.
    pub name: String,
    /// Of the one.
    pub a: Value,
    /// Of the other.
    pub b: Value,
    /// Whether they are the same.
    pub equal: bool,
}

impl Difference {
    /// Compares two runs.
    pub fn between(a: &Run, b: &Run) -> Self {
        let [then, now] = [a, b].map(|run| named(&run.settings, &run.model, &run.dataset));
        Self {
            a: a.name.display().to_string(),
            b: b.name.display().to_string(),
            settings: lines(&then, &now),
            metrics: metrics(a, b),
        }
    }
}

/// Most columns of a name or a value in a change.
const LONGEST: usize = 60;

/// What a training that is planned has otherwise than the one in its folder: `epochs 3, now 5`.
pub(crate) fn changes(plan: &TrainPlan) -> Vec<String> {
    let Some((settings, names)) = made_from(&plan.folder) else {
        return Vec::new();
    };
    let then = named(&settings, &names.model, &names.dataset);
    let now = named(&plan.description(), &plan.model_name, &plan.dataset.name);
    let mut lines = lines(&then, &now);
    lines.retain(|line| !line.equal);
    // Another network has other layers.
    if lines.iter().any(|line| line.name == MODEL) {
        lines.retain(|line| !line.name.contains(LAYERS));
    }
    // What is new and off may come with what was set.
    lines.sort_by_key(|line| line.a.is_null() && is_off(&line.b));
    let change = |line: Line| {
        let Line { name, a, b, .. } = line;
        let [then, now] = [a, b].map(|value| shortened(&text(&name, &value), LONGEST));
        format!("{} {then}, now {now}", shortened(&name, LONGEST))
    };
    lines.into_iter().map(change).collect()
}

fn is_off(value: &Value) -> bool {
    value.is_null() || *value == json!(false) || value.as_f64() == Some(0.0)
}

/// What the training in `folder` was made from, if its files tell.
fn made_from(folder: &Path) -> Option<(Value, Names)> {
    let settings = serde_json::from_slice(&read_settings(folder)?).ok()?;
    Some((settings, results::json(&folder.join(NAMES)).ok()?))
}

/// The network's name among the settings.
const MODEL: &str = "model";

/// In the names of its layers.
const LAYERS: &str = "layers.";

/// The settings, those within others by their path, with the names of network and dataset.
fn named(settings: &Value, model: &str, dataset: &str) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    flatten("", settings, &mut flat);
    // Its layers are told where there are two of them.
    flat.insert(MODEL.to_owned(), json!(model));
    flat.insert("dataset".to_owned(), json!(dataset));
    flat
}

fn flatten(path: &str, value: &Value, flat: &mut BTreeMap<String, Value>) {
    let within = |name: &str| match path {
        // All but the network and what its pixels are is under `settings`.
        "" | "settings" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut entries = map.iter();
            entries
                .by_ref()
                .for_each(|(name, value)| match (path, name.as_str()) {
                    ("", "settings") => flatten("settings", value, flat),
                    _ => flatten(&within(name), value, flat),
                });
        }
        Value::Array(values) if path.ends_with("layers") => {
            for (index, layer) in values.iter().enumerate() {
                flat.insert(within(&format!("{:02}", index + 1)), layer.clone());
            }
        }
        value => _ = flat.insert(path.to_owned(), value.clone()),
    }
}

/// The lines of both; layers that are the same are left out.
fn lines(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> Vec<Line> {
    let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let of = |run: &BTreeMap<String, Value>, name: &str| run.get(name).cloned().unwrap_or_default();
    let lines = names
        .into_iter()
        .map(|name| line(name, of(a, name), of(b, name)));
    lines
        .filter(|line| !(line.equal && line.name.contains(LAYERS)))
        .collect()
}

fn metrics(a: &Run, b: &Run) -> Vec<Line> {
    type Metric = fn(&Run) -> Value;
    const METRICS: [(&str, Metric); 7] = [
        ("accuracy", |run| json!(run.accuracy)),
        ("loss", |run| json!(run.loss)),
        ("validation accuracy", |run| json!(run.validation_accuracy)),
        ("validation loss", |run| json!(run.validation_loss)),
        ("epochs that ran", |run| json!(run.epochs)),
        ("parameters", |run| json!(run.parameters)),
        ("seconds", |run| json!(run.seconds)),
    ];
    let metric = |(name, of): (&str, Metric)| line(name, of(a), of(b));
    METRICS.into_iter().map(metric).collect()
}

fn line(name: &str, a: Value, b: Value) -> Line {
    Line {
        name: name.to_owned(),
        equal: a == b,
        a,
        b,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, lines) in [("settings", &self.settings), ("metrics", &self.metrics)] {
            let mut table = table(["", title, &self.a, &self.b]);
            for line in lines {
                let mark = if line.equal { "" } else { "≠" };
                let name = line.name.as_str();
                table.add_row([mark, name, &text(name, &line.a), &text(name, &line.b)]);
            }
            if title == "metrics" {
                for column in [2, 3] {
                    if let Some(column) = table.column_mut(column) {
                        column.set_cell_alignment(CellAlignment::Right);
                    }
                }
                writeln!(f)?;
            }
            write_table(f, &table)?;
        }
        Ok(())
    }
}

fn text(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match (name, number.as_f64()) {
            (name, Some(part)) if name.ends_with("accuracy") => format!("{:.2}%", 100.0 * part),
            ("loss" | "validation loss", Some(loss)) => format!("{loss:.4}"),
            ("seconds", Some(seconds)) => format!("{seconds:.1}"),
            _ => number.to_string(),
        },
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => brief(value),
    }
}

/// A layer or a list in few words: `conv2d: channels 32, kernel 3×3, …`.
fn brief(value: &Value) -> String {
    match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(values) => {
            let numbers = values.iter().all(Value::is_number);
            let values: Vec<_> = values.iter().map(brief).collect();
            values.join(if numbers { "×" } else { ", " })
        }
        Value::Object(map) => {
            let entry = |(name, value): (&String, &Value)| {
                let colon = if value.is_object() { ":" } else { "" };
                format!("{name}{colon} {}", brief(value))
            };
            let entries: Vec<_> = map.iter().map(entry).collect();
            entries.join(", ")
        }
        value => text("", value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(value: &Value) -> Vec<String> {
        let mut flat = BTreeMap::new();
        flatten("", value, &mut flat);
        flat.into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn settings_are_named_as_in_the_file() {
        let value = json!({
            "normalize": "unit",
            "model": { "layers": ["relu", { "linear": 10 }] },
            "settings": { "epochs": 3, "schedule": { "step": { "every": 2 } }, "early_stopping": null },
        });
        let expected = [
            "early_stopping=null",
            "epochs=3",
            "model.layers.01=\"relu\"",
            "model.layers.02={\"linear\":10}",
            "normalize=\"unit\"",
            "schedule.step.every=2",
        ];
        assert_eq!(flat(&value), expected);
    }

    #[test]
    fn layers_are_told_in_few_words() {
        let layer = json!({ "conv2d": { "bias": true, "channels": 10, "kernel": [5, 3] } });
        let expected = "conv2d: bias yes, channels 10, kernel 5×3";
        assert_eq!(text("model.layers.01", &layer), expected);
        assert_eq!(text("model.layers.02", &json!("relu")), "relu");
    }

    #[test]
    fn lines_are_those_of_either_run_and_layers_only_where_they_differ() {
        let map = |entries: &[(&str, i32)]| {
            let entries = entries
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)));
            entries.collect()
        };
        let a = map(&[
            ("epochs", 1),
            ("model.layers.01", 1),
            ("model.layers.02", 1),
            ("seed", 1),
        ]);
        let b = map(&[
            ("epochs", 2),
            ("model.layers.01", 1),
            ("model.layers.02", 2),
        ]);
        let names: Vec<_> = lines(&a, &b)
            .into_iter()
            .map(|line| (line.name, line.equal))
            .collect();
        let expected = [
            ("epochs", false),
            ("model.layers.02", false),
            ("seed", false),
        ];
        assert_eq!(
            names,
            expected.map(|(name, equal)| (name.to_owned(), equal))
        );
    }
}
