//! What cannot be exported, and what is said about it.

#![allow(clippy::unwrap_used)]

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LinearConfig, Relu};
use burn::tensor::module::{interpolate, max_pool2d};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{DType, Device, Distribution, Int, Tensor, TensorData, activation, s};
use exporter::{Dim, ExportError, Exporter, Opset, dims};

fn refusal<const D: usize, const E: usize>(
    dims: Vec<Dim>,
    forward: impl Fn(Tensor<D>) -> Tensor<E>,
) -> String {
    let exporter = Exporter::new().input("x", dims).output("y");
    let error = exporter
        .export(&Relu::new(), |_, x: Tensor<D>| forward(x))
        .unwrap_err();
    error.to_string()
}

fn message(exporter: Exporter) -> String {
    let forward = |_: &Relu, x: Tensor<2>| activation::relu(x);
    exporter
        .export(&Relu::new(), forward)
        .unwrap_err()
        .to_string()
}

#[test]
fn opsets_out_of_range_are_refused() {
    assert_eq!(
        Opset::new(15).unwrap_err().to_string(),
        "opset 15 cannot be written; choose one from 16 to 26"
    );
}

#[test]
fn the_declared_boundary_must_be_that_of_forward() {
    let one = || Exporter::new().input("x", dims!["n", 2]);
    assert_eq!(
        message(one().input("y", dims![1]).output("z")),
        "2 inputs are declared, but `forward` takes 1 tensors"
    );
    assert_eq!(
        message(Exporter::new().input("x", dims![2]).output("y")),
        "input `x` is declared with 1 dimensions, but `forward` takes a tensor of rank 2"
    );
    assert_eq!(
        message(
            Exporter::new()
                .input_of("x", dims![1, 2], DType::I64)
                .output("y")
        ),
        "input `x` is declared as I64, but `forward` takes a tensor of kind Float"
    );
    assert_eq!(
        message(one().output("y").output("z")),
        "2 outputs are declared, but `forward` returns 1 tensors"
    );
    assert_eq!(
        message(one().output("x")),
        "the inputs' and outputs' names must be distinct and not empty; `x` is not"
    );
    assert_eq!(
        message(Exporter::new().input("x", dims!["n", 0]).output("y")),
        "input `x`: dimension 1 must be a size from 1 or a name"
    );
    assert_eq!(
        message(one().sizes("m", [1, 2, 3, 4]).output("y")),
        "`m`: sizes are given, but no input has this dimension"
    );
    assert_eq!(
        message(one().sizes("n", [1, 2, 2, 4]).output("y")),
        "`n`: the sizes must be different from each other and from 0"
    );
}

#[test]
fn all_unsupported_operations_are_listed_at_once() {
    let device = Device::flex();
    let layer = LinearConfig::new(4, 3).init(&device);
    let exporter = Exporter::new().input("x", dims!["batch", 4]).output("y");
    let error = exporter
        .export(&[layer], |layers, x: Tensor<2>| {
            let x = layers[0].forward(x).cumprod(1);
            let noise = Tensor::random(x.dims(), Distribution::Default, &x.device());
            activation::relu(x).cummax(1) + noise
        })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "3 operations of the graph cannot be written in ONNX opset 18:\n\
         - CumProd near `0` (f32[batch, 3]): a cumulative product came with opset 26; choose that or a newer one\n\
         - Random (): random numbers differ from run to run, and ONNX cannot be told Burn's generator\n\
         - CumMax near `0` (f32[batch, 3]): ONNX has no cumulative maximum, only a cumulative sum and product"
    );
    let ExportError::Unsupported { operations, .. } = error else {
        panic!("another error");
    };
    assert_eq!(operations[0].name, "CumProd");
}

#[test]
fn operators_of_newer_opsets_are_named() {
    let exporter = Exporter::new().opset(Opset::new(17).unwrap());
    let exporter = exporter.input("x", dims!["n", 2]).output("y");
    let error = exporter
        .export(&Relu::new(), |_, x: Tensor<2, Int>| x.bitwise_not())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "an operation of the graph cannot be written in ONNX opset 17:\n\
         - BitwiseNot (i64[n, 2]): bitwise operators came with opset 18; choose that or a newer one"
    );
}

/// An image of a size that a convolution by 4 gives for most sizes, but not for
/// multiples of 4.
#[test]
fn a_size_is_not_taken_for_another_that_is_rounded_differently() {
    let layer = Conv2dConfig::new([1, 1], [1, 1]).with_stride([4, 4]);
    let layer = layer.init(&Device::flex());
    let exporter = Exporter::new()
        .input("x", dims!["n", 1, "height", "width"])
        .output("y");
    let error = exporter.export(&layer, |layer: &Conv2d, x: Tensor<4>| {
        let [_, _, height, width] = x.dims();
        let options = InterpolateOptions::new(InterpolateMode::Bilinear);
        let size = [height / 4 + 1, width / 4 + 1];
        interpolate(layer.forward(x), options.with_output_size(size))
    });
    let error = error.unwrap_err().to_string();
    let expected = "a size follows the symbolic sizes in a way that is not understood";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn numbers_beyond_an_integer_type_are_refused_where_they_cannot_wrap() {
    let exporter = || Exporter::new().input("x", dims!["n", 2]).output("y");
    let narrow = |x: Tensor<2, Int>| x.cast(DType::I8);
    let wrapped = exporter().export(&Relu::new(), |_, x| narrow(x) * 200);
    assert!(wrapped.is_ok());
    let error = exporter().export(&Relu::new(), |_, x| narrow(x).greater_scalar(200));
    assert_eq!(
        error.unwrap_err().to_string(),
        "an operation of the graph cannot be written in ONNX opset 18:\n\
         - GreaterElem (i8[n, 2]): the number 200 is beyond i8"
    );
}

#[test]
fn an_unused_input_is_refused() {
    let exporter = Exporter::new()
        .input("x", dims!["n"])
        .input("y", dims!["n"]);
    let error = exporter
        .output("z")
        .export(&Relu::new(), |_, (x, _): (Tensor<1>, Tensor<1>)| {
            activation::relu(x)
        })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no output depends on input `y`; leave it out"
    );
}

