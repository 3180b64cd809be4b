//! What every lowering works with: values, nodes, constants and sizes.

use std::collections::{BTreeMap, BTreeSet};

use burn::backend::ir::{ScalarIr, TensorIr};
use burn::tensor::{DType, TensorData};

use super::operands::{whole, wrapped};
use crate::describe::{dtype_name, operation_name};
use crate::extent::Extent;
use crate::graph::{Graph, Operation, RangeExtent, Value, ValueId};
use crate::node::{Node, Program};
use crate::opset::Opset;
use crate::recurrence::Recurrence;

/// Why an operation cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub String);

/// The result of a lowering, whose nodes are in the context.
pub(crate) type Lowered = Result<(), Refusal>;

/// Refuses an operation.
pub(crate) fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(reason.into()))
}

/// The graph under construction, at one operation.
pub(crate) struct Context {
    pub(super) graph: Graph,
    opset: Opset,
    nodes: Vec<Node>,
    /// The values that exist before the current operation, in order.
    pub(super) available: Vec<ValueId>,
    /// Constants made so far, by what they hold.
    pub(super) constants: BTreeMap<(String, Vec<usize>, Vec<u8>), ValueId>,
    /// Sizes computed so far, each a tensor `[1]` of i64.
    pub(super) sizes: BTreeMap<Extent, ValueId>,
    /// The current operation's.
    scope: String,
    origin: String,
    counts: Vec<Extent>,
    ranges: Vec<RangeExtent>,
    pub(super) scalars: Vec<Option<Extent>>,
}

impl Context {
    pub fn new(graph: Graph, opset: Opset) -> Self {
        let constants = graph.values.iter().enumerate();
        let available = constants
            .filter(|(_, value)| value.data.is_some())
            .map(|(position, _)| ValueId(position))
            .chain(graph.inputs.iter().copied())
            .collect();
        let progressions = graph.progressions.clone();
        let mut context = Self {
            graph,
            opset,
            nodes: Vec::new(),
            available,
            constants: BTreeMap::new(),
            sizes: BTreeMap::new(),
            scope: String::new(),
            origin: String::new(),
            counts: Vec::new(),
            ranges: Vec::new(),
            scalars: Vec::new(),
        };
        for (id, progression) in progressions {
            // Their lengths are explained, so this cannot be refused.
            let _ = context.progression(id, progression);
        }
        context
    }

    /// Turns to an operation.
    pub fn enter(&mut self, op: &Operation) {
        self.scope = op.scope.clone();
        self.origin = operation_name(&op.op);
        self.counts = op.sizes.clone();
        self.ranges = op.ranges.clone();
        self.scalars = op.scalars.clone();
    }

    /// Its outputs exist from now on.
    pub fn leave(&mut self, op: &Operation) {
        self.available.extend(op.op.outputs().map(ValueId::from));
    }

    pub fn finish(mut self) -> Program {
        self.separate_outputs();
        Program {
            values: self.graph.values,
            nodes: self.nodes,
            inputs: self.graph.inputs,
            outputs: self.graph.outputs,
        }
    }

    /// An output has a node and a name of its own, even if it is an input, a
    /// constant or another output as well.
    fn separate_outputs(&mut self) {
        self.scope.clear();
        self.origin.clear();
        let mut taken: BTreeSet<ValueId> = self.graph.inputs.iter().copied().collect();
        for position in 0..self.graph.outputs.len() {
            let id = self.graph.outputs[position];
            let value = &self.graph.values[id.0];
            if taken.insert(id) && value.data.is_none() {
                continue;
            }
            let copy = self.value(value.shape.clone(), value.dtype, None);
            // Adding a node never fails.
            let _ = self.push(Node::new("Identity").input(id).output(copy));
            self.graph.outputs[position] = copy;
        }
    }

    pub fn opset(&self) -> Opset {
        self.opset
    }

    /// Whether the operator set has what came with `version`.
    pub fn has(&self, version: u8) -> bool {
        self.opset.version() >= version
    }

