//! The JSON Schema of pipeline.yaml.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use models::ModelSpec;
use serde_json::Value;

use super::{Config, ModelRef};

/// The schema of pipeline.yaml: draft 7, which editors' YAML servers read.
pub fn schema() -> Schema {
    SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<Config>()
}

/// Says which settings can stand under `key`, if that is so wherever `key` is
/// known.
pub(super) fn settings_of(key: &str) -> Option<String> {
    let schema = schema();
    let mut found = BTreeSet::new();
    collect(schema.as_value(), schema.as_value(), key, &mut found);
    let names = found.pop_first().filter(|_| found.is_empty())?;
    Some(format!("settings of `{key}`: {}", names.join(", ")))
}

/// Adds the names of the settings under each `key` in `part` of the schema `root`.
fn collect(root: &Value, part: &Value, key: &str, found: &mut BTreeSet<Vec<String>>) {
    if let Some(setting) = part.get("properties").and_then(|known| known.get(key)) {
        found.extend(names(root, setting));
    }
    match part {
        Value::Object(parts) => parts
            .values()
            .for_each(|part| collect(root, part, key, found)),
        Value::Array(parts) => parts
            .iter()
            .for_each(|part| collect(root, part, key, found)),
        _ => {}
    }
}

/// The names of a setting's own settings, which the schema has elsewhere.
fn names(root: &Value, setting: &Value) -> Option<Vec<String>> {
    let choices = setting.get("anyOf").or(setting.get("allOf"));
    let setting = choices.map_or(setting, |choices| &choices[0]);
    let place = setting["$ref"].as_str()?.strip_prefix('#')?;
    let settings = root.pointer(place)?["properties"].as_object()?;
    Some(settings.keys().cloned().collect())
}

impl JsonSchema for ModelRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ModelRef".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names = models::BUILT_IN.map(|network| network.name);
        json_schema!({
            "description": "A built-in network, a YAML file with `layers`, or the layers in place.",
            "anyOf": [
                { "type": "string", "enum": names },
                {
                    "type": "object",
                    "properties": { "file": { "type": "string" } },
                    "required": ["file"],
                    "additionalProperties": false,
                },
                generator.subschema_for::<ModelSpec>(),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As an editor sees it: what can stand under `train:`, with its meaning.
    #[test]
    fn every_setting_of_a_training_has_a_description() {
        let schema = schema();
        let definition = |name: &str| schema.pointer(&format!("/definitions/{name}"));
        let train = definition("TrainConfig").and_then(|train| train["properties"].as_object());
        let described = train.is_some_and(|settings| {
            settings.len() > 10
                && settings
                    .values()
                    .all(|setting| setting["description"].is_string())
        });
        assert!(described, "{train:?}");
        assert!(definition("LayerSpec").is_some() && definition("Optimizer").is_some());
    }
}
