//! Attention, transformers and encodings of positions.

use burn::nn::attention::{CrossAttentionConfig, MhaInput, MultiHeadAttentionConfig};
use burn::nn::transformer::{
    PositionWiseFeedForwardConfig, TransformerDecoderConfig, TransformerDecoderInput,
    TransformerEncoderConfig, TransformerEncoderInput, TransformerEncoderLayer,
};
use burn::nn::{PositionalEncodingConfig, RotaryEncodingConfig};
use burn::tensor::{Device, Tensor};
use exporter::dims;
use tests::export::{Case, normal};

use super::{check, layer, layer_of};

fn sequences(n: usize) -> Tensor<3> {
    normal([n, n + 20, 12])
}

type Pair = (Tensor<3>, Tensor<3>);

fn pairs(n: usize) -> Pair {
    (sequences(n), normal([n, n + 30, 12]))
}

pub fn layers() -> Vec<Case<'static>> {
    let device = Device::flex();
    let dims = || dims!["n", "t", 12];
    let two = [dims!["n", "t", 12], dims!["n", "s", 12]];
    let positions = PositionalEncodingConfig::new(12).with_max_sequence_size(400);
    vec![
        layer(
            "MultiHeadAttention",
            dims(),
            MultiHeadAttentionConfig::new(12, 3).init(&device),
            sequences,
            |layer, x| layer.forward(MhaInput::self_attn(x)).context,
        ),
        layer_of(
            "CrossAttention",
            &two,
            CrossAttentionConfig::new(12, 12, 4, 2, 3).init(&device),
            pairs,
            |layer, (query, context): Pair| layer.forward(query, context, None),
        ),
        layer(
            "PositionWiseFeedForward",
            dims(),
            PositionWiseFeedForwardConfig::new(12, 24).init(&device),
            sequences,
            |layer, x| layer.forward(x),
        ),
        layer(
            "TransformerEncoder",
            dims(),
            TransformerEncoderConfig::new(12, 24, 3, 2).init(&device),
            sequences,
            |layer, x| layer.forward(TransformerEncoderInput::new(x)),
        ),
        layer(
            "TransformerEncoderLayer",
            dims(),
            TransformerEncoderLayer::new(&TransformerEncoderConfig::new(12, 24, 3, 1), &device),
            sequences,
            |layer, x| layer.forward(x, None, None),
        ),
        layer_of(
            "TransformerDecoder",
            &two,
            TransformerDecoderConfig::new(12, 24, 3, 2).init(&device),
            pairs,
            |layer, (x, memory): Pair| layer.forward(TransformerDecoderInput::new(x, memory)),
        ),
        layer(
            "PositionalEncoding",
            dims(),
            positions.init(&device),
            sequences,
            |layer, x| layer.forward(x),
        ),
        layer(
            "RotaryEncoding",
            dims!["n", 2, "t", 6],
            RotaryEncodingConfig::new(400, 6).init(&device),
            |n| normal([n, 2, n + 8, 6]),
            |layer, x: Tensor<4>| layer.forward(x),
        ),
    ]
}

#[test]
fn attention_matches_burn() {
    check(layers());
}