    // Nodes

    /// Adds a node.
    pub fn push(&mut self, mut node: Node) -> Lowered {
        node.scope = self.scope.clone();
        node.origin = self.origin.clone();
        while node.inputs.last() == Some(&None) {
            node.inputs.pop();
        }
        self.nodes.push(node);
        Ok(())
    }

    /// Adds a node with one output of `dtype`, which it returns.
    pub fn compute(&mut self, node: Node, dtype: DType) -> ValueId {
        let out = self.value(None, dtype, None);
        // Adding a node never fails.
        let _ = self.push(node.output(out));
        out
    }

    /// Applies an operator without attributes; the result has the first
    /// operand's element type.
    pub fn apply<const N: usize>(
        &mut self,
        op_type: &'static str,
        operands: [ValueId; N],
    ) -> ValueId {
        let dtype = self.dtype(operands[0]);
        self.compute(Node::new(op_type).inputs(operands), dtype)
    }

    /// As [`Self::apply`], with the result in Burn's tensor.
    pub fn apply_to<const N: usize>(
        &mut self,
        op_type: &'static str,
        operands: [ValueId; N],
        out: &TensorIr,
    ) -> Lowered {
        self.push(Node::new(op_type).inputs(operands).output(out))
    }

    /// A tensor of indices as ONNX takes them: 64 bits wide, or 32 where the
    /// operator allows it.
    pub fn indices(&mut self, indices: &TensorIr, narrow: bool) -> ValueId {
        if narrow && indices.dtype == DType::I32 {
            return indices.into();
        }
        self.cast(indices.into(), DType::I64)
    }

    /// `mask ? value : otherwise`, in Burn's tensor; for booleans, which engines
    /// do not choose between, `(mask ∧ value) ∨ (¬mask ∧ otherwise)`.
    pub fn choose_to(
        &mut self,
        mask: ValueId,
        [value, otherwise]: [ValueId; 2],
        out: &TensorIr,
    ) -> Lowered {
        if !out.dtype.is_bool() {
            return self.apply_to("Where", [mask, value, otherwise], out);
        }
        let chosen = self.apply("And", [mask, value]);
        let rest = self.apply("Not", [mask]);
        let kept = self.apply("And", [rest, otherwise]);
        self.apply_to("Or", [chosen, kept], out)
    }

    pub fn cast(&mut self, value: ValueId, dtype: DType) -> ValueId {
        if same_type(self.dtype(value), dtype) {
            return value;
        }
        let node = Node::new("Cast").input(value);
        self.compute(node.attr("to", element_type(dtype)), dtype)
    }

    pub fn cast_to(&mut self, value: ValueId, out: &TensorIr) -> Lowered {
        let node = Node::new("Cast").input(value).output(out);
        self.push(node.attr("to", element_type(out.dtype)))
    }

    /// Adds nodes whose result has `out`'s element type only after a cast.
    pub fn finish_as(&mut self, node: Node, dtype: DType, out: &TensorIr) -> Lowered {
        if same_type(dtype, out.dtype) {
            return self.push(node.output(out));
        }
        let result = self.compute(node, dtype);
        self.cast_to(result, out)
    }

    // Values

    pub(super) fn value(
        &mut self,
        shape: Option<Vec<Extent>>,
        dtype: DType,
        data: Option<TensorData>,
    ) -> ValueId {
        self.graph.values.push(Value {
            shape,
            dtype,
            data,
            name: None,
        });
        ValueId(self.graph.values.len() - 1)
    }

    /// A value without a name or a known shape.
    pub fn fresh(&mut self, dtype: DType) -> ValueId {
        self.value(None, dtype, None)
    }

    /// Makes a value known as Burn's tensor, after a cast where it needs one.
    pub fn rename(&mut self, value: ValueId, out: &TensorIr) -> Lowered {
        if !same_type(self.dtype(value), out.dtype) {
            return self.cast_to(value, out);
        }
        self.push(Node::new("Identity").input(value).output(out))
    }

