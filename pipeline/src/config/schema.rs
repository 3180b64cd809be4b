//! The JSON Schema of pipeline.yaml.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use models::ModelSpec;

use super::{Config, ModelRef};

/// The schema of pipeline.yaml: draft 7, which editors' YAML servers read.
pub fn schema() -> Schema {
    SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<Config>()
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
