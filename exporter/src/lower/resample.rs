//! Interpolation and sampling on a grid.

use burn::backend::ir::{
    GridSample2dOpIr, GridSamplePaddingModeIr, InterpolateModeIr, InterpolateOpIr,
};
use burn::tensor::DType;

use super::context::{Context, Lowered, Refusal, refuse};
use crate::extent::{Extent, reduced};
use crate::graph::ValueId;
use crate::node::Node;

/// To a size, along the last two axes.
pub(super) fn interpolate(cx: &mut Context, op: &InterpolateOpIr) -> Lowered {
    match op.options.mode {
        InterpolateModeIr::Nearest if !is_exact(cx, op) => {
            return gather_nearest(cx, op, nearest_positions);
        }
        InterpolateModeIr::NearestExact if !is_by_power_of_2(cx, op) => {
            return gather_nearest(cx, op, middle_positions);
        }
        _ => {}
    }
    let node = Node::new("Resize").input(&op.x);
    let sizes = target(cx, op)?;
    let node = node
        .optional(None::<ValueId>)
        .optional(None::<ValueId>)
        .input(sizes)
        .output(&op.out);
    let node = match op.options.mode {
        InterpolateModeIr::Nearest => node
            .attr("mode", "nearest")
            .attr("coordinate_transformation_mode", "asymmetric")
            .attr("nearest_mode", "floor"),
        InterpolateModeIr::NearestExact => node
            .attr("mode", "nearest")
            .attr("coordinate_transformation_mode", "half_pixel")
            .attr("nearest_mode", "round_prefer_ceil"),
        InterpolateModeIr::Bilinear => node
            .attr("mode", "linear")
            .attr("coordinate_transformation_mode", corners(op)),
        InterpolateModeIr::Bicubic => node
            .attr("mode", "cubic")
            .attr("coordinate_transformation_mode", corners(op))
            .attr("cubic_coeff_a", -0.75),
        InterpolateModeIr::Lanczos3 => {
            return refuse("Resize has no Lanczos interpolation; choose another mode");
        }
    };
    cx.push(node)
}

/// Whether `Resize` takes the same elements as Burn in any precision: its
/// `⌊o / (to / from)⌋` with a ratio that is exact in binary and the same for all
/// sizes, and Burn's `⌊o · (from / to)⌋` without a rounding that shows.
fn is_exact(cx: &Context, op: &InterpolateOpIr) -> bool {
    let (from, to) = (cx.shape(&op.x), cx.shape(&op.out));
    (2..4).all(|axis| {
        let mut sizes = from[axis].seen().iter().zip(to[axis].seen());
        let ratio = reduced(to[axis].in_capture(0), from[axis].in_capture(0));
        let is_binary = (ratio.1 as u64).is_power_of_two();
        is_binary
            && sizes.all(|(from, to)| {
                let exact = (0..*to).map(|at| at * from / to);
                reduced(*to, *from) == ratio && exact.eq(nearest(*from, *to))
            })
    })
}

/// Whether all sizes are multiplied or divided by the same power of 2, by which
/// `Resize` computes the middles exactly in any precision.
fn is_by_power_of_2(cx: &Context, op: &InterpolateOpIr) -> bool {
    let (from, to) = (cx.shape(&op.x), cx.shape(&op.out));
    (2..4).all(|axis| {
        let ratio = reduced(to[axis].in_capture(0), from[axis].in_capture(0));
        let mut sizes = from[axis].seen().iter().zip(to[axis].seen());
        let are_powers = [ratio.0, ratio.1].map(|part| (part as u64).is_power_of_two());
        are_powers == [true; 2] && sizes.all(|(from, to)| reduced(*to, *from) == ratio)
    })
}

/// The position that Burn takes for each of `to` positions.
fn nearest(from: i64, to: i64) -> impl Iterator<Item = i64> {
    let ratio = from as f64 / to as f64;
    (0..to).map(move |at| (at as f64 * ratio) as i64)
}

/// The positions to take along an axis, of its old and its new size.
type Positions = fn(&mut Context, &Extent, &Extent) -> Result<ValueId, Refusal>;

