//! Enums in YAML, written as a name or as a name with settings:
//! `adam`, or `adam: { weight_decay: 0.01 }`.
//!
//! serde-saphyr gives a derived enum that is written as a bare name, but whose
//! variant takes settings, whatever comes next in the file as its settings.
//! [`deserialize`] reads such an enum so that a bare name stands for itself.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

/// An enum with a derived `Deserialize`, kept aside by
/// `#[serde(remote = "Self")]`.
pub trait Named: Sized {
    /// What is named, for error messages: "a layer".
    const WHAT: &'static str;

    /// The derived `Deserialize`.
    ///
    /// # Errors
    ///
    /// As the deserializer.
    fn derived<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Reads a name, or a map with one entry: the name and its settings.
///
/// # Errors
///
/// When the name is unknown, the settings do not fit or are missing, or there
/// is more than one entry.
pub fn deserialize<'de, D: Deserializer<'de>, T: Named>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(NameOrMap(PhantomData))
}

struct NameOrMap<T>(PhantomData<T>);

impl<'de, T: Named> Visitor<'de> for NameOrMap<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", T::WHAT)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        T::derived(BareName {
            name,
            error: PhantomData,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let value = T::derived(MapAccessDeserializer::new(&mut map))?;
        match map.next_key::<String>()? {
            None => Ok(value),
            Some(other) => Err(A::Error::custom(format!(
                "{} has one kind, and `{other}` is a second",
                T::WHAT
            ))),
        }
    }
}

/// A name without settings, as the map `name: null`.
struct BareName<'a, E> {
    name: &'a str,
    error: PhantomData<E>,
}

impl<'de, E: Error> Deserializer<'de> for BareName<'_, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_str(self.name)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        if !variants.contains(&self.name) {
            return Err(E::unknown_variant(self.name, variants));
        }
        let entry = std::iter::once((self.name, ()));
        visitor
            .visit_enum(MapAccessDeserializer::new(MapDeserializer::<_, E>::new(
                entry,
            )))
            .map_err(|_| E::custom(format!("`{0}` needs settings: `{0}: …`", self.name)))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// Makes the derives of an enum with `#[serde(remote = "Self")]` its
/// `Serialize` and, by way of [`named::deserialize`](crate::named::deserialize),
/// its `Deserialize`; only that with a third argument, `deserialize`.
#[macro_export]
macro_rules! named {
    ($type:ty, $what:literal) => {
        $crate::named!($type, $what, deserialize);

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                <$type>::serialize(self, serializer)
            }
        }
    };
    ($type:ty, $what:literal, deserialize) => {
        impl $crate::named::Named for $type {
            const WHAT: &'static str = $what;

            fn derived<'de, D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                // The derived function: an inherent one comes before the trait's.
                <$type>::deserialize(deserializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::named::deserialize(deserializer)
            }
        }
    };
}
