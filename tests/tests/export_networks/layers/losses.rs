//! Losses, of a batch of any size.

use burn::nn::loss::{
    BinaryCrossEntropyLossConfig, CTCLossConfig, CosineEmbeddingLossConfig, CrossEntropyLossConfig,
    GaussianNLLLossConfig, HingeEmbeddingLossConfig, HuberLossConfig, KLDivLossConfig,
    LpLossConfig, MarginRankingLossConfig, MseLoss, MultiMarginLossConfig, RNNTLossConfig,
    Reduction, SmoothL1LossConfig, SoftMarginLoss, TripletMarginLossConfig,
};
use burn::tensor::{Device, Int, Tensor, activation};
use exporter::dims;
use tests::export::{Case, integers, normal, uniform};

use super::{check, layer_of};

type Pair = (Tensor<2>, Tensor<2>);
type Labelled = (Tensor<2>, Tensor<1, Int>);

fn pairs(n: usize) -> Pair {
    (uniform([n, 6], 0.1, 2.0), uniform([n, 6], 0.1, 2.0))
}

fn labelled(n: usize) -> Labelled {
    (normal([n, 6]), integers([n], 0.0, 5.9))
}

/// 1 and -1.
fn signs<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    normal(shape).sign()
}

/// A loss of predictions and targets, both [n, 6].
macro_rules! of_pairs {
    ($name:literal, $loss:expr, |$layer:ident, $x:ident, $y:ident| $body:expr) => {
        layer_of(
            $name,
            &[dims!["n", 6], dims!["n", 6]],
            $loss,
            pairs,
            |$layer, ($x, $y): Pair| $body,
        )
    };
}

/// A loss of scores, [n, 6], and classes, [n].
macro_rules! of_classes {
    ($name:literal, $loss:expr, |$layer:ident, $x:ident, $y:ident| $body:expr) => {
        layer_of(
            $name,
            &[dims!["n", 6], dims!["n"]],
            $loss,
            labelled,
            |$layer, ($x, $y): Labelled| $body,
        )
    };
}

pub fn layers() -> Vec<Case<'static>> {
    [elementwise(), by_class(), of_embeddings(), of_sequences()]
        .into_iter()
        .flatten()
        .collect()
}

fn elementwise() -> Vec<Case<'static>> {
    vec![
        of_pairs!(
            "HuberLoss",
            HuberLossConfig::new(0.5).init(),
            |loss, x, y| { loss.forward(x, y, Reduction::Mean) }
        ),
        of_pairs!("KLDivLoss", KLDivLossConfig::new().init(), |loss, x, y| {
            loss.forward(x, y, Reduction::Mean)
        }),
        of_pairs!("LpLoss", LpLossConfig::new(1.5).init(), |loss, x, y| {
            loss.forward(x, y, Reduction::Mean)
        }),
        of_pairs!("MseLoss", MseLoss::new(), |loss, x, y| loss.forward(
            x,
            y,
            Reduction::Mean
        )),
        of_pairs!(
            "SmoothL1Loss",
            SmoothL1LossConfig::new().init(),
            |loss, x, y| { loss.forward(x, y) }
        ),
        layer_of(
            "GaussianNLLLoss",
            &[dims!["n", 6], dims!["n", 6], dims!["n", 6]],
            GaussianNLLLossConfig::new().init(),
            |n| (normal([n, 6]), normal([n, 6]), uniform([n, 6], 0.1, 2.0)),
            |loss, (x, y, variance): (Tensor<2>, Tensor<2>, Tensor<2>)| {
                loss.forward(x, y, variance, Reduction::Mean)
            },
        ),
    ]
}

