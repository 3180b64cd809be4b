//! docs/settings.md is what the JSON Schema of pipeline.yaml says.
//! `UPDATE_SETTINGS=1 cargo test --workspace --test settings_page` writes it anew.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

const HEAD: &str = "# Settings of pipeline.yaml

Every setting with its values, its default and its meaning, from the JSON Schema
that `pipeline schema` prints. A misspelt setting is an error.
";

#[test]
fn page_of_settings_is_what_the_schema_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let schema = pipeline::config::schema().to_value();
    let page = Page::of(&schema).text();
    if std::env::var_os("UPDATE_SETTINGS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    assert!(
        found == page,
        "docs/settings.md is not current; `UPDATE_SETTINGS=1 cargo test --workspace --test \
         settings_page` writes it anew"
    );
}

/// A part of the schema that several settings may share.
struct Section<'a> {
    /// `#/definitions/…`; empty for the whole file.
    place: &'a str,
    /// The settings whose values it describes.
    keys: Vec<&'a str>,
}

struct Page<'a> {
    root: &'a Value,
    sections: Vec<Section<'a>>,
}

impl<'a> Page<'a> {
    fn of(root: &'a Value) -> Self {
        let whole = Section {
            place: "",
            keys: vec!["The file"],
        };
        let mut page = Self {
            root,
            sections: vec![whole],
        };
        page.collect(root, "");
        page
    }

    /// Finds the sections below `part`, which is the value of `key`, in the order
    /// in which a reader meets them.
    fn collect(&mut self, part: &'a Value, key: &'a str) {
        if let Some(place) = part["$ref"].as_str() {
            let target = self.target(place);
            // Numbers and pairs are told where they stand.
            if !is_simple(target) {
                let known = self.sections.iter().position(|one| one.place == place);
                // Else it is one of several things that the same key may have.
                let is_new = !self.sections.iter().any(|one| one.keys.contains(&key));
                match known {
                    Some(_) if !is_new => return,
                    Some(index) => return self.sections[index].keys.push(key),
                    None if is_new => {
                        let keys = vec![key];
                        self.sections.push(Section { place, keys });
                    }
                    None => {}
                }
            }
            return self.collect(target, key);
        }
        for (key, setting) in settings(part) {
            self.collect(setting, key);
        }
        for below in ["items", "additionalProperties"] {
            if part[below].is_object() {
                self.collect(&part[below], key);
            }
        }
        for choice in choices(part) {
            self.collect(choice, key);
        }
    }