    pub fn dtype(&self, value: ValueId) -> DType {
        self.graph.values[value.0].dtype
    }

    /// The extents of one of Burn's tensors.
    pub fn shape(&self, tensor: &TensorIr) -> Vec<Extent> {
        let shape = &self.graph.values[ValueId::from(tensor).0].shape;
        shape.clone().unwrap_or_default()
    }

    /// `[batch, 10]`
    pub fn shape_text(&self, value: ValueId) -> String {
        let shape = self.graph.values[value.0].shape.iter().flatten();
        let sizes = shape.map(|extent| self.graph.symbols.describe_extent(extent));
        format!("[{}]", sizes.collect::<Vec<_>>().join(", "))
    }

    /// A shape that no symbol changes.
    pub fn fixed_shape(&self, tensor: &TensorIr) -> Result<Vec<usize>, Refusal> {
        let shape = self.shape(tensor);
        let sizes = shape.iter().map(|extent| self.fixed(extent, "a dimension"));
        sizes.map(|size| size.map(|size| size as usize)).collect()
    }

    /// The value of an extent that must not depend on a symbol.
    pub fn fixed(&self, extent: &Extent, what: &str) -> Result<i64, Refusal> {
        extent.fixed().ok_or_else(|| {
            let text = self.graph.symbols.describe_extent(extent);
            Refusal(format!("{what} follows the symbolic sizes ({text})"))
        })
    }

    /// The recurrent layer that an operation stands for.
    pub fn layer(&self, id: &str) -> Option<Recurrence> {
        self.graph.layers.get(id).cloned()
    }

    /// The path of the module that the current operation belongs to.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    // The current operation's numbers

    /// Its counts, in the order of [`crate::resolve`].
    pub fn counts(&self) -> &[Extent] {
        &self.counts
    }

    pub fn ranges(&self) -> &[RangeExtent] {
        &self.ranges
    }

    /// Requires that no count depends on a symbol.
    pub fn require_fixed_counts(&self, what: &str) -> Lowered {
        let mut counts = self.counts.iter();
        counts.try_for_each(|count| self.fixed(count, what).map(drop))
    }

    /// Its scalar operand, the only one it has, as a tensor of `dtype`, which must
    /// have that number.
    pub fn scalar_operand(&mut self, value: ScalarIr, dtype: DType) -> Result<ValueId, Refusal> {
        self.require_within(value, dtype)?;
        self.wrapping_operand(value, dtype)
    }

    /// Its scalar operand, the only one it has, wrapped to the integers of `dtype`.
    pub fn wrapping_operand(&mut self, value: ScalarIr, dtype: DType) -> Result<ValueId, Refusal> {
        match self.scalars.first().cloned().flatten() {
            Some(extent) => {
                let size = self.extent(&extent)?;
                Ok(self.cast(size, dtype))
            }
            None => Ok(self.scalar(value, dtype)),
        }
    }

    /// Requires that an integer type has a number.
    pub fn require_within(&self, value: ScalarIr, dtype: DType) -> Lowered {
        if whole(wrapped(value, dtype)) == whole(value) {
            return Ok(());
        }
        let (number, name) = (whole(value), dtype_name(dtype));
        refuse(format!("the number {number} is beyond {name}"))
    }

    /// Requires that no scalar operand depends on a symbol.
    pub fn require_fixed_scalars(&self) -> Lowered {
        let mut scalars = self.scalars.iter().flatten();
        scalars.try_for_each(|scalar| self.fixed(scalar, "a scalar operand").map(drop))
    }
}

/// Whether ONNX has one element type for both: it knows a single boolean.
fn same_type(a: DType, b: DType) -> bool {
    element_type(a) == element_type(b)
}

/// ONNX's number for an element type, as `Cast` takes it.
pub(crate) fn element_type(dtype: DType) -> i64 {
    crate::emit::data_type(dtype) as i64
}
