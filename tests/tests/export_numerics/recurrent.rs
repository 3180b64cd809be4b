//! Recurrent layers, at batches and lengths that were not recorded.

use burn::module::Module;
use burn::nn::activation::ActivationConfig;
use burn::nn::{
    BiGruConfig, BiLstmConfig, BiRnnConfig, GruConfig, LstmConfig, LstmState, RnnConfig, RnnState,
};
use burn::tensor::{Device, Tensor};
use exporter::{Dim, ExportError, Exporter, OnnxModel, Warning, dims};

use tests::export::{case, normal};

fn sequence() -> Vec<Dim> {
    dims!["n", "t", 6]
}

/// Lengths of 1, 13 and 73.
fn sequences(n: usize) -> Tensor<3> {
    normal([n, n * n - n + 1, 6])
}

/// As [`sequences`], with the length first.
fn columns(n: usize) -> Tensor<3> {
    sequences(n).swap_dims(0, 1)
}

/// With ReLU, states grow from step to step, and what was rounded with them.
fn tolerance(activation: &str) -> f64 {
    if activation == "relu" { 1e-4 } else { 1e-5 }
}

/// The sequence of hidden states, and the last states.
fn with_states(names: &[&str]) -> Exporter {
    let exporter = Exporter::new().input("x", sequence()).output("y");
    names
        .iter()
        .fold(exporter, |exporter, name| exporter.output(*name))
}

#[test]
fn lstms_match_burn() {
    let device = Device::flex();
    let config = LstmConfig::new(6, 8, true);
    let variants = [
        ("plain", config.clone()),
        ("no bias", LstmConfig::new(6, 8, false)),
        ("reverse", config.clone().with_reverse(true)),
        ("coupled", config.clone().with_input_forget(true)),
        (
            "relu",
            config.clone().with_cell_activation(ActivationConfig::Relu),
        ),
    ];
    for (name, config) in variants {
        let layer = config.init(&device);
        let exporter = with_states(&["h", "c"]);
        let case = case(name).within(tolerance(name));
        case.check(exporter, &layer, sequences, |layer, x: Tensor<3>| {
            let (states, last) = layer.forward(x, None);
            (states, last.hidden, last.cell)
        });
    }
    let layer = config.with_batch_first(false).init(&device);
    case("columns").module(dims!["t", "n", 6], &layer, columns, |layer, x| {
        layer.forward(x, None).0
    });
}

#[test]
fn grus_match_burn() {
    let device = Device::flex();
    let config = GruConfig::new(6, 8, true);
    let variants = [
        ("reset after", config.clone()),
        ("reset before", config.clone().with_reset_after(false)),
        ("no bias", GruConfig::new(6, 8, false)),
        (
            "relu",
            config.with_hidden_activation(ActivationConfig::Relu),
        ),
    ];
    for (name, config) in variants {
        let layer = config.init(&device);
        let case = case(name).within(tolerance(name));
        case.module(sequence(), &layer, sequences, |layer, x| {
            layer.forward(x, None)
        });
    }
}

#[test]
fn plain_recurrent_layers_match_burn() {
    let device = Device::flex();
    let config = RnnConfig::new(6, 8, true);
    for config in [config.clone(), config.with_reverse(true)] {
        let layer = config.init(&device);
        let exporter = with_states(&["h"]);
        case("rnn").check(exporter, &layer, sequences, |layer, x: Tensor<3>| {
            let (states, last) = layer.forward(x, None);
            (states, last.hidden)
        });
    }
}

#[test]
fn both_directions_match_burn() {
    let device = Device::flex();
    let lstm = BiLstmConfig::new(6, 8, true).init(&device);
    let exporter = with_states(&["h", "c"]);
    case("lstm").check(exporter, &lstm, sequences, |layer, x: Tensor<3>| {
        let (states, last) = layer.forward(x, None);
        (states, last.hidden, last.cell)
    });
    let gru = BiGruConfig::new(6, 8, true).with_batch_first(false);
    let gru = gru.init(&device);
    let exporter = Exporter::new().input("x", dims!["t", "n", 6]);
    let exporter = exporter.output("y").output("h");
    case("gru").check(exporter, &gru, columns, |layer, x: Tensor<3>| {
        layer.forward(x, None)
    });
    let rnn = BiRnnConfig::new(6, 8, true).init(&device);
    case("rnn").module(sequence(), &rnn, sequences, |layer, x| {
        layer.forward(x, None).0
    });
}

