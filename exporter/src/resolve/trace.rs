//! Captures in a form that can be compared.

use std::collections::{BTreeMap, HashMap};

use burn::backend::capture::TensorId;
use burn::backend::ir::{
    BaseOperationIr, IrVisitorMut, ModuleOperationIr, NumericOperationIr, OperationIr, ScalarIr,
    TensorIr, TensorStatus,
};
use burn::tensor::{Slice, TensorData};

use crate::capture::{Capture, Parameter};
use crate::describe::operation_name;
use crate::graph::ValueId;
use crate::recurrence::Recurrence;
use crate::{dead, linear, recurrence};

/// One capture in a form that can be compared with another.
pub(super) struct Trace {
    pub steps: Vec<Step>,
    /// By [`ValueId`].
    pub tensors: Vec<TensorIr>,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
    pub data: BTreeMap<ValueId, TensorData>,
    pub parameters: BTreeMap<ValueId, Parameter>,
    pub layers: BTreeMap<String, Recurrence>,
    /// As [`crate::graph::Graph::loops`].
    pub loops: Vec<(ValueId, usize)>,
}

/// An operation taken apart: what must be equal and what may differ.
pub(super) struct Step {
    pub op: OperationIr,
    /// `op` without sizes, scalars and ranges.
    pub skeleton: OperationIr,
    pub sizes: Vec<usize>,
    pub scalars: Vec<ScalarIr>,
    pub ranges: Vec<Slice>,
}

impl Trace {
    pub fn new(mut capture: Capture) -> Self {
        untie(&mut capture);
        // Not copied: those of a loop take more memory than the weights.
        let operations = std::mem::take(&mut capture.operations);
        let operations = linear::fold(operations, &capture.outputs);
        let is_constant = |id| capture.values.contains_key(&id) && !capture.inputs.contains(&id);
        let (operations, mut found) = recurrence::fold(operations, is_constant);
        let operations = dead::remove(operations, &capture.outputs);
        let operations = recurrence::join(operations, &capture.outputs, &mut found.layers);
        let mut numbering = Numbering::default();
        // The inputs come first, so that they are numbered alike whether used
        // or not.
        let inputs = numbering.ids_of(&capture.inputs, &capture.values);
        let steps = operations
            .into_iter()
            .map(|op| Step::new(op, &mut numbering))
            .collect();
        let outputs = numbering.ids_of(&capture.outputs, &capture.values);
        let number = |id: &TensorId| numbering.numbers.get(id).copied();
        let loops = found.loops.iter();
        let loops = loops.filter_map(|found| Some((number(&found.last)?, found.steps)));
        let loops = loops.collect();
        let data = capture.values.into_iter();
        let parameters = capture.parameters.into_iter();
        Self {
            steps,
            data: data
                .filter_map(|(id, data)| Some((number(&id)?, data)))
                .collect(),
            parameters: parameters
                .filter_map(|(id, parameter)| Some((number(&id)?, parameter)))
                .collect(),
            layers: found.layers,
            loops,
            tensors: numbering.tensors,
            inputs,
            outputs,
        }
    }

    /// `Conv2d` at a position, or the end.
    pub fn name_at(&self, position: usize) -> String {
        self.steps
            .get(position)
            .map_or_else(|| "the end of the graph".to_owned(), Step::describe)
    }
}

impl Step {
    /// `Conv2d [2, 8, 13, 13]`: the name and the output's shape in this capture.
    pub fn describe(&self) -> String {
        let output = self.op.outputs().next();
        let shape = output.map(|tensor| tensor.shape.to_vec());
        let name = operation_name(&self.op);
        format!("{name} {:?}", shape.unwrap_or_default())
    }

    fn new(mut op: OperationIr, numbering: &mut Numbering) -> Self {
        op.visit_mut(numbering);
        let mut skeleton = op.clone();
        let sizes = take_sizes(&mut skeleton);
        let mut taken = Taken::default();
        skeleton.visit_mut(&mut taken);
        Self {
            op,
            skeleton,
            sizes,
            scalars: taken.scalars,
            ranges: taken.ranges,
        }
    }
}

/// Lets operations read the first of the parameters that are tied: the same
/// parameter, with the same elements, in several modules.
fn untie(capture: &mut Capture) {
    let mut first: BTreeMap<u64, TensorId> = BTreeMap::new();
    let mut tied = BTreeMap::new();
    for (id, parameter) in &capture.parameters {
        let original = *first.entry(parameter.id.val()).or_insert(*id);
        if original != *id && capture.values.get(&original) == capture.values.get(id) {
            tied.insert(*id, original);
        }
    }
    for operation in &mut capture.operations {
        operation.visit_mut(&mut Tied(&tied));
    }
}

