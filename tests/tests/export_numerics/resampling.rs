//! Interpolation and grids.

use burn::nn::Relu;
use burn::nn::interpolate::{Interpolate1dConfig, Interpolate2dConfig, InterpolateMode};
use burn::tensor::ops::{
    GridSampleOptions, GridSamplePaddingMode, InterpolateMode as GridMode, InterpolateOptions,
};
use burn::tensor::{Tensor, TensorData, module};
use exporter::{Dim, Exporter, dims};

use tests::export::engine::session;
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

/// The element in which each new one's middle lies: Flex has no such mode.
fn check_middles(width: Dim, [from, to]: [usize; 2], resized: impl Fn(usize) -> usize) {
    let dims = vec![Dim::from(1), Dim::from(1), Dim::from(1), width];
    let exporter = Exporter::new().input("x", dims).output("y");
    let model = exporter.export(&Relu::new(), |_, x: Tensor<4>| {
        let size = [1, resized(x.dims()[3])];
        let options = InterpolateOptions::new(GridMode::NearestExact);
        module::interpolate(x, options.with_output_size(size))
    });
    let model = model.unwrap();
    let mut session = session(&model.to_bytes()).unwrap();
    let row = |elements: Vec<f32>| {
        let count = elements.len();
        TensorData::new(elements, [1, 1, 1, count])
    };
    let x = row((0..from).map(|at| at as f32).collect());
    let middles = (0..to).map(|at| (2 * at + 1) * from / (2 * to));
    let y = row(middles.map(|at| at as f32).collect());
    let verified = model.verify_answers(&[x], &[y], &mut session, 0.0);
    verified.unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
}

#[test]
fn exactly_nearest_elements_are_those_of_the_middles() {
    for sizes in [
        [56, 4],
        [40, 12],
        [30, 9],
        [50, 27],
        [28, 7],
        [7, 14],
        [5, 5],
    ] {
        let [from, to] = sizes;
        check_middles(Dim::from(from), sizes, |_| to);
        check_middles(Dim::from("width"), sizes, |_| to);
    }
    check_middles(Dim::from("width"), [9, 27], |width| 3 * width);
    check_middles(Dim::from("width"), [9, 36], |width| 4 * width);
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
