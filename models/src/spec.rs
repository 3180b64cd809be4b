//! A network as it is written in YAML.
//!
//! Each layer is a name (`relu`) or a name with its settings
//! (`conv2d: { channels: 32, kernel: 3 }`). A layer with one main setting has
//! a short form: `linear: 10` is `linear: { features: 10 }`.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

/// A network: its layers, in order.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// The layers, each with its place in the file.
    pub layers: Vec<Spanned<LayerSpec>>,
}

/// One layer as written.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerSpec {
    /// 2-D convolution over feature maps.
    #[serde(rename = "conv2d")]
    Conv2d(Conv2d),
    /// Batch normalisation, ε = 1e-5, momentum 0.1.
    BatchNorm(Option<BatchNorm>),
    /// max(x, 0).
    Relu,
    /// x · Φ(x), exact.
    Gelu,
    /// x where positive, else x · slope.
    LeakyRelu(Option<LeakyRelu>),
    /// Largest value of each window.
    #[serde(deserialize_with = "short")]
    MaxPool(Pool),
    /// Mean of each window; padding does not count.
    #[serde(deserialize_with = "short")]
    AvgPool(Pool),
    /// Mean of each map; gives a vector of one feature per channel.
    GlobalAvgPool,
    /// Sets values to zero at random while training.
    #[serde(deserialize_with = "short")]
    Dropout(Dropout),
    /// Feature maps to a vector.
    Flatten,
    /// x · W + b.
    #[serde(deserialize_with = "short")]
    Linear(Linear),
    /// body(x) + shortcut(x).
    Residual(Residual),
}

/// Settings of `conv2d`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// Name of the layer; by default `conv1`, `conv2`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Output channels.
    pub channels: usize,
    /// Kernel size in pixels.
    pub kernel: Pair,
    /// Step in pixels.
    #[serde(default = "Pair::one")]
    pub stride: Pair,
    /// Zeros around the input.
    #[serde(default)]
    pub padding: Padding,
    /// Whether a bias per channel is added.
    #[serde(default = "yes")]
    pub bias: bool,
}

/// Settings of `batch_norm`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    /// Name of the layer; by default `bn1`, `bn2`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Settings of `leaky_relu`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LeakyRelu {
    /// Slope where x is negative; 0.01 by default.
    pub slope: f64,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self { slope: 0.01 }
    }
}

/// Settings of `max_pool` and `avg_pool`; `max_pool: 2` is short for
/// `max_pool: { kernel: 2 }`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Window size in pixels.
    pub kernel: Pair,
    /// Step in pixels; by default the window size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Pair>,
    /// Padding in pixels on each side, at most half the window.
    #[serde(default)]
    pub padding: usize,
}

/// Settings of `dropout`; `dropout: 0.5` is short for
/// `dropout: { probability: 0.5 }`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// Probability that a value becomes zero, in [0, 1).
    pub probability: f64,
}

/// Settings of `linear`; `linear: 10` is short for `linear: { features: 10 }`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Name of the layer; by default `fc1`, `fc2`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Output features.
    pub features: usize,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
}

/// Settings of `residual`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// Name of the layer; by default `res1`, `res2`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The layers whose output is added to the shortcut's.
    pub body: Vec<Spanned<LayerSpec>>,
    /// The layers of the shortcut; without them, the input itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortcut: Vec<Spanned<LayerSpec>>,
}

/// Height and width: `3`, or `[3, 5]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pair(pub [usize; 2]);

impl Pair {
    fn one() -> Self {
        Self([1, 1])
    }
}

/// Zeros around the input of a convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// None.
    #[default]
    Valid,
    /// As many as keep ⌈size / stride⌉; an odd one goes to the end.
    Same,
    /// This many rows above and below, and columns left and right.
    Pixels(Pair),
}

fn yes() -> bool {
    true
}

/// Settings that may be written as their one main value.
trait Short: Sized {
    /// What the short form is, for error messages.
    const EXPECTED: &'static str;

    fn from_integer(value: u64) -> Option<Self>;

    fn from_float(_: f64) -> Option<Self> {
        None
    }
}

impl Short for Pool {
    const EXPECTED: &'static str = "a window size such as `2`, or settings such as `kernel: 2`";

    fn from_integer(value: u64) -> Option<Self> {
        let size = usize::try_from(value).ok()?;
        Some(Self {
            kernel: Pair([size, size]),
            stride: None,
            padding: 0,
        })
    }
}

impl Short for Linear {
    const EXPECTED: &'static str =
        "a number of features such as `10`, or settings such as `features: 10`";

    fn from_integer(value: u64) -> Option<Self> {
        Some(Self {
            name: None,
            features: usize::try_from(value).ok()?,
            bias: true,
        })
    }
}

impl Short for Dropout {
    const EXPECTED: &'static str =
        "a probability such as `0.5`, or settings such as `probability: 0.5`";

    fn from_integer(value: u64) -> Option<Self> {
        Self::from_float(value as f64)
    }

    fn from_float(probability: f64) -> Option<Self> {
        Some(Self { probability })
    }
}

/// Reads settings in their short form or as a map.
fn short<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Short + Deserialize<'de>,
{
    deserializer.deserialize_any(ShortVisitor(PhantomData))
}

struct ShortVisitor<T>(PhantomData<T>);

impl<'de, T: Short + Deserialize<'de>> Visitor<'de> for ShortVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        T::from_integer(value)
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(
                serde::de::Unexpected::Signed(value),
                &self,
            )),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        T::from_float(value)
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Float(value), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairVisitor)
    }
}

struct PairVisitor;

impl<'de> Visitor<'de> for PairVisitor {
    type Value = Pair;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as `3`, or height and width such as `[3, 5]`")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Pair, E> {
        let size = usize::try_from(value).map_err(E::custom)?;
        Ok(Pair([size, size]))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Pair, E> {
        let unexpected = serde::de::Unexpected::Signed(value);
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(unexpected, &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pair, A::Error> {
        let missing = || A::Error::invalid_length(2, &"height and width such as `[3, 5]`");
        let height = seq.next_element()?.ok_or_else(missing)?;
        let width = seq.next_element()?.ok_or_else(missing)?;
        match seq.next_element::<usize>()? {
            None => Ok(Pair([height, width])),
            Some(_) => Err(A::Error::invalid_length(3, &self)),
        }
    }
}

impl<'de> Deserialize<'de> for Padding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PaddingVisitor)
    }
}

struct PaddingVisitor;

impl<'de> Visitor<'de> for PaddingVisitor {
    type Value = Padding;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pixels such as `2` or `[1, 2]`, `same`, or `valid`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Padding, E> {
        match text {
            "same" => Ok(Padding::Same),
            "valid" => Ok(Padding::Valid),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Padding, E> {
        PairVisitor.visit_u64(value).map(Padding::Pixels)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Padding, E> {
        PairVisitor.visit_i64(value).map(Padding::Pixels)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Padding, A::Error> {
        PairVisitor.visit_seq(seq).map(Padding::Pixels)
    }
}
