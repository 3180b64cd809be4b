//! Functions whose lowering depends on sizes, at random ones.

use burn::nn::Relu;
use burn::tensor::ops::{
    AvgPoolOptions, ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions,
    MaxPoolOptions, PadMode,
};
use burn::tensor::{Slice, Tensor, module};
use exporter::{Dim, Exporter};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tests::export::{case, normal};

/// Whether ONNX Runtime answers as Burn does, for batches that were not recorded.
fn holds<const D: usize, const E: usize>(
    sizes: [usize; D],
    forward: impl Fn(Tensor<D>) -> Tensor<E>,
) -> Result<(), TestCaseError> {
    let mut dims: Vec<Dim> = sizes.into_iter().map(Dim::from).collect();
    dims[0] = Dim::from("n");
    let inputs = move |n| {
        let mut shape = sizes;
        shape[0] = n;
        normal(shape)
    };
    let exporter = Exporter::new().input("x", dims).output("y");
    let description = case(format!("{sizes:?}")).opsets(&[23]).at(&[1, 4]);
    let case = description.build(exporter, &Relu::new(), inputs, |_, x| forward(x));
    case.verify(None).map_err(TestCaseError::fail)
}

fn image() -> impl Strategy<Value = [usize; 2]> {
    [5..14usize, 5..14usize]
}

/// Two axes' numbers from a range.
fn two(range: std::ops::Range<usize>) -> impl Strategy<Value = [usize; 2]> {
    [range.clone(), range]
}

/// One in a range's parts, with a step forwards or backwards.
fn slice(size: usize) -> impl Strategy<Value = Slice> {
    let step = prop_oneof![1..4isize, -3..0isize];
    let bounds = (0..size, 1..=size, step);
    bounds.prop_map(move |(start, length, step)| {
        let end = (start + length).min(size);
        Slice::new(start as isize, Some(end as isize), step)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn convolutions_match_burn(
        [height, width] in image(),
        groups in 1..3usize,
        kernel in two(1..4),
        stride in two(1..4),
        dilation in two(1..3),
        begins in two(0..3),
        ends in two(0..3),
    ) {
        let padding = [(begins[0], ends[0]), (begins[1], ends[1])];
        holds([0, 4, height, width], |x| {
            let weight = Tensor::ones([6, 4 / groups, kernel[0], kernel[1]], &x.device());
            let options = ConvOptions::new_with_padding(stride, padding, dilation, groups);
            module::conv2d(x, weight, None, options)
        })?;
    }

    #[test]
    fn transposed_convolutions_match_burn(
        [height, width] in image(),
        groups in 1..3usize,
        kernel in two(2..4),
        stride in two(2..4),
        padding in two(0..2),
        added in two(0..2),
    ) {
        holds([0, 4, height, width], |x| {
            let weight = Tensor::ones([4, 3, kernel[0], kernel[1]], &x.device());
            let options = ConvTransposeOptions::new(stride, padding, added, [1, 1], groups);
            module::conv_transpose2d(x, weight, None, options)
        })?;
    }

    #[test]
    fn max_pools_match_burn(
        [height, width] in image(),
        kernel in two(2..4),
        stride in two(1..4),
        padding in two(0..2),
        dilation in two(1..3),
        ceil in any::<bool>(),
    ) {
        holds([0, 2, height, width], |x| {
            let options = MaxPoolOptions::new(kernel).with_stride(stride);
            let options = options.with_dilation(dilation);
            module::max_pool2d(x, options.with_padding(padding).with_ceil_mode(ceil))
        })?;
    }

    #[test]
    fn average_pools_match_burn(
        [height, width] in image(),
        kernel in two(2..4),
        stride in two(1..4),
        padding in two(0..2),
        ceil in any::<bool>(),
        counted in any::<bool>(),
    ) {
        holds([0, 2, height, width], |x| {
            let options = AvgPoolOptions::new(kernel).with_stride(stride).with_padding(padding);
            let options = options.with_ceil_mode(ceil).with_count_include_pad(counted);
            module::avg_pool2d(x, options)
        })?;
    }

    #[test]
    fn adaptive_pools_match_burn([height, width] in image(), size in two(1..9)) {
        holds([0, 2, height, width], |x| module::adaptive_avg_pool2d(x, size))?;
    }

    #[test]
    fn slices_match_burn(
        ([height, width], rows, columns) in image().prop_flat_map(|[height, width]| {
            (Just([height, width]), slice(height), slice(width))
        }),
    ) {
        holds([0, height, width], |x| x.slice([Slice::full(), rows, columns]))?;
    }

    #[test]
    fn assigned_slices_match_burn(
        ([height, width], rows, columns) in image().prop_flat_map(|[height, width]| {
            (Just([height, width]), slice(height), slice(width))
        }),
    ) {
        holds([0, height, width], |x| {
            let slices = [Slice::full(), rows, columns];
            let value = x.clone().slice(slices) * 2.0;
            x.slice_assign(slices, value)
        })?;
    }

    #[test]
    fn reductions_match_burn([height, width] in image(), axis in 0..3usize, which in 0..6usize) {
        holds([0, height, width], |x| match which {
            0 => x.sum_dim(axis),
            1 => x.mean_dim(axis),
            2 => x.max_dim(axis),
            3 => x.min_dim(axis),
            4 => x.var_bias(axis),
            _ => x.cumsum(axis),
        })?;
    }

    #[test]
    fn pads_match_burn(
        [height, width] in image(),
        begins in two(0..4),
        ends in two(0..4),
        which in 0..3usize,
    ) {
        let mode = [PadMode::Constant(0.5), PadMode::Reflect, PadMode::Edge][which];
        holds([0, height, width], |x| {
            x.pad([(begins[0], ends[0]), (begins[1], ends[1])], mode)
        })?;
    }

    #[test]
    fn resizes_match_burn(
        [height, width] in image(),
        size in two(2..20),
        which in 0..3usize,
        corners in any::<bool>(),
    ) {
        let modes = [InterpolateMode::Nearest, InterpolateMode::Bilinear, InterpolateMode::Bicubic];
        holds([0, 2, height, width], |x| {
            let options = InterpolateOptions::new(modes[which].clone());
            module::interpolate(x, options.with_output_size(size).with_align_corners(corners))
        })?;
    }
}
