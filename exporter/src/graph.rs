//! The graph between capture and ONNX: Burn's operations, with sizes explained.

use std::collections::BTreeMap;

use burn::backend::ir::{OperationIr, TensorIr};
use burn::tensor::{DType, TensorData};

use crate::extent::{Extent, Symbols};
use crate::recurrence::Recurrence;

/// A value's position in [`Graph::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ValueId(pub usize);

/// In a resolved graph, Burn's tensor ids are positions among the values.
impl From<&TensorIr> for ValueId {
    fn from(tensor: &TensorIr) -> Self {
        Self(tensor.id.value() as usize)
    }
}

/// A tensor of the graph.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    /// One extent a dimension; nothing where it was not followed.
    pub shape: Option<Vec<Extent>>,
    pub dtype: DType,
    /// The elements of a constant.
    pub data: Option<TensorData>,
    /// The name, where the caller or the module gives one.
    pub name: Option<String>,
}

/// An operation of Burn, its tensors numbered as [`ValueId`]s.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// As the first capture saw it.
    pub op: OperationIr,
    /// The counts that [`crate::resolve`] compares across captures, in order.
    pub sizes: Vec<Extent>,
    /// The ranges of a slice, an axis each.
    pub ranges: Vec<RangeExtent>,
    /// The scalar operands that change with the sizes; by position.
    pub scalars: Vec<Option<Extent>>,
    /// The nearest module's path; empty when there is none.
    pub scope: String,
}

/// A slice along one axis, counted from the front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RangeExtent {
    pub start: Extent,
    pub end: Extent,
    pub step: i64,
}

/// `start, start + step, ..`: a constant whose length depends on a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progression {
    pub start: i64,
    pub step: i64,
}

/// A graph whose sizes are explained.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub symbols: Symbols,
    pub values: Vec<Value>,
    /// Values that are computed from a size alone.
    pub progressions: BTreeMap<ValueId, Progression>,
    pub operations: Vec<Operation>,
    /// By the `id` of the operations that stand for them.
    pub layers: BTreeMap<String, Recurrence>,
    /// What the last step of each loop that was recorded computes, and the
    /// number of steps.
    pub loops: Vec<(ValueId, usize)>,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
}