fn by_class() -> Vec<Case<'static>> {
    let device = Device::flex();
    let bits = |n| (normal([n, 6]), integers([n, 6], 0.0, 1.9));
    let marked = |n| (normal([n, 6]), signs([n, 6]));
    vec![
        of_classes!(
            "CrossEntropyLoss",
            CrossEntropyLossConfig::new().init(&device),
            |loss, x, y| { loss.forward(x, y) }
        ),
        of_classes!(
            "MultiMarginLoss",
            MultiMarginLossConfig::new().init(),
            |loss, x, y| { loss.forward(x, y, Reduction::Mean) }
        ),
        layer_of(
            "BinaryCrossEntropyLoss",
            &[dims!["n", 6], dims!["n", 6]],
            BinaryCrossEntropyLossConfig::new()
                .with_logits(true)
                .init(&device),
            bits,
            |loss, (x, y): (Tensor<2>, Tensor<2, Int>)| loss.forward(x, y),
        ),
        layer_of(
            "SoftMarginLoss",
            &[dims!["n", 6], dims!["n", 6]],
            SoftMarginLoss::new(),
            marked,
            |loss, (x, y): Pair| loss.forward(x, y, Reduction::Mean),
        ),
        layer_of(
            "HingeEmbeddingLoss",
            &[dims!["n", 6], dims!["n", 6]],
            HingeEmbeddingLossConfig::new().init(),
            marked,
            |loss, (x, y): Pair| loss.forward(x, y, Reduction::Mean),
        ),
    ]
}

fn of_embeddings() -> Vec<Case<'static>> {
    let three = [dims!["n", 6], dims!["n", 6], dims!["n", 6]];
    type Three = (Tensor<2>, Tensor<2>, Tensor<2>);
    vec![
        layer_of(
            "CosineEmbeddingLoss",
            &[dims!["n", 6], dims!["n", 6], dims!["n"]],
            CosineEmbeddingLossConfig::new().init(),
            |n| {
                (
                    normal([n, 6]),
                    normal([n, 6]),
                    integers([n], 0.0, 1.9) * 2 - 1,
                )
            },
            |loss, (x, y, same): (Tensor<2>, Tensor<2>, Tensor<1, Int>)| {
                loss.forward_no_reduction(x, y, same)
            },
        ),
        layer_of(
            "MarginRankingLoss",
            &three,
            MarginRankingLossConfig::new().with_margin(0.2).init(),
            |n| (normal([n, 6]), normal([n, 6]), signs([n, 6])),
            |loss, (x, y, sign): Three| loss.forward(x, y, sign, Reduction::Mean),
        ),
        layer_of(
            "TripletMarginLoss",
            &three,
            TripletMarginLossConfig::new().init(),
            |n| (normal([n, 6]), normal([n, 6]), normal([n, 6])),
            |loss, (anchor, near, far): Three| loss.forward(anchor, near, far, Reduction::Mean),
        ),
    ]
}

/// Lengths that are the same for all, on the device of the tensors.
fn lengths(targets: &Tensor<2, Int>, length: i64) -> Tensor<1, Int> {
    let n = targets.dims()[0];
    Tensor::<1, Int>::full([n], length, &targets.device())
}

fn of_sequences() -> Vec<Case<'static>> {
    vec![
        layer_of(
            "CTCLoss",
            &[dims![8, "n", 5], dims!["n", 3]],
            CTCLossConfig::new().init(),
            |n| (normal([8, n, 5]), integers([n, 3], 1.0, 4.9)),
            |loss, (scores, targets): (Tensor<3>, Tensor<2, Int>)| {
                let scores = activation::log_softmax(scores, 2);
                let (steps, marks) = (lengths(&targets, 8), lengths(&targets, 3));
                loss.forward(scores, targets.cast(steps.dtype()), steps, marks)
            },
        ),
        layer_of(
            "RNNTLoss",
            &[dims!["n", 6, 4, 5], dims!["n", 3]],
            RNNTLossConfig::new().init(),
            |n| (normal([n, 6, 4, 5]), integers([n, 3], 1.0, 4.9)),
            |loss, (scores, targets): (Tensor<4>, Tensor<2, Int>)| {
                let (steps, marks) = (lengths(&targets, 6), lengths(&targets, 3));
                loss.forward(scores, targets.cast(steps.dtype()), steps, marks)
            },
        ),
    ]
}

#[test]
fn losses_match_burn() {
    check(layers());
}
