//! A YAML file as it is written: settings in their order, and words that only some read as
//! numbers or as `true` and `false` (`01`, `1_000`, `no`) as text. Typed settings read text, too.

use std::fmt;

use indexmap::IndexMap;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Settings, or the value of one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Tree {
    Settings(IndexMap<String, Tree>),
    Value(Value),
}

impl Tree {
    pub(super) fn settings(&self) -> Option<&IndexMap<String, Self>> {
        match self {
            Self::Settings(settings) => Some(settings),
            Self::Value(_) => None,
        }
    }

    pub(super) fn settings_mut(&mut self) -> Option<&mut IndexMap<String, Self>> {
        match self {
            Self::Settings(settings) => Some(settings),
            Self::Value(_) => None,
        }
    }

    /// The setting of this name, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.settings()?.get(name)
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Settings(_) => None,
            Self::Value(value) => value.as_str(),
        }
    }

    /// The `file` of each stage of a pipeline that has one, with the stage's name.
    pub(super) fn stage_files_mut(&mut self) -> impl Iterator<Item = (String, &mut String)> {
        let stages = self
            .settings_mut()
            .and_then(|root| root.get_mut("stages"))
            .and_then(Self::settings_mut);
        let stages = stages.into_iter().flat_map(IndexMap::iter_mut);
        stages.filter_map(|(name, stage)| {
            let (_, settings) = stage.settings_mut()?.first_mut()?;
            match settings.settings_mut()?.get_mut("file")? {
                Self::Value(Value::String(file)) => Some((name.clone(), file)),
                _ => None,
            }
        })
    }
}

impl<T: Into<Value>> From<T> for Tree {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings or a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Value::Null.into())
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<Tree, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(values)).map(Tree::Value)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut settings: A) -> Result<Tree, A::Error> {
        let mut tree = IndexMap::new();
        while let Some((name, value)) = settings.next_entry()? {
            tree.insert(name, value);
        }
        Ok(Tree::Settings(tree))
    }
}
