//! Whole layers that Burn records as one operation.

use burn::backend::capture::CaptureBackend;
use burn::backend::ops::ModuleOps;
use burn::tensor::ops::{
    AttentionModuleOptions, AvgPoolOptions, ConvOptions, ConvTransposeOptions, DeformConvOptions,
    InterpolateMode, InterpolateOptions, MaxPoolOptions, UnfoldOptions,
};
use burn::tensor::{DType, Int, Tensor, TensorData, module};
use exporter::{Dim, dims};
use tests::export::{distinct, integers, normal, uniform};

use crate::row::{Kind, Row, Start, row};

fn start(name: &'static str, nodes: &'static str) -> Start {
    let without: &[DType] = match name {
        // ONNX Runtime has no kernels for them.
        "Conv1d" | "Conv2d" | "Conv3d" | "ConvTranspose1d" | "ConvTranspose2d"
        | "ConvTranspose3d" | "Unfold4d" | "AvgPool1d" | "AvgPool2d" | "AdaptiveAvgPool2d"
        | "Interpolate" => &[DType::F64],
        _ => &[],
    };
    row("Module", name, nodes)
        .without(without)
        .kind(Kind::Float)
}

/// Weights of a layer: constants of the same device and element type as `x`.
fn weights<const D: usize, const E: usize>(x: &Tensor<D>, shape: [usize; E]) -> Tensor<E> {
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.7 + 0.3).sin()).collect();
    Tensor::from_data(TensorData::new(values, shape), (&x.device(), x.dtype()))
}

/// Burn's function of this name reaches the backends as its steps; a backend has
/// the operation all the same.
fn linear<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<D> {
    let Ok(recorded) = x.clone().try_into_primitive::<CaptureBackend>() else {
        return module::linear(x, weight, Some(bias));
    };
    let weight = weight.try_into_primitive::<CaptureBackend>().unwrap();
    let bias = bias.try_into_primitive::<CaptureBackend>().unwrap();
    let out = <CaptureBackend as ModuleOps<CaptureBackend>>::linear(recorded, weight, Some(bias));
    Tensor::from_primitive::<CaptureBackend>(out)
}

fn line(name: &'static str, nodes: &'static str, forward: fn(Tensor<3>) -> Tensor<3>) -> Row {
    start(name, nodes).of(dims!["n", 4, 12], |n| normal([n, 4, 12]), forward)
}

fn image<const D: usize>(
    name: &'static str,
    nodes: &'static str,
    forward: fn(Tensor<4>) -> Tensor<D>,
) -> Row {
    let dims: Vec<Dim> = dims!["n", 4, 9, 7];
    start(name, nodes).of(dims, |n| normal([n, 4, 9, 7]), forward)
}

fn volume(name: &'static str, nodes: &'static str, forward: fn(Tensor<5>) -> Tensor<5>) -> Row {
    let dims: Vec<Dim> = dims!["n", 4, 4, 6, 5];
    start(name, nodes).of(dims, |n| normal([n, 4, 4, 6, 5]), forward)
}

fn convolutions() -> Vec<Row> {
    vec![
        line("Conv1d", "Conv", |x| {
            let (weight, bias) = (weights(&x, [6, 2, 3]), weights(&x, [6]));
            module::conv1d(x, weight, Some(bias), ConvOptions::new([2], [1], [1], 2))
        }),
        image("Conv2d", "Conv", |x| {
            let (weight, bias) = (weights(&x, [6, 4, 3, 3]), weights(&x, [6]));
            let options = ConvOptions::new([2, 1], [1, 1], [1, 1], 1);
            module::conv2d(x, weight, Some(bias), options)
        }),
        volume("Conv3d", "Conv", |x| {
            let (weight, bias) = (weights(&x, [6, 4, 2, 3, 2]), weights(&x, [6]));
            let options = ConvOptions::new([1, 2, 1], [1, 0, 1], [1, 1, 1], 1);
            module::conv3d(x, weight, Some(bias), options)
        }),
        line("ConvTranspose1d", "ConvTranspose", |x| {
            let weight = weights(&x, [4, 6, 3]);
            let options = ConvTransposeOptions::new([2], [1], [1], [1], 1);
            module::conv_transpose1d(x, weight, None, options)
        }),
        image("ConvTranspose2d", "ConvTranspose", |x| {
            let (weight, bias) = (weights(&x, [4, 3, 3, 2]), weights(&x, [6]));
            let options = ConvTransposeOptions::new([2, 2], [1, 0], [1, 0], [1, 1], 2);
            module::conv_transpose2d(x, weight, Some(bias), options)
        }),
        volume("ConvTranspose3d", "ConvTranspose", |x| {
            let weight = weights(&x, [4, 6, 3, 2, 2]);
            let options = ConvTransposeOptions::new([2, 2, 1], [0; 3], [0; 3], [1; 3], 1);
            module::conv_transpose3d(x, weight, None, options)
        }),
        start("DeformableConv2d", "-; 19: DeformConv").with(
            &[
                dims!["n", 4, 6, 6],
                dims!["n", 18, 6, 6],
                dims!["n", 9, 6, 6],
            ],
            1,
            |n| {
                let mask = uniform([n, 9, 6, 6], 0.0, 1.0);
                (normal([n, 4, 6, 6]), normal([n, 18, 6, 6]), mask)
            },
            |(x, offset, mask): (Tensor<4>, Tensor<4>, Tensor<4>)| {
                let (weight, bias) = (weights(&x, [6, 4, 3, 3]), weights(&x, [6]));
                let options = DeformConvOptions::new([1, 1], [1, 1], [1, 1], 1, 1);
                module::deform_conv2d(x, offset, weight, Some(mask), Some(bias), options)
            },
        ),
        image("Unfold4d", "Conv Reshape", |x| {
            module::unfold4d(x, [3, 2], UnfoldOptions::new([2, 1], [1, 0], [1, 1]))
        }),
    ]
}

