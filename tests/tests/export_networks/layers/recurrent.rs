//! Recurrent layers, of sequences of any length.

use burn::nn::{BiGruConfig, BiLstmConfig, BiRnnConfig, GruConfig, LstmConfig, RnnConfig};
use burn::tensor::{Device, Tensor};
use exporter::dims;
use tests::export::{Case, normal};

use super::{check, layer};

/// A layer that takes [n, t, 6].
macro_rules! of {
    ($name:literal, $config:ident, $forward:expr) => {
        layer(
            $name,
            dims!["n", "t", 6],
            $config::new(6, 8, true).init(&Device::flex()),
            |n| normal([n, 3 * n + 1, 6]),
            $forward,
        )
    };
}

pub fn layers() -> Vec<Case<'static>> {
    vec![
        of!("BiGru", BiGruConfig, |layer, x: Tensor<3>| layer
            .forward(x, None)
            .0),
        of!("BiLstm", BiLstmConfig, |layer, x: Tensor<3>| layer
            .forward(x, None)
            .0),
        of!("BiRnn", BiRnnConfig, |layer, x: Tensor<3>| layer
            .forward(x, None)
            .0),
        of!("Gru", GruConfig, |layer, x: Tensor<3>| layer
            .forward(x, None)),
        of!("Lstm", LstmConfig, |layer, x: Tensor<3>| layer
            .forward(x, None)
            .0),
        of!("Rnn", RnnConfig, |layer, x: Tensor<3>| layer
            .forward(x, None)
            .0),
    ]
}

#[test]
fn recurrent_layers_match_burn() {
    check(layers());
}