struct Tied<'a>(&'a BTreeMap<TensorId, TensorId>);

impl IrVisitorMut for Tied<'_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if let Some(original) = self.0.get(&tensor.id) {
            tensor.id = *original;
        }
    }
}

/// Replaces Burn's ids, which differ from capture to capture, by positions in
/// order of first use.
#[derive(Default)]
struct Numbering {
    numbers: HashMap<TensorId, ValueId>,
    tensors: Vec<TensorIr>,
}

impl Numbering {
    fn number(&mut self, tensor: &TensorIr) -> ValueId {
        let next = ValueId(self.tensors.len());
        *self.numbers.entry(tensor.id).or_insert_with(|| {
            self.tensors.push(tensor.clone());
            next
        })
    }

    /// Numbers tensors of the boundary, which have data or were numbered before.
    fn ids_of(
        &mut self,
        ids: &[TensorId],
        values: &BTreeMap<TensorId, TensorData>,
    ) -> Vec<ValueId> {
        ids.iter()
            .map(|id| match values.get(id) {
                Some(data) => self.number(&TensorIr {
                    id: *id,
                    shape: data.shape().clone(),
                    status: TensorStatus::ReadOnly,
                    dtype: data.dtype(),
                }),
                None => self.numbers[id],
            })
            .collect()
    }
}

impl IrVisitorMut for Numbering {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        let number = self.number(tensor);
        tensor.id = TensorId::new(number.0 as u64);
        // Whether a tensor may be overwritten is of no concern to ONNX.
        tensor.status = TensorStatus::ReadOnly;
    }
}

/// Takes what may differ out of an operation.
#[derive(Default)]
struct Taken {
    scalars: Vec<ScalarIr>,
    ranges: Vec<Slice>,
}

impl IrVisitorMut for Taken {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        tensor.shape.iter_mut().for_each(|size| *size = 0);
    }

    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        self.scalars.push(*scalar);
        *scalar = ScalarIr::Bool(false);
    }

    fn visit_range_mut(&mut self, range: &mut Slice) {
        self.ranges.push(*range);
        *range = Slice::new(0, None, range.step);
    }
}

/// Takes out the counts that may follow a symbol. A count that is not listed
/// here must be the same in all captures.
fn take_sizes(op: &mut OperationIr) -> Vec<usize> {
    let sizes: Vec<&mut usize> = match op {
        OperationIr::BaseFloat(BaseOperationIr::RepeatDim(op))
        | OperationIr::BaseInt(BaseOperationIr::RepeatDim(op))
        | OperationIr::BaseBool(BaseOperationIr::RepeatDim(op)) => vec![&mut op.times],
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => numeric_sizes(op),
        OperationIr::Module(op) => module_sizes(op),
        _ => Vec::new(),
    };
    sizes.into_iter().map(std::mem::take).collect()
}

fn numeric_sizes(op: &mut NumericOperationIr) -> Vec<&mut usize> {
    match op {
        NumericOperationIr::Pad(op) => pairs(&mut op.padding),
        NumericOperationIr::MeanDim(op)
        | NumericOperationIr::SumDim(op)
        | NumericOperationIr::ProdDim(op)
        | NumericOperationIr::ArgMax(op)
        | NumericOperationIr::ArgMin(op)
        | NumericOperationIr::MaxDim(op)
        | NumericOperationIr::MinDim(op)
        | NumericOperationIr::MaxAbsDim(op) => vec![&mut op.accumulator_len],
        _ => Vec::new(),
    }
}

fn module_sizes(op: &mut ModuleOperationIr) -> Vec<&mut usize> {
    match op {
        ModuleOperationIr::Conv1d(op) => pairs(&mut op.options.padding),
        ModuleOperationIr::Conv2d(op) => pairs(&mut op.options.padding),
        ModuleOperationIr::Interpolate(op) => op.output_size.iter_mut().collect(),
        ModuleOperationIr::AdaptiveAvgPool1d(op) => vec![&mut op.output_size],
        ModuleOperationIr::AdaptiveAvgPool2d(op) => op.output_size.iter_mut().collect(),
        ModuleOperationIr::AdaptiveAvgPool3d(op) => op.output_size.iter_mut().collect(),
        _ => Vec::new(),
    }
}

fn pairs(pairs: &mut [(usize, usize)]) -> Vec<&mut usize> {
    pairs.iter_mut().flat_map(|(a, b)| [a, b]).collect()
}
