//! Which network a train stage names: one of the built-in ones, a file, or the
//! layers themselves.

use std::fmt;
use std::path::PathBuf;

use models::{LayerSpec, ModelSpec};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_saphyr::Spanned;

/// `cnn-32-64`, `{ file: net.yaml }` or `{ layers: […] }`.
#[derive(Clone, Debug)]
pub enum ModelRef {
    /// A built-in network.
    BuiltIn(String),
    /// A YAML file with `layers`.
    File(PathBuf),
    /// The layers, in place.
    Inline(ModelSpec),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Map {
    file: Option<PathBuf>,
    layers: Option<Vec<Spanned<LayerSpec>>>,
}

impl<'de> Deserialize<'de> for ModelRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ModelVisitor)
    }
}

struct ModelVisitor;

impl<'de> Visitor<'de> for ModelVisitor {
    type Value = ModelRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a built-in network, `file: net.yaml`, or `layers: […]`")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<ModelRef, E> {
        Ok(ModelRef::BuiltIn(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ModelRef, A::Error> {
        match Map::deserialize(MapAccessDeserializer::new(map))? {
            Map {
                file: Some(file),
                layers: None,
            } => Ok(ModelRef::File(file)),
            Map {
                file: None,
                layers: Some(layers),
            } => Ok(ModelRef::Inline(ModelSpec { layers })),
            Map { .. } => Err(A::Error::custom("either `file` or `layers` is expected")),
        }
    }
}
