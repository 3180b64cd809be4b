//! JSON Schemas of what may be written in more than one way, for editors.

use std::borrow::Cow;
use std::mem;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::{Padding, Pair};

/// Lets the variants `names` of an enum stand alone, without settings: `adam`
/// beside `adam: {}`. For `#[schemars(transform = …)]`.
pub fn bare_names(names: &'static [&'static str]) -> impl FnMut(&mut Schema) {
    move |schema| {
        if let Some(Value::Array(variants)) = schema.get_mut("oneOf") {
            variants.push(json!({ "type": "string", "enum": names }));
        }
    }
}

/// Lets settings be written as their one main number: `linear: 10`.
pub(crate) fn or_number(kind: &'static str) -> impl FnMut(&mut Schema) {
    move |schema| {
        let settings = mem::take(schema);
        *schema = json_schema!({
            "anyOf": [{ "type": kind, "minimum": 0 }, settings],
        });
    }
}

/// A number, or two of them.
fn pair() -> Value {
    let number = json!({ "type": "integer", "minimum": 0 });
    json!([
        number,
        { "type": "array", "items": number, "minItems": 2, "maxItems": 2 },
    ])
}

impl JsonSchema for Pair {
    fn schema_name() -> Cow<'static, str> {
        "Pair".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Height and width: `3`, or `[3, 5]`.",
            "anyOf": pair(),
        })
    }
}

impl JsonSchema for Padding {
    fn schema_name() -> Cow<'static, str> {
        "Padding".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut forms = vec![json!({ "type": "string", "enum": ["valid", "same"] })];
        if let Value::Array(numbers) = pair() {
            forms.extend(numbers);
        }
        json_schema!({
            "description": "Zeros around the input: `valid` for none, `same` for as many as keep \
                            the size, or pixels such as `2` or `[1, 2]`.",
            "anyOf": forms,
        })
    }
}
