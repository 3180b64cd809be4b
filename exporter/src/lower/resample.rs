//! Interpolation and sampling on a grid.

use burn::backend::ir::{
    GridSample2dOpIr, GridSamplePaddingModeIr, InterpolateModeIr, InterpolateOpIr,
};

use super::context::{Context, Lowered, refuse};
use crate::extent::Extent;
use crate::graph::ValueId;
use crate::node::Node;

/// To a size, along the last two axes.
pub(super) fn interpolate(cx: &mut Context, op: &InterpolateOpIr) -> Lowered {
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

fn corners(op: &InterpolateOpIr) -> &'static str {
    if op.options.align_corners {
        "align_corners"
    } else {
        "half_pixel"
    }
}

/// All four sizes: opsets before 18 take no axes.
fn target(cx: &mut Context, op: &InterpolateOpIr) -> Result<ValueId, super::Refusal> {
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