#[test]
fn an_output_of_another_device_is_refused() {
    let message = refusal(dims!["n", 2], |x: Tensor<2>| {
        let _ = activation::relu(x);
        Tensor::<2>::ones([1, 2], &Device::flex())
    });
    assert!(
        message.starts_with("output 0 is not on the device that records"),
        "{message}"
    );
}

#[test]
fn values_read_from_an_input_are_found() {
    let message = refusal(dims!["n", 2], |x: Tensor<2>| {
        let device = x.device();
        let sample: TensorData = first_row(&x);
        x + Tensor::<2>::from_data(sample, &device)
    });
    assert_eq!(
        message,
        "a constant [1, 2] used by Add [2, 2] differs from capture to capture: `forward` computes \
         it outside the graph from an input's values (`into_data`, `into_scalar`), from a symbolic \
         size or at random, and the model would keep the sample's"
    );
}

/// The first row of an input, read on the host.
fn first_row(input: &Tensor<2>) -> TensorData {
    let data = input.clone().into_data();
    let width = input.dims()[1];
    let row = data.as_slice::<f32>().unwrap()[..width].to_vec();
    TensorData::new(row, [1, width])
}

#[test]
fn a_loop_over_a_symbol_is_refused() {
    let message = refusal(dims!["n", 2], |x: Tensor<2>| {
        (0..x.dims()[0]).fold(x, |x, _| activation::relu(x))
    });
    assert_eq!(
        message,
        "the graph depends on the sizes: operation 2 is the end of the graph with n = 2, \
         but Relu [3, 2] with n = 3\n\
         hint: a loop over a symbolic dimension or a branch on it cannot be exported; \
         give it a fixed size"
    );
}

#[test]
fn scalars_that_follow_a_size_in_an_unknown_way_are_refused() {
    let message = refusal(dims!["n", 2], |x: Tensor<2>| {
        let n = x.dims()[0] as f64;
        x / n.sqrt()
    });
    assert_eq!(
        message,
        "DivScalar: a scalar depends on the symbolic sizes in a way that ONNX cannot be told\n  \
         1.4142135623730951 with n = 2\n  \
         1.7320508075688772 with n = 3\n  \
         2.23606797749979 with n = 5\n  \
         2.6457513110645907 with n = 7"
    );
}

#[test]
fn scalars_that_small_sizes_round_to_one_are_not_taken_for_it() {
    let message = refusal(dims!["n", 3, "height", "width"], |x: Tensor<4>| {
        let halved = (0..6).fold(x, |x, _| {
            max_pool2d(x, MaxPoolOptions::new([1, 1]).with_stride([2, 2]))
        });
        let [_, _, height, width] = halved.dims();
        halved.sum_dim(3).sum_dim(2) / (height * width) as f32
    });
    assert_eq!(
        message,
        "an operation of the graph cannot be written in ONNX opset 18:\n\
         - DivScalar (f32[n, 3, 1, 1]): a size follows the symbolic sizes in a way that is not \
         understood ([1, 1, 5, 6, 1, 1])"
    );
}

#[test]
fn a_bound_that_only_large_sizes_reach_is_found() {
    let message = refusal(dims!["n", "t", 12], |x: Tensor<3>| x.slice(s![.., ..100]));
    assert_eq!(
        message,
        "an operation of the graph cannot be written in ONNX opset 18:\n\
         - Slice (f32[n, t, 12]): a size follows the symbolic sizes in a way that is not \
         understood ([27, 27, 100, 29, 34])"
    );
}

#[test]
fn bounds_that_follow_a_size_in_an_unknown_way_are_refused() {
    let message = refusal(dims!["n", 2], |x: Tensor<2>| {
        let n = x.dims()[0];
        x.slice(s![0..n / 2])
    });
    assert_eq!(
        message,
        "an operation of the graph cannot be written in ONNX opset 18:\n\
         - Slice (f32[n, 2]): a size follows the symbolic sizes in a way that is not understood \
         ([1, 1, 2, 3])"
    );
}

#[test]
fn a_panic_while_recording_says_with_which_sizes() {
    let message = refusal(dims!["n", 6], |x: Tensor<2>| {
        let n = x.dims()[0];
        x.reshape([n * 6 / 4, 4])
    });
    assert!(
        message.starts_with("`forward` panicked with n = 3: "),
        "{message}"
    );
    assert!(message.contains("choose others with `sizes`"), "{message}");
}

#[test]
fn reading_a_computed_value_is_refused() {
    let message = refusal(dims!["n", 2], |x: Tensor<2>| {
        let largest: f32 = x.clone().max().into_scalar();
        x / largest
    });
    assert!(message.contains("recording runs no kernels"), "{message}");
}
