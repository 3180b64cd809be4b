//! Attention and transformers.

use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig, generate_autoregressive_mask};
use burn::nn::transformer::{TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{PositionalEncodingConfig, Relu, RotaryEncodingConfig};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor, module};
use exporter::{Dim, Exporter, dims};

use tests::export::{case, normal};

fn sequence() -> Vec<Dim> {
    dims!["n", "t", 12]
}

fn sequences(n: usize) -> Tensor<3> {
    normal([n, n + 20, 12])
}

#[test]
fn scaled_dot_products_match_burn() {
    let causal = AttentionModuleOptions {
        is_causal: true,
        ..Default::default()
    };
    let capped = AttentionModuleOptions {
        softcap: Some(2.0),
        scale: Some(0.3),
        is_causal: false,
    };
    for options in [AttentionModuleOptions::default(), causal, capped] {
        let exporter = Exporter::new()
            .input("query", dims!["n", 2, "t", 6])
            .input("key", dims!["n", 2, "s", 6])
            .input("value", dims!["n", 2, "s", 6])
            .output("y");
        let inputs = |n: usize| {
            let keys = || normal([n, 2, n + 9, 6]);
            (normal([n, 2, n + 8, 6]), keys(), keys())
        };
        type Operands = (Tensor<4>, Tensor<4>, Tensor<4>);
        let name = format!("{options:?}");
        case(name).check(
            exporter,
            &Relu::new(),
            inputs,
            |_, (query, key, value): Operands| {
                module::attention(query, key, value, None, None, options)
            },
        );
    }
}

#[test]
fn multi_head_attention_matches_burn() {
    let layer = MultiHeadAttentionConfig::new(12, 3).init(&Device::flex());
    case("context").module(sequence(), &layer, sequences, |layer, x| {
        layer.forward(MhaInput::self_attn(x)).context
    });
    case("causal").module(sequence(), &layer, sequences, |layer, x| {
        let [n, t, _] = x.dims();
        let mask = generate_autoregressive_mask(n, t, &x.device());
        layer
            .forward(MhaInput::self_attn(x).mask_attn(mask))
            .context
    });
}

#[test]
fn encoders_match_burn() {
    let device = Device::flex();
    for first in [false, true] {
        let layer = TransformerEncoderConfig::new(12, 24, 3, 2).with_norm_first(first);
        let layer = layer.init(&device);
        case("encoder").module(sequence(), &layer, sequences, |layer, x| {
            layer.forward(TransformerEncoderInput::new(x))
        });
    }
    let positions = PositionalEncodingConfig::new(12)
        .with_max_sequence_size(50)
        .init(&device);
    case("positions").module(sequence(), &positions, sequences, |layer, x| {
        layer.forward(x)
    });
    let rotary = RotaryEncodingConfig::new(50, 6).init(&device);
    let heads = |n: usize| normal([n, 2, n + 8, 6]);
    case("rotary").module(dims!["n", 2, "t", 6], &rotary, heads, |layer, x| {
        layer.forward(x)
    });
}