fn pools() -> Vec<Row> {
    vec![
        line("AvgPool1d", "AveragePool", |x| {
            module::avg_pool1d(
                x,
                AvgPoolOptions::new([3]).with_stride([2]).with_padding([1]),
            )
        }),
        image("AvgPool2d", "AveragePool", |x| {
            let options = AvgPoolOptions::new([3, 2]).with_count_include_pad(false);
            module::avg_pool2d(x, options.with_padding([1, 1]))
        }),
        line("MaxPool1d", "MaxPool", |x| {
            module::max_pool1d(x, MaxPoolOptions::new([3]))
        }),
        image("MaxPool2d", "MaxPool", |x| {
            let options = MaxPoolOptions::new([3, 2]).with_stride([2, 1]);
            module::max_pool2d(x, options.with_padding([1, 1]).with_ceil_mode(true))
        }),
        start("MaxPool1dWithIndices", "Mul MaxPool Mod").with(
            &[dims!["n", 4, 12]],
            2,
            |n| distinct([n, 4, 12]),
            |x: Tensor<3>| module::max_pool1d_with_indices(x, MaxPoolOptions::new([3])),
        ),
        start("MaxPool2dWithIndices", "Mul Mul MaxPool Mod").with(
            &[dims!["n", 4, 9, 7]],
            2,
            |n| distinct([n, 4, 9, 7]),
            |x: Tensor<4>| module::max_pool2d_with_indices(x, MaxPoolOptions::new([3, 2])),
        ),
        line("AdaptiveAvgPool1d", "MatMul", |x| {
            module::adaptive_avg_pool1d(x, 5)
        }),
        image("AdaptiveAvgPool2d", "GlobalAveragePool", |x| {
            module::adaptive_avg_pool2d(x, [1, 1])
        }),
        image(
            "AdaptiveAvgPool2d",
            "Transpose MatMul Transpose MatMul",
            |x| module::adaptive_avg_pool2d(x, [4, 3]),
        ),
        volume(
            "AdaptiveAvgPool3d",
            "Transpose MatMul Transpose MatMul Transpose MatMul",
            |x| module::adaptive_avg_pool3d(x, [2, 3, 2]),
        ),
    ]
}

fn others() -> Vec<Row> {
    let heads = || dims!["n", 2, "t", 6];
    type Operands = (Tensor<4>, Tensor<4>, Tensor<4>);
    vec![
        image("BatchNorm", "Abs BatchNormalization", |x| {
            let vector = |x: &Tensor<4>| weights(x, [4]);
            let variance = vector(&x).abs();
            let (mean, gamma) = (vector(&x), vector(&x));
            let beta = vector(&x);
            module::batch_norm(x, gamma, beta, mean, variance, 1e-5)
        }),
        image(
            "LayerNorm",
            "ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul Add; 17: LayerNormalization",
            |x| {
                let (gamma, beta) = (weights(&x, [7]), weights(&x, [7]));
                module::layer_norm(x, gamma, Some(beta), 1e-5)
            },
        ),
        start("Linear", "Gemm").of(
            dims!["n", 6],
            |n| normal([n, 6]),
            |x: Tensor<2>| {
                let (weight, bias) = (weights(&x, [6, 3]), weights(&x, [3]));
                linear(x, weight, bias)
            },
        ),
        line("Linear", "MatMul Add", |x| {
            let (weight, bias) = (weights(&x, [12, 3]), weights(&x, [3]));
            linear(x, weight, bias)
        }),
        start("Embedding", "Gather").with(
            &[dims![10, 4], dims!["n", "t"]],
            1,
            |n| (normal([10, 4]), integers([n, n + 3], 0.0, 9.0)),
            |(table, words): (Tensor<2>, Tensor<2, Int>)| module::embedding(table, words),
        ),
        start(
            "Attention",
            "Transpose MatMul Mul Softmax MatMul; 23: Attention",
        )
        .with(
            &[heads(), heads(), heads()],
            1,
            |n| {
                let heads = || normal([n, 2, n + 8, 6]);
                (heads(), heads(), heads())
            },
            |(query, key, value): Operands| {
                let options = AttentionModuleOptions::default();
                module::attention(query, key, value, None, None, options)
            },
        ),
        image("Interpolate", "Shape Concat Resize", |x| {
            let options = InterpolateOptions::new(InterpolateMode::Bilinear);
            module::interpolate(x, options.with_scale_factor([2.0, 2.0]))
        }),
        image("Interpolate", "Gather Gather", |x| {
            let options = InterpolateOptions::new(InterpolateMode::Nearest);
            module::interpolate(x, options.with_output_size([4, 5]))
        }),
        start("CtcLoss", "476 nodes")
            .with(
                &[dims![8, "n", 5], dims!["n", 3]],
                1,
                |n| (normal([8, n, 5]), integers([n, 3], 1.0, 4.0)),
                |(scores, targets): (Tensor<3>, Tensor<2, Int>)| {
                    let n = targets.dims()[0];
                    let device = scores.device();
                    let lengths = |length: i64| Tensor::<1, Int>::full([n], length, &device);
                    // The device's own width, which Burn's steps have.
                    let targets = targets.cast(lengths(0).dtype());
                    module::ctc_loss(scores, targets, lengths(8), lengths(3), 0)
                },
            )
            .never_recorded("Burn 0.22.1 records its steps in its place"),
    ]
}

pub fn rows() -> Vec<Row> {
    [convolutions(), pools(), others()]
        .into_iter()
        .flatten()
        .collect()
}
