//! Several captures become one graph whose sizes are explained.
//!
//! The captures are walked side by side. Operations must be the same and
//! connected the same way; dimensions and counts may differ, and become
//! [`Extent`]s. What may not differ and does is refused.

use std::collections::{BTreeMap, HashMap};

use burn::backend::capture::TensorId;
use burn::backend::ir::{
    BaseOperationIr, IrVisitorMut, ModuleOperationIr, NumericOperationIr, OperationIr, ScalarIr,
    TensorIr, TensorStatus,
};
use burn::tensor::{DType, Slice, TensorData};

use crate::capture::{Capture, Parameter};
use crate::describe::operation_name;
use crate::error::ExportError;
use crate::extent::{Extent, Formula, Symbols};
use crate::graph::{Graph, Operation, Progression, RangeExtent, Value, ValueId};
use crate::{dead, linear, scope};

/// Aligns the captures, the first of which is the base.
pub(crate) fn resolve(
    captures: Vec<Capture>,
    symbols: Symbols,
    input_names: &[String],
) -> Result<Graph, ExportError> {
    let mut traces: Vec<Trace> = captures.into_iter().map(Trace::new).collect();
    require_same_structure(&traces, &symbols)?;
    require_used(&traces[0], input_names)?;
    let progressions = progressions(&traces, &symbols);
    let values = values(&traces, &symbols, &progressions)?;
    let operations = operations(&traces, &symbols)?;
    let base = traces.swap_remove(0);
    let mut graph = Graph {
        symbols,
        values,
        progressions,
        operations,
        inputs: base.inputs,
        outputs: base.outputs,
    };
    for (input, name) in graph.inputs.iter().zip(input_names) {
        graph.values[input.0].name = Some(name.clone());
        graph.values[input.0].data = None;
    }
    scope::assign(&mut graph);
    Ok(graph)
}

/// One capture in a form that can be compared with another.
struct Trace {
    steps: Vec<Step>,
    /// By [`ValueId`].
    tensors: Vec<TensorIr>,
    inputs: Vec<ValueId>,
    outputs: Vec<ValueId>,
    data: BTreeMap<ValueId, TensorData>,
    parameters: BTreeMap<ValueId, Parameter>,
}

/// An operation taken apart: what must be equal and what may differ.
struct Step {
    op: OperationIr,
    /// `op` without sizes, scalars and ranges.
    skeleton: OperationIr,
    sizes: Vec<usize>,
    scalars: Vec<ScalarIr>,
    ranges: Vec<Slice>,
}

impl Trace {
    fn new(capture: Capture) -> Self {
        let operations = untie(&capture);
        let operations = linear::fold(operations, &capture.outputs);
        let operations = dead::remove(operations, &capture.outputs);
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
            tensors: numbering.tensors,
            inputs,
            outputs,
        }
    }

    /// `Conv2d` at a position, or the end.
    fn name_at(&self, position: usize) -> String {
        self.steps.get(position).map_or_else(
            || "the end of the graph".to_owned(),
            |step| format!("{} {:?}", operation_name(&step.op), output_shape(&step.op)),
        )
    }
}

