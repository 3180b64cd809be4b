//! A YAML file as it is written: settings in their order, and each word as it stands there, so
//! that a class `no`, `1.10` or `0x10` stays one when the file is written again. Typed settings
//! read numbers and `true` and `false` from such text, too.

use std::fmt;
use std::ops::Range;

use indexmap::IndexMap;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::document::limits;

/// Settings, several values, or a single one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Tree {
    Settings(IndexMap<String, Tree>),
    List(Vec<Tree>),
    Value(Value),
}

impl Tree {
    pub(super) fn settings(&self) -> Option<&IndexMap<String, Self>> {
        match self {
            Self::Settings(settings) => Some(settings),
            Self::List(_) | Self::Value(_) => None,
        }
    }

    pub(super) fn settings_mut(&mut self) -> Option<&mut IndexMap<String, Self>> {
        match self {
            Self::Settings(settings) => Some(settings),
            Self::List(_) | Self::Value(_) => None,
        }
    }

    /// The setting of this name, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.settings()?.get(name)
    }

    pub(super) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(values) => Some(values),
            Self::Settings(_) | Self::Value(_) => None,
        }
    }

    /// What is written for a single value.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Value(Value::String(text)) => Some(text.clone()),
            Self::Value(value @ (Value::Number(_) | Value::Bool(_))) => Some(value.to_string()),
            Self::Value(_) | Self::Settings(_) | Self::List(_) => None,
        }
    }

    /// The `file` of each stage of a pipeline that has one, with the stage's name.
    pub(super) fn stage_files_mut(&mut self) -> impl Iterator<Item = (String, &mut Self)> {
        let stages = self
            .settings_mut()
            .and_then(|root| root.get_mut("stages"))
            .and_then(Self::settings_mut);
        let stages = stages.into_iter().flat_map(IndexMap::iter_mut);
        stages.filter_map(|(name, stage)| {
            let (_, settings) = stage.settings_mut()?.first_mut()?;
            let file = settings.settings_mut()?.get_mut("file")?;
            (*file != Self::Value(Value::Null)).then(|| (name.clone(), file))
        })
    }
}

impl<T: Into<Value>> From<T> for Tree {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

/// What a parser makes of a file, with the places of the words.
#[derive(Debug)]
pub(super) enum Parsed {
    Settings(IndexMap<String, Spanned<Parsed>>),
    List(Vec<Spanned<Parsed>>),
    Value(Value),
}

impl Parsed {
    /// With the words of `source`, from which it was read and in which `place` lies.
    pub(super) fn into_written(self, place: Location, source: &str) -> Tree {
        let of = |child: Spanned<Self>| child.value.into_written(child.defined, source);
        match self {
            Self::Settings(settings) => {
                let settings = settings.into_iter();
                Tree::Settings(settings.map(|(name, child)| (name, of(child))).collect())
            }
            Self::List(values) => Tree::List(values.into_iter().map(of).collect()),
            Self::Value(value) => {
                let may_differ = match &value {
                    Value::Number(_) | Value::Bool(_) => true,
                    Value::String(text) => NOT_FINITE.contains(&text.as_str()),
                    _ => false,
                };
                let word = may_differ.then(|| word(place, source, &value)).flatten();
                Tree::Value(word.unwrap_or(value))
            }
        }
    }
}

/// As what numbers beyond all others are read, `1e400` for example.
const NOT_FINITE: [&str; 3] = [".inf", "-.inf", ".nan"];

/// The word at `place`, where it reads as `value` and does not look like it.
fn word(place: Location, source: &str, value: &Value) -> Option<Value> {
    let span = place.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
    let word = source.get(Range { start, end })?.trim();
    let usual = value.to_string();
    // Neither in quotes nor with a tag.
    let is_plain = || {
        word.chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c))
    };
    let read = || serde_saphyr::from_str_with_options::<Value>(word, limits());
    let is_it = || is_plain() && read().is_ok_and(|read| read == *value);
    (word != usual && is_it()).then(|| word.into())
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings or a value")
    }

    fn visit_unit<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Value(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Parsed, E> {
        Ok(Parsed::Value(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Parsed, E> {
        Ok(Parsed::Value(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Parsed, E> {
        Ok(Parsed::Value(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Parsed, E> {
        Ok(Parsed::Value(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Parsed, E> {
        Ok(Parsed::Value(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Parsed, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Parsed::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut settings: A) -> Result<Parsed, A::Error> {
        let mut map = IndexMap::new();
        while let Some((name, value)) = settings.next_entry()? {
            map.insert(name, value);
        }
        Ok(Parsed::Settings(map))
    }
}
