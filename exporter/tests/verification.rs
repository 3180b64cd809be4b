//! What `verify` gives an engine, and what it says of its answers.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeSet;

use burn::nn::Relu;
use burn::tensor::{Int, Tensor};
use exporter::{Exporter, OnnxModel, RunnerError, Samples, VerifyError, dims};
use onnx::proto::TensorProto;

/// `max(x, 0)` with a symbolic batch and width.
fn relu() -> OnnxModel {
    let exporter = Exporter::new().input("x", dims!["batch", "width"]);
    exporter.output("y").export(&Relu::new(), forward).unwrap()
}

fn forward(relu: &Relu, x: Tensor<2>) -> Tensor<2> {
    relu.forward(x)
}

/// An engine that computes `max(x, 0)`, and `wrong` instead at one position.
fn engine(
    inputs: Vec<TensorProto>,
    wrong: Option<(usize, f32)>,
) -> Result<Vec<TensorProto>, RunnerError> {
    let mut tensor = inputs.into_iter().next().ok_or("no input")?;
    let (elements, _) = tensor.raw_data.as_chunks::<4>();
    let elements = elements.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let mut answers: Vec<f32> = elements.map(|x| x.max(0.0)).collect();
    if let Some((position, value)) = wrong {
        answers[position] = value;
    }
    let bytes = answers.into_iter().flat_map(f32::to_le_bytes);
    tensor.raw_data = bytes.collect::<Vec<u8>>().into();
    Ok(vec![tensor])
}

#[test]
fn an_engine_is_asked_at_sizes_that_were_never_recorded() {
    let mut shapes = BTreeSet::new();
    let mut inputs = BTreeSet::new();
    let mut runner = |tensors: Vec<TensorProto>| {
        assert_eq!(tensors[0].name, "x");
        shapes.insert(tensors[0].dims.clone());
        inputs.insert(tensors[0].raw_data.clone());
        engine(tensors, None)
    };
    let samples = Samples::new().seeds(0..5);
    let verified = relu().verify(&Relu::new(), forward, &mut runner, &samples);
    let verified = verified.unwrap();
    assert_eq!(verified.outputs[0].absolute.difference, 0.0);
    assert!(verified.outputs[0].scale > 0.5, "nothing was computed");
    assert_eq!((shapes.len(), inputs.len()), (5, 5));
    let recorded = [2, 3, 5, 7, 27, 288, 29, 34];
    assert!(shapes.iter().flatten().all(|size| !recorded.contains(size)));
    assert!(shapes.iter().any(|shape| shape[0] == 1));
    assert!(shapes.iter().any(|shape| shape[1] > 200));
}

#[test]
fn large_inputs_are_recorded_and_verified_at_small_sizes() {
    let lengths = RefCell::new(BTreeSet::new());
    let forward = |relu: &Relu, frames: Tensor<5>| {
        lengths.borrow_mut().insert(frames.dims()[1]);
        relu.forward(frames)
    };
    let exporter = Exporter::new().input("x", dims!["batch", "length", 3, 64, 64]);
    let model = exporter.output("y").export(&Relu::new(), forward).unwrap();
    let mut runner = |tensors| engine(tensors, None);
    let verified = model.verify(&Relu::new(), forward, &mut runner, &Samples::new());
    verified.unwrap();
    assert!(lengths.into_inner().iter().all(|length| *length < 50));
}

#[test]
fn a_wrong_element_is_an_error_that_names_it() {
    let mut runner = |tensors| engine(tensors, Some((5, 7.5)));
    let samples = Samples::new()
        .seeds([3])
        .sizes("batch", [2])
        .sizes("width", [4]);
    let error = relu().verify(&Relu::new(), forward, &mut runner, &samples);
    let VerifyError::Different { verification, .. } = error.unwrap_err() else {
        panic!("another error");
    };
    let worst = &verification.outputs[0].absolute;
    assert_eq!(worst.element, [1, 1]);
    assert_eq!(worst.found, 7.5);
    assert_eq!(worst.sample, "batch = 2, width = 4, seed 3");
    let text = verification.to_string();
    assert!(text.contains("at [1, 1] (7.5 instead of"), "{text}");
    let lenient = samples.tolerance(10.0);
    let accepted = relu().verify(&Relu::new(), forward, &mut runner, &lenient);
    assert_eq!(accepted.unwrap(), verification);
}

#[test]
fn a_wrong_shape_is_an_error() {
    let mut runner = |tensors| {
        let mut outputs = engine(tensors, None)?;
        outputs[0].dims.reverse();
        Ok(outputs)
    };
    let samples = Samples::new().sizes("batch", [2]).sizes("width", [4]);
    let error = relu().verify(&Relu::new(), forward, &mut runner, &samples);
    assert_eq!(
        error.unwrap_err().to_string(),
        "output `y` is Float[4, 2] with batch = 2, width = 4, seed 0, but float[2, 4] in Burn"
    );
}

#[test]
fn integers_are_drawn_from_the_range_of_a_table() {
    let exporter = Exporter::new().input("tokens", dims!["n"]).output("same");
    let forward = |_: &Relu, tokens: Tensor<1, Int>| tokens.add_scalar(0);
    let model = exporter.export(&Relu::new(), forward).unwrap();
    let mut seen = BTreeSet::new();
    let mut runner = |tensors: Vec<TensorProto>| {
        let (elements, _) = tensors[0].raw_data.as_chunks::<8>();
        seen.extend(elements.iter().map(|bytes| i64::from_le_bytes(*bytes)));
        Ok::<_, RunnerError>(tensors)
    };
    let samples = Samples::new().range("tokens", 3.0, 6.0).sizes("n", [50]);
    model
        .verify(&Relu::new(), forward, &mut runner, &samples)
        .unwrap();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
}