impl Step {
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
fn untie(capture: &Capture) -> Vec<OperationIr> {
    let mut first: BTreeMap<u64, TensorId> = BTreeMap::new();
    let mut tied = BTreeMap::new();
    for (id, parameter) in &capture.parameters {
        let original = *first.entry(parameter.id.val()).or_insert(*id);
        if original != *id && capture.values.get(&original) == capture.values.get(id) {
            tied.insert(*id, original);
        }
    }
    let mut operations = capture.operations.clone();
    for operation in &mut operations {
        operation.visit_mut(&mut Tied(&tied));
    }
    operations
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

fn require_same_structure(traces: &[Trace], symbols: &Symbols) -> Result<(), ExportError> {
    let base = &traces[0];
    for (capture, trace) in traces.iter().enumerate().skip(1) {
        let longest = base.steps.len().max(trace.steps.len());
        let differs = (0..longest).find(|position| {
            let skeleton = |trace: &Trace| trace.steps.get(*position).map(|s| s.skeleton.clone());
            skeleton(base) != skeleton(trace)
        });
        let boundary = (&base.inputs, &base.outputs) != (&trace.inputs, &trace.outputs);
        let Some(position) = differs.or(boundary.then_some(longest)) else {
            continue;
        };
        return Err(ExportError::Diverged {
            place: format!("operation {position}"),
            first: base.name_at(position),
            first_sizes: symbols.describe(0),
            second: trace.name_at(position),
            second_sizes: symbols.describe(capture),
        });
    }
    Ok(())
}

fn require_used(trace: &Trace, names: &[String]) -> Result<(), ExportError> {
    for (input, name) in trace.inputs.iter().zip(names) {
        let read = trace.steps.iter().flat_map(|step| step.op.inputs());
        let used = read.map(ValueId::from).any(|id| id == *input);
        if !used && !trace.outputs.contains(input) {
            return Err(ExportError::UnusedInput {
                input: name.clone(),
            });
        }
    }
    Ok(())
}

/// Constants that count, `start + step · i`, with a length that is explained.
fn progressions(traces: &[Trace], symbols: &Symbols) -> BTreeMap<ValueId, Progression> {
    let base = &traces[0];
    let constants = base.data.keys().filter(|id| !base.inputs.contains(id));
    constants
        .filter_map(|id| {
            let [length] = &shape(traces, id.0)[..] else {
                return None;
            };
            let varies = length.fixed().is_none();
            let explained = symbols.explain(length) != Formula::Unexplained;
            let known = traces.iter().map(|trace| progression(trace.data.get(id)?));
            let known: Vec<Progression> = known.collect::<Option<_>>()?;
            let same = known.iter().all(|other| *other == known[0]);
            (varies && explained && same).then_some((*id, known[0]))
        })
        .collect()
}

fn progression(data: &TensorData) -> Option<Progression> {
    let values = data.clone().convert::<f64>();
    let values = values.as_slice::<f64>().ok()?;
    let [first, second, ..] = values else {
        return None;
    };
    let step = second - first;
    let whole = first.fract() == 0.0 && step.fract() == 0.0;
    let mut expected = values.iter().enumerate();
    let counts = expected.all(|(at, value)| *value == first + step * at as f64);
    (whole && counts).then_some(Progression {
        start: *first as i64,
        step: step as i64,
    })
}

fn values(
    traces: &[Trace],
    symbols: &Symbols,
    progressions: &BTreeMap<ValueId, Progression>,
) -> Result<Vec<Value>, ExportError> {
    let base = &traces[0];
    (0..base.tensors.len())
        .map(|position| {
            let id = ValueId(position);
            let shape = shape(traces, position);
            let data = match progressions.get(&id) {
                Some(_) => None,
                None => constant(traces, id, &shape, symbols)?,
            };
            let name = base.parameters.get(&id);
            let name = name.map(|parameter| parameter.path.clone());
            Ok(Value {
                shape: Some(shape),
                dtype: base.tensors[position].dtype,
                data,
                name: name.filter(|name| !name.is_empty()),
            })
        })
        .collect()
}

fn shape(traces: &[Trace], position: usize) -> Vec<Extent> {
    let rank = traces[0].tensors[position].shape.num_dims();
    (0..rank)
        .map(|axis| {
            let sizes = traces
                .iter()
                .map(|trace| trace.tensors[position].shape[axis]);
            Extent::new(sizes.map(|size| size as i64).collect())
        })
        .collect()
}

/// The elements of a constant, which must be the same in all captures.
fn constant(
    traces: &[Trace],
    id: ValueId,
    shape: &[Extent],
    symbols: &Symbols,
) -> Result<Option<TensorData>, ExportError> {
    let base = &traces[0];
    let Some(data) = base.data.get(&id) else {
        return Ok(None);
    };
    if base.inputs.contains(&id) {
        return Ok(Some(data.clone()));
    }
    let operation = || user(base, id);
    if shape.iter().any(|extent| extent.fixed().is_none()) {
        let sizes = shape.iter().map(|extent| symbols.describe_extent(extent));
        return Err(ExportError::UnexplainedSize {
            operation: operation(),
            what: "the shape of a constant".to_owned(),
            seen: format!("  [{}]", sizes.collect::<Vec<_>>().join(", ")),
        });
    }
    let same = traces[1..]
        .iter()
        .all(|trace| trace.data.get(&id) == Some(data));
    if same {
        return Ok(Some(data.clone()));
    }
    Err(ExportError::BakedInput {
        operation: operation(),
        shape: data.shape().to_vec(),
    })
}

/// The first operation that reads a value.
fn user(trace: &Trace, id: ValueId) -> String {
    let mut steps = trace.steps.iter();
    let user = steps.find(|step| step.op.inputs().map(ValueId::from).any(|read| read == id));
    user.map_or_else(
        || "the outputs".to_owned(),
        |step| format!("{} {:?}", operation_name(&step.op), output_shape(&step.op)),
    )
}

fn output_shape(op: &OperationIr) -> Vec<usize> {
    op.outputs()
        .next()
        .map(|tensor| tensor.shape.to_vec())
        .unwrap_or_default()
}

fn operations(traces: &[Trace], symbols: &Symbols) -> Result<Vec<Operation>, ExportError> {
    (0..traces[0].steps.len())
        .map(|position| {
            let steps: Vec<&Step> = traces.iter().map(|trace| &trace.steps[position]).collect();
            operation(&steps, symbols)
        })
        .collect()
}

fn operation(steps: &[&Step], symbols: &Symbols) -> Result<Operation, ExportError> {
    let base = steps[0];
    let sizes = (0..base.sizes.len())
        .map(|index| Extent::new(steps.iter().map(|step| step.sizes[index] as i64).collect()))
        .collect();
    let scalars = (0..base.scalars.len())
        .map(|index| scalar(steps, index, symbols))
        .collect::<Result<_, _>>()?;
    let ranges = (0..base.ranges.len())
        .map(|axis| range(steps, axis))
        .collect();
    Ok(Operation {
        op: base.op.clone(),
        sizes,
        ranges,
        scalars,
        scope: String::new(),
    })
}

/// Nothing for a scalar that is the same in all captures; otherwise it must be
/// a whole number, so that it can be a size.
fn scalar(steps: &[&Step], index: usize, symbols: &Symbols) -> Result<Option<Extent>, ExportError> {
    let seen: Vec<f64> = steps
        .iter()
        .map(|step| step.scalars[index].elem::<f64>())
        .collect();
    if seen
        .iter()
        .all(|value| value.to_bits() == seen[0].to_bits())
    {
        return Ok(None);
    }
    if seen.iter().all(|value| value.fract() == 0.0) {
        let whole = seen.iter().map(|value| *value as i64);
        return Ok(Some(Extent::new(whole.collect())));
    }
    let lines = seen.iter().enumerate();
    let lines =
        lines.map(|(capture, value)| format!("  {value} with {}", symbols.describe(capture)));
    Err(ExportError::UnexplainedSize {
        operation: operation_name(&steps[0].op),
        what: "a scalar".to_owned(),
        seen: lines.collect::<Vec<_>>().join("\n"),
    })
}

/// A range counted from the front: negative bounds and open ends are replaced.
fn range(steps: &[&Step], axis: usize) -> RangeExtent {
    let bounds = steps.iter().map(|step| {
        let size = sliced_shape(&step.op)[axis] as i64;
        let slice = step.ranges[axis];
        let front = |bound: isize| {
            if bound < 0 {
                bound as i64 + size
            } else {
                bound as i64
            }
        };
        let end = slice.end.map_or(size, front);
        (front(slice.start).min(size), end.min(size))
    });
    let (starts, ends) = bounds.unzip();
    RangeExtent {
        start: Extent::new(starts),
        end: Extent::new(ends),
        step: steps[0].ranges[axis].step as i64,
    }
}

/// The shape of the tensor that ranges refer to, which is the first input.
fn sliced_shape(op: &OperationIr) -> Vec<usize> {
    let tensor = op.inputs().next();
    tensor
        .map(|tensor| tensor.shape.to_vec())
        .unwrap_or_default()
}

/// Whether an element type can be written.
pub(crate) fn is_quantized(dtype: DType) -> bool {
    matches!(dtype, DType::QFloat(_))
}
