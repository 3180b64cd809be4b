//! Interpolation and grids.

use burn::nn::Relu;
use burn::nn::interpolate::{Interpolate1dConfig, Interpolate2dConfig, InterpolateMode};
use burn::tensor::ops::{
    GridSampleOptions, GridSamplePaddingMode, InterpolateMode as GridMode, InterpolateOptions,
};
use burn::tensor::{Tensor, module};
use exporter::{Exporter, dims};

use tests::export::{case, normal, uniform};

#[test]
fn interpolation_matches_burn() {
    let inputs = |n| normal([n, 4, 13, 11]);
    for mode in [
        InterpolateMode::Nearest,
        InterpolateMode::Linear,
        InterpolateMode::Cubic,
    ] {
        for corners in [false, true] {
            let config = || {
                let config = Interpolate2dConfig::new().with_mode(mode.clone());
                config.with_align_corners(corners)
            };
            let layer = config().with_output_size(Some([20, 7])).init();
            let dims = || dims!["n", 4, 13, 11];
            let name = format!("{mode:?} to a size, corners {corners}");
            case(name).module(dims(), &layer, inputs, |layer, x| layer.forward(x));
            let layer = config().with_scale_factor(Some([2.0, 2.0])).init();
            let name = format!("{mode:?} by a factor, corners {corners}");
            case(name).module(dims(), &layer, inputs, |layer, x| layer.forward(x));
        }
    }
    let line = Interpolate1dConfig::new().with_output_size(Some(5));
    let line = line.with_mode(InterpolateMode::Linear).init();
    let inputs = |n| normal([n, 2, 9]);
    case("1d").module(dims!["n", 2, 9], &line, inputs, |layer, x| layer.forward(x));
}

#[test]
fn interpolation_takes_any_image() {
    let layer = Interpolate2dConfig::new()
        .with_scale_factor(Some([2.0, 2.0]))
        .init();
    let inputs = |n: usize| normal([n, 2, 8 + n, 6]);
    let dims = dims!["n", 2, "height", "width"];
    case("twice as large").module(dims, &layer, inputs, |layer, x| layer.forward(x));
}

#[test]
fn nearest_elements_are_those_of_burn() {
    let nearest = |options: InterpolateOptions| move |x| module::interpolate(x, options.clone());
    let options = || InterpolateOptions::new(GridMode::Nearest);
    let inputs = |n| normal([n, 2, 28, 3]);
    for size in [[4, 3], [14, 147], [42, 6], [27, 2]] {
        let forward = nearest(options().with_output_size(size));
        case(format!("to {size:?}")).of(dims!["n", 2, 28, 3], inputs, forward);
    }
    let inputs = |n: usize| normal([n, 2, 27 + n, n + 2]);
    let dims = || dims!["n", 2, "height", "width"];
    let forward = nearest(options().with_output_size([4, 30]));
    case("any image to a size").of(dims(), inputs, forward);
    let forward = nearest(options().with_scale_factor([3.0, 49.0]));
    case("any image by a factor").of(dims(), inputs, forward);
}

#[test]
fn grids_match_burn() {
    use GridSamplePaddingMode::{Border, Reflection, Zeros};
    let modes = [
        (GridMode::Bilinear, Zeros, false),
        (GridMode::Bilinear, Border, true),
        (GridMode::Bilinear, Reflection, false),
        (GridMode::Nearest, Zeros, false),
        (GridMode::Nearest, Border, true),
    ];
    for (mode, padding, corners) in modes {
        let options = || {
            let options = GridSampleOptions::new(mode.clone()).with_align_corners(corners);
            options.with_padding_mode(padding)
        };
        let exporter = Exporter::new().input("x", dims!["n", 2, 5, 6]);
        let exporter = exporter.input("grid", dims!["n", 4, 3, 2]).output("y");
        let inputs = |n| (normal([n, 2, 5, 6]), uniform([n, 4, 3, 2], -1.2, 1.2));
        let name = format!("{mode:?}, {padding:?}");
        case(name).check(
            exporter,
            &Relu::new(),
            inputs,
            |_, (x, grid): (Tensor<4>, Tensor<4>)| x.grid_sample_2d(grid, options()),
        );
    }
}
