//! Slices, and writing to them.

use burn::backend::ir::{SliceAssignOpIr, SliceOpIr};
use burn::tensor::TensorData;

use super::context::{Context, Lowered, Refusal};
use crate::extent::Extent;
use crate::graph::{RangeExtent, ValueId};
use crate::node::Node;

/// A range along an axis, in ONNX's terms.
struct AxisRange {
    axis: usize,
    start: Extent,
    end: Extent,
    step: i64,
}

/// Axes that are taken whole are left out.
pub(super) fn slice(cx: &mut Context, op: &SliceOpIr) -> Lowered {
    let shape = cx.shape(&op.tensor);
    let ranges: Vec<AxisRange> = cx
        .ranges()
        .to_vec()
        .iter()
        .enumerate()
        .filter(|(axis, range)| !is_whole(range, &shape[*axis]))
        .map(|(axis, range)| onnx_range(cx, axis, range, &shape[axis]))
        .collect();
    if ranges.is_empty() {
        return cx.push(Node::new("Identity").input(&op.tensor).output(&op.out));
    }
    let starts: Vec<Extent> = ranges.iter().map(|range| range.start.clone()).collect();
    let ends: Vec<Extent> = ranges.iter().map(|range| range.end.clone()).collect();
    let axes: Vec<i64> = ranges.iter().map(|range| range.axis as i64).collect();
    let steps: Vec<i64> = ranges.iter().map(|range| range.step).collect();
    let starts = cx.extents(&starts)?;
    let ends = cx.extents(&ends)?;
    let axes = cx.integers(&axes);
    let node = Node::new("Slice").inputs([(&op.tensor).into(), starts, ends, axes]);
    let node = if steps.iter().all(|step| *step == 1) {
        node
    } else {
        let steps = cx.integers(&steps);
        node.input(steps)
    };
    cx.push(node.output(&op.out))
}

fn is_whole(range: &RangeExtent, size: &Extent) -> bool {
    range.step == 1 && range.start.is(0) && range.end == *size
}

/// Burn walks a range with a negative step from its end; ONNX starts there.
fn onnx_range(cx: &Context, axis: usize, range: &RangeExtent, size: &Extent) -> AxisRange {
    let (start, end) = if range.step > 0 {
        (
            from_either_end(&range.start, size),
            to_the_end(cx, range, size),
        )
    } else {
        let one = cx.constant_extent(1);
        // An end of -1 would be read as the last element: a start that moves, and
        // may come to 0, is counted from the end.
        let end = match range.start.fixed() {
            Some(0) => cx.constant_extent(i64::MIN),
            Some(_) => range.start.minus(&one),
            None => range.start.minus(size).minus(&one),
        };
        let start = from_either_end(&range.end.minus(&one), size);
        (start, end)
    };
    AxisRange {
        axis,
        start,
        end,
        step: range.step,
    }
}

/// A bound that keeps its distance from the axis' end counts from there.
fn from_either_end(bound: &Extent, size: &Extent) -> Extent {
    let from_end = bound.minus(size);
    let moves = bound.fixed().is_none();
    if moves && from_end.fixed().is_some_and(|distance| distance < 0) {
        from_end
    } else {
        bound.clone()
    }
}

fn to_the_end(cx: &Context, range: &RangeExtent, size: &Extent) -> Extent {
    if range.end == *size {
        cx.constant_extent(i64::MAX)
    } else {
        from_either_end(&range.end, size)
    }
}

/// Spreads the value over the tensor's size and chooses by a constant mask,
/// which has size 1 along the axes that are written whole.
pub(super) fn slice_assign(cx: &mut Context, op: &SliceAssignOpIr) -> Lowered {
    let shape = cx.shape(&op.tensor);
    let ranges = cx.ranges().to_vec();
    let mut spread = ValueId::from(&op.value);
    let mut mask = vec![true];
    let mut sizes = vec![1; shape.len()];
    for (axis, (range, size)) in ranges.iter().zip(&shape).enumerate() {
        if is_whole(range, size) {
            continue;
        }
        let sources = sources(cx, range, size)?;
        sizes[axis] = sources.len();
        let written = |at: bool| sources.iter().map(move |source| at && source.is_some());
        mask = mask.into_iter().flat_map(written).collect();
        let indices: Vec<i64> = sources.iter().map(|source| source.unwrap_or(0)).collect();
        let indices = cx.integers(&indices);
        let gather = Node::new("Gather").inputs([spread, indices]);
        spread = cx.compute(gather.attr("axis", axis), op.value.dtype);
    }
    let mask = cx.constant(TensorData::new(mask, sizes));
    cx.choose_to(mask, [spread, (&op.tensor).into()], &op.out)
}

/// For each position along an axis the element of the value that goes there.
fn sources(cx: &Context, range: &RangeExtent, size: &Extent) -> Result<Vec<Option<i64>>, Refusal> {
    let size = cx.fixed(size, "the size of an axis that is partly written")?;
    let start = cx.fixed(&range.start, "where the written slice starts")?;
    let end = cx.fixed(&range.end, "where the written slice ends")?;
    let step = range.step.abs();
    let source = |at: i64| {
        let distance = if range.step > 0 {
            at - start
        } else {
            end - 1 - at
        };
        let inside = (start..end).contains(&at) && distance % step == 0;
        inside.then_some(distance / step)
    };
    Ok((0..size).map(source).collect())
}