/// Gathers rows and columns at the positions that Burn takes.
fn gather_nearest(cx: &mut Context, op: &InterpolateOpIr, positions: Positions) -> Lowered {
    let (from, to) = (cx.shape(&op.x), cx.shape(&op.out));
    let mut value = ValueId::from(&op.x);
    for axis in (2..4).filter(|axis| from[*axis] != to[*axis]) {
        let positions = positions(cx, &from[axis], &to[axis])?;
        let gather = Node::new("Gather").inputs([value, positions]);
        value = cx.compute(gather.attr("axis", axis), op.x.dtype);
    }
    cx.rename(value, &op.out)
}

/// As [`nearest`]: a constant, or computed in f64 as there.
fn nearest_positions(cx: &mut Context, from: &Extent, to: &Extent) -> Result<ValueId, Refusal> {
    if let (Some(from), Some(to)) = (from.fixed(), to.fixed()) {
        return Ok(cx.integers(&nearest(from, to).collect::<Vec<_>>()));
    }
    let [positions, from, to] = [cx.positions(to)?, cx.extent(from)?, cx.extent(to)?];
    let [positions, from, to] = [positions, from, to].map(|value| cx.cast(value, DType::F64));
    let ratio = cx.apply("Div", [from, to]);
    let places = cx.apply("Mul", [positions, ratio]);
    Ok(cx.cast(places, DType::I64))
}

/// The element in which the middle of each new one lies,
/// `⌊(2 at + 1) · from / (2 · to)⌋`.
fn middle_positions(cx: &mut Context, from: &Extent, to: &Extent) -> Result<ValueId, Refusal> {
    if let (Some(from), Some(to)) = (from.fixed(), to.fixed()) {
        let positions = (0..to).map(|at| (2 * at + 1) * from / (2 * to));
        return Ok(cx.integers(&positions.collect::<Vec<_>>()));
    }
    let [positions, from, to] = [cx.positions(to)?, cx.extent(from)?, cx.extent(to)?];
    let (one, two) = (cx.integer(1), cx.integer(2));
    let doubled = cx.apply("Mul", [positions, two]);
    let middles = cx.apply("Add", [doubled, one]);
    let scaled = cx.apply("Mul", [middles, from]);
    let divisor = cx.apply("Mul", [to, two]);
    Ok(cx.apply("Div", [scaled, divisor]))
}

fn corners(op: &InterpolateOpIr) -> &'static str {
    if op.options.align_corners {
        "align_corners"
    } else {
        "half_pixel"
    }
}

/// All four sizes: opsets before 18 take no axes.
fn target(cx: &mut Context, op: &InterpolateOpIr) -> Result<ValueId, Refusal> {
    let sizes: Vec<Extent> = cx.shape(&op.out);
    cx.extents(&sizes)
}

/// At the places that `grid`, [n, h, w, 2] in [-1, 1], names.
pub(super) fn grid_sample(cx: &mut Context, op: &GridSample2dOpIr) -> Lowered {
    let renamed = cx.has(20);
    let mode = match op.options.mode {
        InterpolateModeIr::Nearest => "nearest",
        InterpolateModeIr::Bilinear if renamed => "linear",
        InterpolateModeIr::Bilinear => "bilinear",
        InterpolateModeIr::Bicubic if renamed => "cubic",
        InterpolateModeIr::Bicubic => "bicubic",
        InterpolateModeIr::NearestExact | InterpolateModeIr::Lanczos3 => {
            return refuse("GridSample interpolates nearest, linear or cubic only");
        }
    };
    let padding = match op.options.padding_mode {
        GridSamplePaddingModeIr::Zeros => "zeros",
        GridSamplePaddingModeIr::Border => "border",
        GridSamplePaddingModeIr::Reflection => "reflection",
    };
    let node = Node::new("GridSample")
        .input(&op.tensor)
        .input(&op.grid)
        .output(&op.out)
        .attr("mode", mode)
        .attr("padding_mode", padding)
        .attr("align_corners", op.options.align_corners);
    cx.push(node)
}
