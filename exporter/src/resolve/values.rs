//! Tensors: their shapes over all captures, and what constants hold.

use std::collections::BTreeMap;

use burn::tensor::TensorData;

use super::trace::{Step, Trace};
use crate::error::ExportError;
use crate::extent::{Extent, Formula, Symbols};
use crate::graph::{Progression, Value, ValueId};
use crate::tensor::same;

/// Constants that count, `start + step · i`, with a length that is explained.
pub(super) fn progressions(traces: &[Trace], symbols: &Symbols) -> BTreeMap<ValueId, Progression> {
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

/// The tensors of the graph, in the order of their ids.
pub(super) fn values(
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
    let unchanging = traces[1..]
        .iter()
        .all(|trace| trace.data.get(&id).is_some_and(|other| same(other, data)));
    if unchanging {
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
    let reads = |step: &&Step| step.op.inputs().any(|tensor| ValueId::from(tensor) == id);
    let user = steps.find(reads);
    user.map_or_else(|| "the outputs".to_owned(), Step::describe)
}
