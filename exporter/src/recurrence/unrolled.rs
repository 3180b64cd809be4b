//! Loops that write one position of a sequence after the other.

use std::collections::BTreeSet;

use burn::backend::ir::{BaseOperationIr, OperationIr, SliceAssignOpIr, TensorIr};
use burn::tensor::Slice;

use super::producers::Producers;

/// A loop that fills [batch, length, hidden] along the second axis.
pub(super) struct Unrolled {
    /// What each step writes, [batch, hidden], in the order of the steps.
    pub states: Vec<TensorIr>,
    /// From the last position to the first.
    pub reverse: bool,
    /// The sequence when it is complete.
    pub out: TensorIr,
}

impl Unrolled {
    /// What the last step writes.
    pub fn last(&self) -> &TensorIr {
        // There are two steps or more.
        &self.states[self.states.len() - 1]
    }
}

/// The loops that fill a whole sequence of two positions or more.
pub(super) fn unrolled(producers: &Producers, operations: &[OperationIr]) -> Vec<Unrolled> {
    let writes: Vec<&SliceAssignOpIr> = operations
        .iter()
        .filter_map(|operation| match operation {
            OperationIr::BaseFloat(BaseOperationIr::SliceAssign(op)) => Some(op),
            _ => None,
        })
        .collect();
    let continued: BTreeSet<_> = writes.iter().map(|op| op.tensor.id).collect();
    let complete = writes.iter().filter(|op| !continued.contains(&op.out.id));
    complete.filter_map(|op| chain(producers, op)).collect()
}

/// The writes that end with this one.
fn chain(producers: &Producers, last: &SliceAssignOpIr) -> Option<Unrolled> {
    let mut positions = Vec::new();
    let mut states = Vec::new();
    let mut next = Some(last);
    while let Some(op) = next {
        positions.push(position(&op.tensor, &op.ranges)?);
        states.push(producers.reshaped(op.value.id)?.clone());
        next = producers.slice_assign(op.tensor.id);
    }
    positions.reverse();
    states.reverse();
    let length = last.out.shape[1];
    let reverse = positions.first()? != &0;
    let whole = if reverse {
        positions.iter().rev().copied().eq(0..length)
    } else {
        positions.iter().copied().eq(0..length)
    };
    (whole && length > 1).then(|| Unrolled {
        states,
        reverse,
        out: last.out.clone(),
    })
}

/// The only position along the second of three axes, the others being whole.
pub(super) fn position(tensor: &TensorIr, ranges: &[Slice]) -> Option<usize> {
    let [size, length, width] = tensor.shape[..] else {
        return None;
    };
    let [outer, middle, inner] = ranges else {
        return None;
    };
    let whole =
        |range: &Slice, size: usize| range.step == 1 && bounds(range, size) == (0, size as isize);
    let (start, end) = bounds(middle, length);
    let single = middle.step == 1 && end == start + 1;
    (whole(outer, size) && whole(inner, width) && single).then_some(start as usize)
}

/// A range counted from the front.
fn bounds(range: &Slice, size: usize) -> (isize, isize) {
    let size = size as isize;
    let front = |bound: isize| if bound < 0 { bound + size } else { bound };
    (front(range.start), range.end.map_or(size, front))
}
