//! Attention and transformers.

use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig, generate_autoregressive_mask};
use burn::nn::transformer::{TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{PositionalEncoding, PositionalEncodingConfig, Relu, RotaryEncodingConfig};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor, activation, module};
use exporter::{Dim, Exporter, Samples, dims};

use tests::export::engine::session;
use tests::export::{case, normal};

type Operands = (Tensor<4>, Tensor<4>, Tensor<4>);

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
    let [negative, zero] = [-0.3, 0.0].map(|scale| AttentionModuleOptions {
        scale: Some(scale),
        ..Default::default()
    });
    let plain = AttentionModuleOptions::default();
    for options in [plain, causal, capped, negative, zero] {
        check(format!("{options:?}"), ["t", "s"], [8, 9], options);
    }
}

/// Checks attention of `n + queries` queries to `n + keys` keys.
fn check(
    name: impl Into<String>,
    symbols: [&str; 2],
    [queries, keys]: [usize; 2],
    options: AttentionModuleOptions,
) {
    let exporter = Exporter::new()
        .input("query", dims!["n", 2, symbols[0], 6])
        .input("key", dims!["n", 2, symbols[1], 6])
        .input("value", dims!["n", 2, symbols[1], 6])
        .output("y");
    let inputs = |n: usize| {
        let keys = || normal([n, 2, n + keys, 6]);
        (normal([n, 2, n + queries, 6]), keys(), keys())
    };
    case(name).check(
        exporter,
        &Relu::new(),
        inputs,
        |_, (query, key, value): Operands| {
            module::attention(query, key, value, None, None, options)
        },
    );
}

#[test]
fn heads_that_share_keys_match_burn() {
    let causal = AttentionModuleOptions {
        is_causal: true,
        ..Default::default()
    };
    let negative = AttentionModuleOptions {
        scale: Some(-0.3),
        ..Default::default()
    };
    let plain = AttentionModuleOptions::default();
    for (shared, options, masked) in [
        (1, plain, false),
        (2, plain, false),
        (2, plain, true),
        (2, causal, false),
        (2, negative, false),
    ] {
        let exporter = Exporter::new()
            .input("query", dims!["n", 6, "t", 5])
            .input("key", dims!["n", shared, "s", 5])
            .input("value", dims!["n", shared, "s", 4])
            .output("y");
        let inputs = |n: usize| {
            let keys = |size| normal([n, shared, n + 9, size]);
            (normal([n, 6, n + 8, 5]), keys(5), keys(4))
        };
        let name = format!("{shared} heads of 6, {options:?}, masked {masked}");
        case(name).check(
            exporter,
            &Relu::new(),
            inputs,
            |_, (query, key, value): Operands| {
                let products = query
                    .clone()
                    .matmul(key.clone().mean_dim(1).swap_dims(2, 3));
                let mask = masked.then(|| products.greater_scalar(1.0));
                module::attention(query, key, value, mask, None, options)
            },
        );
    }
}

#[test]
fn queries_that_see_no_key_attend_to_nothing() {
    let causal = AttentionModuleOptions {
        is_causal: true,
        ..Default::default()
    };
    check("more queries than keys", ["t", "s"], [12, 8], causal);
    check("as many", ["t", "t"], [8, 8], causal);
    for sizes in [[9, 5], [5, 9], [5, 5]] {
        let [queries, keys] = sizes;
        let inputs = |n| normal([n, 2, queries, 6]);
        let name = format!("{sizes:?}");
        case(name).of(dims!["n", 2, queries, 6], inputs, |x: Tensor<4>| {
            let keys = Tensor::ones([x.dims()[0], 2, keys, 6], &x.device());
            module::attention(x, keys.clone(), keys, None, None, causal)
        });
    }
}

#[test]
fn attention_that_is_written_out_matches_burn_for_any_scale() {
    for scale in [0.4, -0.4] {
        let inputs = |n: usize| normal([n, 2, n + 8, 6]);
        let name = format!("scaled by {scale}");
        case(name).of(dims!["n", 2, "t", 6], inputs, |x: Tensor<4>| {
            let products = x.clone().matmul(x.clone().swap_dims(2, 3)) * scale;
            activation::softmax(products, 3).matmul(x)
        });
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
        .with_max_sequence_size(400)
        .init(&device);
    case("positions").module(sequence(), &positions, sequences, |layer, x| {
        layer.forward(x)
    });
    let rotary = RotaryEncodingConfig::new(400, 6).init(&device);
    let heads = |n: usize| normal([n, 2, n + 8, 6]);
    case("rotary").module(dims!["n", 2, "t", 6], &rotary, heads, |layer, x| {
        layer.forward(x)
    });
}

#[test]
fn a_table_of_positions_is_recorded_and_verified_up_to_its_end() {
    let config = PositionalEncodingConfig::new(12).with_max_sequence_size(64);
    let table = config.init(&Device::flex());
    let forward = |table: &PositionalEncoding, x: Tensor<3>| table.forward(x);
    let exporter = Exporter::new().input("x", sequence()).output("y");
    let refused = exporter.export(&table, forward).unwrap_err().to_string();
    let expected = "`forward` panicked with n = 2, t = 288: ";
    assert!(refused.starts_with(expected), "{refused}");

    let exporter = exporter.sizes("t", [10, 20, 40, 64]);
    let model = exporter.export(&table, forward).unwrap();
    let mut session = session(&model.to_bytes()).unwrap();
    let samples = Samples::new().seeds(0..6);
    let verified = model.verify(&table, forward, &mut session, &samples);
    assert!(verified.unwrap().outputs[0].scale > 1.0);
}
