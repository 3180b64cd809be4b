//! Operations: their counts, scalars and ranges over all captures.

use burn::backend::ir::OperationIr;

use super::trace::{Step, Trace};
use crate::describe::operation_name;
use crate::error::ExportError;
use crate::extent::{Extent, Symbols};
use crate::graph::{Operation, RangeExtent};

/// The operations, with what differs between captures as extents.
pub(super) fn operations(
    traces: &[Trace],
    symbols: &Symbols,
) -> Result<Vec<Operation>, ExportError> {
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
