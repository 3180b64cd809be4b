//! What a caller says about a model's inputs and outputs.

use burn::tensor::DType;

/// A dimension of an input: fixed, or a name that stands for any size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// This size and no other.
    Fixed(usize),
    /// Any size from 1; equal names are equal sizes.
    Symbol(String),
}

impl From<usize> for Dim {
    fn from(size: usize) -> Self {
        Self::Fixed(size)
    }
}

impl From<&str> for Dim {
    fn from(name: &str) -> Self {
        Self::Symbol(name.to_owned())
    }
}

impl From<String> for Dim {
    fn from(name: String) -> Self {
        Self::Symbol(name)
    }
}

/// The dimensions of an input: numbers are fixed sizes, strings are names.
///
/// ```
/// use exporter::{Dim, dims};
///
/// assert_eq!(dims!["batch", 3], vec![Dim::from("batch"), Dim::from(3)]);
/// ```
#[macro_export]
macro_rules! dims {
    ($($dim:expr),* $(,)?) => { ::std::vec![$($crate::Dim::from($dim)),*] };
}

/// One input of the model.
#[derive(Clone, Debug)]
pub(crate) struct InputSpec {
    pub name: String,
    pub dims: Vec<Dim>,
    /// The element type, where it is not the kind's default.
    pub dtype: Option<DType>,
}

/// What a model takes and returns.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub inputs: Vec<Input>,
    pub outputs: Vec<String>,
    /// In order of appearance.
    pub symbols: Vec<Recorded>,
}

/// A symbol, and the sizes with which it was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub symbol: String,
    pub sizes: Vec<usize>,
    /// By the caller.
    pub chosen: bool,
}

/// An input whose element type is settled.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub name: String,
    pub dims: Vec<Dim>,
    pub dtype: DType,
}
