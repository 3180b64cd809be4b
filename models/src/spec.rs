//! A network as it is written in YAML.
//!
//! Each layer is a name (`relu`) or a name with its settings
//! (`conv2d: { channels: 32, kernel: 3 }`). A layer with one main setting has
//! a short form: `linear: 10` is `linear: { features: 10 }`.

use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use crate::schema::{bare_names, or_number};

/// A network: its layers, in order.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// The layers, in order.
    #[schemars(with = "Vec<LayerSpec>")]
    pub layers: Vec<Spanned<LayerSpec>>,
}

/// One layer as written.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[schemars(remote = "LayerSpec", transform = bare_names(&["batch_norm", "leaky_relu"]))]
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

crate::named!(LayerSpec, "a layer");

/// Settings of `conv2d`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema, Serialize)]
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
    /// Distance in pixels of the values under the kernel; by default 1: none is left out.
    #[serde(default = "Pair::one", skip_serializing_if = "Pair::is_one")]
    pub dilation: Pair,
    /// Groups of channels that see nothing of each other; by default 1. As many as come in
    /// make a depthwise convolution.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub groups: usize,
    /// Whether a bias per channel is added.
    #[serde(default = "yes")]
    pub bias: bool,
}

/// Settings of `batch_norm`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    /// Name of the layer; by default `bn1`, `bn2`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Settings of `leaky_relu`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeakyRelu {
    /// Slope where x is negative.
    pub slope: f64,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self { slope: 0.01 }
    }
}

/// Settings of `max_pool` and `avg_pool`; `max_pool: 2` is short for
/// `max_pool: { kernel: 2 }`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(transform = or_number("integer"))]
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
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(transform = or_number("number"))]
pub struct Dropout {
    /// Probability that a value becomes zero, in [0, 1).
    pub probability: f64,
}

/// Settings of `linear`; `linear: 10` is short for `linear: { features: 10 }`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(transform = or_number("integer"))]
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
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// Name of the layer; by default `res1`, `res2`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The layers whose output is added to the shortcut's.
    #[schemars(with = "Vec<LayerSpec>")]
    pub body: Vec<Spanned<LayerSpec>>,
    /// The layers of the shortcut; without them, the input itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<LayerSpec>")]
    pub shortcut: Vec<Spanned<LayerSpec>>,
}

/// Height and width: `3`, or `[3, 5]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pair(pub [usize; 2]);

impl Pair {
    fn one() -> Self {
        Self([1, 1])
    }

    fn is_one(&self) -> bool {
        *self == Self::one()
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

fn one() -> usize {
    1
}

fn is_one(value: &usize) -> bool {
    *value == one()
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

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        match (serde_saphyr::from_str(text), serde_saphyr::from_str(text)) {
            (Ok(integer), _) => self.visit_u64(integer),
            (_, Ok(float)) if f64::is_finite(float) => self.visit_f64(float),
            _ => Err(E::invalid_type(serde::de::Unexpected::Str(text), &self)),
        }
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

    fn visit_str<E: Error>(self, text: &str) -> Result<Pair, E> {
        match serde_saphyr::from_str(text) {
            Ok(size) => self.visit_u64(size),
            Err(_) => Err(E::invalid_type(serde::de::Unexpected::Str(text), &self)),
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
            other => match PairVisitor.visit_str::<E>(other) {
                Ok(pixels) => Ok(Padding::Pixels(pixels)),
                Err(_) => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
            },
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn layer(yaml: &str) -> LayerSpec {
        serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
    }

    fn error(yaml: &str) -> String {
        serde_saphyr::from_str::<ModelSpec>(yaml)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn short_forms_mean_their_long_forms() {
        for (short, long) in [
            ("linear: 10", "linear: { features: 10, bias: true }"),
            ("dropout: 0.5", "dropout: { probability: 0.5 }"),
            ("dropout: 0", "dropout: { probability: 0 }"),
            ("max_pool: 2", "max_pool: { kernel: [2, 2], padding: 0 }"),
            ("avg_pool: 3", "avg_pool: { kernel: 3 }"),
            (
                "conv2d: { channels: 4, kernel: 3 }",
                "conv2d: { channels: 4, kernel: [3, 3], stride: 1, padding: valid, dilation: 1, \
                 groups: 1, bias: true }",
            ),
            (
                "conv2d: { channels: 4, kernel: 3, padding: 2 }",
                "conv2d: { channels: 4, kernel: 3, padding: [2, 2] }",
            ),
            ("relu", "relu:"),
            ("batch_norm:", "batch_norm"),
            ("linear: \"1_0\"", "linear: 10"),
            ("dropout: \"0.50\"", "dropout: 0.5"),
            ("max_pool: \"0x2\"", "max_pool: 2"),
            (
                "conv2d: { channels: 4, kernel: \"0x3\", padding: \"0x2\" }",
                "conv2d: { channels: 4, kernel: 3, padding: 2 }",
            ),
        ] {
            assert_eq!(layer(short), layer(long), "{short}");
        }
        assert_eq!(layer("leaky_relu"), LayerSpec::LeakyRelu(None));
        assert_eq!(LeakyRelu::default().slope, 0.01);
    }

    #[test]
    fn bare_names_leave_the_next_layer_alone() {
        let yaml = "layers:\n- batch_norm\n- leaky_relu\n- relu\n- batch_norm\n- linear: 3";
        let spec: ModelSpec = serde_saphyr::from_str(yaml).unwrap();
        let layers: Vec<LayerSpec> = spec.layers.into_iter().map(|layer| layer.value).collect();
        assert_eq!(
            layers,
            [
                "batch_norm",
                "leaky_relu",
                "relu",
                "batch_norm",
                "linear: 3"
            ]
            .map(layer)
        );
    }

    #[test]
    fn layers_know_their_place_in_the_file() {
        let yaml = "layers:\n  - relu\n  - residual:\n      body:\n        - linear: 3\n";
        let spec: ModelSpec = serde_saphyr::from_str(yaml).unwrap();
        let place =
            |layer: &Spanned<LayerSpec>| (layer.referenced.line(), layer.referenced.column());
        assert_eq!(place(&spec.layers[0]), (2, 5));
        assert_eq!(place(&spec.layers[1]), (3, 5));
        let LayerSpec::Residual(residual) = &spec.layers[1].value else {
            panic!("a residual block");
        };
        assert_eq!(place(&residual.body[0]), (5, 11));
    }

    #[test]
    fn unknown_names_and_settings_are_refused() {
        for (yaml, text) in [
            ("layers: [maxpool: 2]", "maxpool"),
            ("layers: [conv2d]", "`conv2d` needs settings"),
            ("layers: [linear]", "`linear` needs settings"),
            ("layers: [conv2d: { channels: 3 }]", "kernel"),
            (
                "layers: [conv2d: { channels: 3, kernel: 3, pad: 1 }]",
                "pad",
            ),
            ("layers: [max_pool: -1]", "-1"),
            ("layers: [linear: 1.5]", "1.5"),
            ("layers: [{ relu: null, flatten: null }]", "`flatten`"),
            (
                "layers: [conv2d: { channels: 3, kernel: [1] }]",
                "height and width",
            ),
            ("layer: []", "layer"),
        ] {
            assert!(error(yaml).contains(text), "{yaml}: {}", error(yaml));
        }
    }
}