#[test]
fn initial_states_match_burn() {
    let device = Device::flex();
    let exporter = |rank: usize| {
        let state = if rank == 2 {
            dims!["n", 8]
        } else {
            dims![2, "n", 8]
        };
        let exporter = Exporter::new().input("x", sequence());
        exporter.input("state", state).output("y").output("last")
    };
    let state = |n: usize| (sequences(n), normal([n, 8]));
    let lstm = LstmConfig::new(6, 8, true).init(&device);
    case("lstm").check(
        exporter(2),
        &lstm,
        state,
        |layer, (x, h): (Tensor<3>, Tensor<2>)| {
            let state = LstmState::new(h.clone() * 0.5, h);
            let (states, last) = layer.forward(x, Some(state));
            (states, last.cell)
        },
    );
    let rnn = RnnConfig::new(6, 8, true).init(&device);
    case("rnn").check(
        exporter(2),
        &rnn,
        state,
        |layer, (x, h): (Tensor<3>, Tensor<2>)| {
            let (states, last) = layer.forward(x, Some(RnnState::new(h)));
            (states, last.hidden)
        },
    );
    let both = |n: usize| (sequences(n), normal([2, n, 8]));
    let gru = BiGruConfig::new(6, 8, true).init(&device);
    case("gru").check(
        exporter(3),
        &gru,
        both,
        |layer, (x, h): (Tensor<3>, Tensor<3>)| layer.forward(x, Some(h)),
    );
}

fn export<M: Module>(
    length: impl Into<Dim>,
    layer: &M,
    forward: impl Fn(&M, Tensor<3>) -> Tensor<3>,
) -> Result<OnnxModel, ExportError> {
    let exporter = Exporter::new().input("x", dims!["n", length.into(), 6]);
    exporter.output("y").export(layer, forward)
}

#[test]
fn layers_on_layers_match_burn() {
    let device = Device::flex();
    let layers = (
        BiLstmConfig::new(6, 8, true).init(&device),
        GruConfig::new(16, 4, true).init(&device),
    );
    case("stack").module(sequence(), &layers, sequences, |(first, second), x| {
        let (states, _) = first.forward(x, None);
        second.forward(states, None)
    });
    let relu = BiLstmConfig::new(6, 8, false)
        .with_cell_activation(ActivationConfig::Relu)
        .with_input_forget(true)
        .init(&device);
    case("both, coupled").within(tolerance("relu")).module(
        sequence(),
        &relu,
        sequences,
        |layer, x| layer.forward(x, None).1.hidden,
    );
}

#[test]
fn a_layer_is_one_operator() {
    let layer = LstmConfig::new(6, 8, true).init(&Device::flex());
    let model = export("t", &layer, |layer, x| layer.forward(x, None).0).unwrap();
    let operators = model.summary().operators.into_iter().collect::<Vec<_>>();
    let expected = [("LSTM", 1), ("Squeeze", 1), ("Transpose", 2)];
    assert_eq!(
        operators,
        expected.map(|(name, count)| (name.to_owned(), count))
    );
    let both = BiLstmConfig::new(6, 8, true).init(&Device::flex());
    let model = export("t", &both, |layer, x| {
        let (states, last) = layer.forward(x, None);
        states + last.cell.sum_dim(2).sum_dim(0).swap_dims(0, 1)
    });
    let operators = model.unwrap().summary().operators;
    assert_eq!(operators["LSTM"], 1);
    assert!(
        !operators.contains_key("Gather"),
        "states are stacked already"
    );
    let columns = LstmConfig::new(6, 8, true).with_batch_first(false);
    let columns = columns.init(&Device::flex());
    let model = export("t", &columns, |layer, x| layer.forward(x, None).0).unwrap();
    assert!(!model.summary().operators.contains_key("Transpose"));
}

#[test]
fn a_cell_that_onnx_lacks_is_written_step_by_step_and_says_so() {
    let device = Device::flex();
    let layer = LstmConfig::new(6, 8, true)
        .with_clip(Some(0.1))
        .init(&device);
    let inputs = |n| normal([n, 5, 6]);
    case("clip").module(dims!["n", 5, 6], &layer, inputs, |layer, x| {
        layer.forward(x, None).0
    });
    let model = export(5, &layer, |layer, x| layer.forward(x, None).0).unwrap();
    let [Warning::Unrolled { steps: 5, .. }] = model.warnings() else {
        panic!("{:?}", model.warnings());
    };
    let error = export("t", &layer, |layer, x| layer.forward(x, None).0).unwrap_err();
    assert!(matches!(error, ExportError::Diverged { .. }), "{error}");
}
