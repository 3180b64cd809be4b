//! Nodes of ONNX operators, before they become messages.

use burn::tensor::TensorData;

use crate::graph::{Value, ValueId};

/// A graph of ONNX operators.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub values: Vec<Value>,
    /// In topological order.
    pub nodes: Vec<Node>,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
}

/// An application of an ONNX operator of the standard domain.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub op_type: &'static str,
    /// Nothing for an optional input that is left out.
    pub inputs: Vec<Option<ValueId>>,
    pub outputs: Vec<ValueId>,
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The path of the module it belongs to.
    pub scope: String,
    /// Burn's name of the operation that it comes from.
    pub origin: String,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attribute {
    Int(i64),
    Float(f32),
    Text(&'static str),
    Texts(Vec<&'static str>),
    Ints(Vec<i64>),
    Tensor(TensorData),
}

impl Node {
    pub fn new(op_type: &'static str) -> Self {
        Self {
            op_type,
            inputs: Vec::new(),
            outputs: Vec::new(),
            attributes: Vec::new(),
            scope: String::new(),
            origin: String::new(),
        }
    }

    pub fn input(mut self, value: impl Into<ValueId>) -> Self {
        self.inputs.push(Some(value.into()));
        self
    }

    pub fn inputs(mut self, values: impl IntoIterator<Item = ValueId>) -> Self {
        self.inputs.extend(values.into_iter().map(Some));
        self
    }

    /// An optional input; trailing ones that are left out are not written.
    pub fn optional(mut self, value: Option<impl Into<ValueId>>) -> Self {
        self.inputs.push(value.map(Into::into));
        self
    }

    pub fn output(mut self, value: impl Into<ValueId>) -> Self {
        self.outputs.push(value.into());
        self
    }

    pub fn attr(mut self, name: &'static str, value: impl Into<Attribute>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// An attribute that is written only where it is not ONNX's default.
    pub fn attr_unless(
        self,
        name: &'static str,
        default: impl Into<Attribute>,
        value: impl Into<Attribute>,
    ) -> Self {
        let value = value.into();
        if value == default.into() {
            self
        } else {
            self.attr(name, value)
        }
    }

    /// The values that it reads.
    pub fn reads(&self) -> impl Iterator<Item = ValueId> {
        self.inputs.iter().flatten().copied()
    }
}

impl From<i64> for Attribute {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<usize> for Attribute {
    fn from(value: usize) -> Self {
        Self::Int(value as i64)
    }
}

impl From<bool> for Attribute {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Attribute {
    fn from(value: f64) -> Self {
        Self::Float(value as f32)
    }
}

impl From<&'static str> for Attribute {
    fn from(value: &'static str) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<&'static str>> for Attribute {
    fn from(values: Vec<&'static str>) -> Self {
        Self::Texts(values)
    }
}

impl From<Vec<i64>> for Attribute {
    fn from(values: Vec<i64>) -> Self {
        Self::Ints(values)
    }
}

impl From<&[usize]> for Attribute {
    fn from(values: &[usize]) -> Self {
        Self::Ints(values.iter().map(|value| *value as i64).collect())
    }
}

impl From<TensorData> for Attribute {
    fn from(value: TensorData) -> Self {
        Self::Tensor(value)
    }
}
