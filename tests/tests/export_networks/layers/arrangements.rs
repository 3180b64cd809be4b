//! Layers that choose, arrange and compare: linear and lookup layers, windows,
//! sizes and distances.

use burn::nn::interpolate::{Interpolate1dConfig, Interpolate2dConfig, InterpolateMode};
use burn::nn::{
    CosineSimilarityConfig, DropoutConfig, EmbeddingConfig, Fold4dConfig, GaussianNoiseConfig,
    Identity, LinearConfig, PairwiseDistanceConfig, PixelShuffleConfig, PixelUnshuffleConfig,
    Unfold4dConfig,
};
use burn::tensor::{Device, Int, Tensor};
use exporter::dims;
use tests::export::{Case, integers, normal};

use super::{check, layer, layer_of};

pub fn layers() -> Vec<Case<'static>> {
    [linear(), images(), distances()]
        .into_iter()
        .flatten()
        .collect()
}

fn linear() -> Vec<Case<'static>> {
    let device = Device::flex();
    let rows = |n| normal([n, 6]);
    let dims = || dims!["n", 6];
    let words = |n: usize| integers([n, n + 8], 0.0, 19.0);
    vec![
        layer(
            "Linear",
            dims(),
            LinearConfig::new(6, 8).init(&device),
            rows,
            |layer, x| layer.forward(x),
        ),
        layer(
            "Dropout",
            dims(),
            DropoutConfig::new(0.5).init(),
            rows,
            |layer, x| layer.forward(x) * 2.0,
        ),
        layer(
            "GaussianNoise",
            dims(),
            GaussianNoiseConfig::new(0.5).init(),
            rows,
            |layer, x| layer.forward(x) * 2.0,
        ),
        layer("Identity", dims(), Identity::new(), rows, |layer, x| {
            layer.forward(x)
        }),
        layer_of(
            "Embedding",
            &[dims!["n", "t"]],
            EmbeddingConfig::new(20, 6).init(&device),
            words,
            |layer, words: Tensor<2, Int>| layer.forward(words),
        ),
    ]
}

fn images() -> Vec<Case<'static>> {
    let unfold = Unfold4dConfig::new([3, 2]).with_stride([2, 1]).init();
    let fold = Fold4dConfig::new([9, 11], [3, 2])
        .with_stride([1, 1])
        .init();
    let line = Interpolate1dConfig::new().with_output_size(Some(5));
    let plane = Interpolate2dConfig::new().with_scale_factor(Some([2.0, 1.5]));
    vec![
        layer(
            "Unfold4d",
            dims!["n", 4, 9, 7],
            unfold,
            |n| normal([n, 4, 9, 7]),
            |layer, x| layer.forward(x),
        ),
        layer(
            "Fold4d",
            dims!["n", 24, 70],
            fold,
            |n| normal([n, 24, 70]),
            |layer, x| layer.forward(x),
        ),
        layer(
            "PixelShuffle",
            dims!["n", 8, 3, 5],
            PixelShuffleConfig::new(2).init(),
            |n| normal([n, 8, 3, 5]),
            |layer, x| layer.forward(x),
        ),
        layer(
            "PixelUnshuffle",
            dims!["n", 2, 6, 4],
            PixelUnshuffleConfig::new(2).init(),
            |n| normal([n, 2, 6, 4]),
            |layer, x| layer.forward(x),
        ),
        layer(
            "Interpolate1d",
            dims!["n", 2, 9],
            line.with_mode(InterpolateMode::Linear).init(),
            |n| normal([n, 2, 9]),
            |layer, x| layer.forward(x),
        ),
        layer(
            "Interpolate2d",
            dims!["n", 2, 8, 6],
            plane.with_mode(InterpolateMode::Cubic).init(),
            |n| normal([n, 2, 8, 6]),
            |layer, x| layer.forward(x),
        ),
    ]
}

fn distances() -> Vec<Case<'static>> {
    let pair = [dims!["n", 6], dims!["n", 6]];
    let pairs = |n| (normal([n, 6]), normal([n, 6]));
    type Pair = (Tensor<2>, Tensor<2>);
    vec![
        layer_of(
            "CosineSimilarity",
            &pair,
            CosineSimilarityConfig::new().init(),
            pairs,
            |layer, (a, b): Pair| layer.forward(a, b),
        ),
        layer_of(
            "PairwiseDistance",
            &pair,
            PairwiseDistanceConfig::new().init(),
            pairs,
            |layer, (a, b): Pair| layer.forward(a, b),
        ),
    ]
}

#[test]
fn arrangements_match_burn() {
    check(layers());
}