    fn target(&self, place: &str) -> &'a Value {
        self.root.pointer(place.strip_prefix('#').unwrap()).unwrap()
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for Section { place, keys } in &self.sections {
            let part = match place.is_empty() {
                true => self.root,
                false => self.target(place),
            };
            text += &format!("\n## {}\n\n{}", keys.join(", "), self.described(part));
        }
        text
    }

    /// The description, then the settings or what may be chosen.
    fn described(&self, part: &Value) -> String {
        let mut text = match part["description"].as_str() {
            Some(description) => format!("{}\n", description.trim()),
            None => String::new(),
        };
        if part["properties"].is_object() {
            text += &format!("\n{}", self.table(part));
        }
        let told = |name: &Value| choices(part).any(|choice| has(choice, name));
        let told_elsewhere = |choice: &Value| {
            let names = choice["enum"].as_array();
            names.is_some_and(|names| names.iter().all(told))
        };
        let choices: Vec<String> = choices(part)
            .filter(|choice| !told_elsewhere(choice))
            .map(|choice| self.choice(choice))
            .collect();
        if !choices.is_empty() {
            text += &format!("\n{}", choices.concat());
        }
        text.trim_start().to_owned()
    }

    fn table(&self, part: &Value) -> String {
        let mut rows = settings(part);
        rows.sort_by_key(|(name, _)| !is_required(part, name));
        let mut text = "| setting | value | default | meaning |\n|---|---|---|---|\n".to_owned();
        for (name, setting) in rows {
            let default = match &setting["default"] {
                _ if is_required(part, name) => "required".to_owned(),
                Value::Null => String::new(),
                default if default.is_object() => String::new(),
                default => format!("`{}`", yaml(default)),
            };
            let meaning = setting["description"].as_str().unwrap_or_default();
            let meaning = meaning.replace('\n', " ").replace('|', "\\|");
            let value = self.value(setting);
            text += &format!("| `{name}` | {value} | {default} | {meaning} |\n");
        }
        text
    }

    /// What may be written for a setting.
    fn value(&self, setting: &Value) -> String {
        if let Some(place) = setting["$ref"].as_str() {
            let section = self.sections.iter().find(|section| section.place == place);
            return match section {
                Some(Section { keys, .. }) => {
                    format!("[{}](#{})", keys.join(", "), keys.join("-"))
                }
                None => self.value(self.target(place)),
            };
        }
        let several: Vec<String> = choices(setting).map(|choice| self.value(choice)).collect();
        if !several.is_empty() {
            return several.join(" or ");
        }
        if let Some(names) = setting["enum"].as_array() {
            let names = names.iter().map(|name| format!("`{}`", text(name)));
            return names.collect::<Vec<_>>().join(" or ");
        }
        let items = || self.value(&setting["items"]);
        match (text(&setting["type"]), setting["minItems"].as_u64()) {
            ("integer", _) => match setting["minimum"].as_u64() {
                Some(1) => "whole number from 1".to_owned(),
                _ => "whole number".to_owned(),
            },
            ("array", Some(2)) => format!("[{0}, {0}]", items()),
            ("array", _) => format!("list: {}", items()),
            ("object", _) => format!("by name: {}", self.value(&setting["additionalProperties"])),
            ("string", _) => "text".to_owned(),
            ("", _) => "value".to_owned(),
            (other, _) => other.to_owned(),
        }
    }

    /// A line for something that may be chosen, and its settings under it.
    fn choice(&self, choice: &Value) -> String {
        let description = choice["description"].as_str().unwrap_or_default();
        let description = description.replace('\n', "\n  ");
        if let Some(name) = choice["const"].as_str() {
            return format!("- `{name}`: {description}\n");
        }
        let Some(settings) = choice["properties"].as_object() else {
            return match choice["$ref"].as_str().map(|place| self.target(place)) {
                Some(target) => self.choice(target),
                None => format!("- {}\n", self.value(choice)),
            };
        };
        let (name, setting) = settings.iter().next().unwrap();
        if settings.len() > 1 || description.is_empty() && !setting["description"].is_null() {
            return format!("- {description}\n\n{}", self.table(choice));
        }
        let inner = setting["properties"].as_object();
        let value = match inner {
            Some(inner) => {
                let names: Vec<String> = inner.keys().map(|name| format!("{name}: …")).collect();
                format!("`{name}: {{ {} }}`", names.join(", "))
            }
            None => format!("`{name}:` {}", self.value(setting)),
        };
        let mut text = match description.is_empty() {
            true => format!("- {value}\n"),
            false => format!("- {value}: {description}\n"),
        };
        for (name, setting) in inner.unwrap_or(&Map::new()) {
            let meaning = setting["description"].as_str().unwrap_or_default();
            let meaning = meaning.replace('\n', " ");
            text += &format!("  - `{name}`, {}: {meaning}\n", self.value(setting));
        }
        text
    }
}

fn settings(part: &Value) -> Vec<(&str, &Value)> {
    let settings = part["properties"].as_object().into_iter().flatten();
    settings
        .map(|(name, setting)| (name.as_str(), setting))
        .collect()
}

/// What a value may be, but for nothing.
fn choices(part: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["oneOf", "anyOf", "allOf"].map(|name| part[name].as_array());
    let choices = lists.into_iter().flatten().flatten();
    choices.filter(|choice| choice["type"] != "null")
}

/// Whether a part is told in a word or two.
fn is_simple(part: &Value) -> bool {
    let plain = |choice: &Value| choice["properties"].is_null() && choice["const"].is_null();
    part["properties"].is_null() && choices(part).all(plain)
}

/// Whether a choice is the one that is called `name`.
fn has(choice: &Value, name: &Value) -> bool {
    settings(choice).iter().any(|(known, _)| name == known)
}

fn is_required(part: &Value, name: &str) -> bool {
    let required = part["required"].as_array();
    required.is_some_and(|names| names.iter().any(|one| one == name))
}

fn text(value: &Value) -> &str {
    match value {
        Value::Array(several) => several[0].as_str().unwrap_or_default(),
        one => one.as_str().unwrap_or_default(),
    }
}

/// A default as it would be written.
fn yaml(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string().trim_end_matches(".0").to_owned(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(yaml).collect();
            format!("[{}]", values.join(", "))
        }
        other => other.to_string(),
    }
}
