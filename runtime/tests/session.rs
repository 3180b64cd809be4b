//! Models in ONNX Runtime against numbers computed by hand.
#![allow(clippy::unwrap_used)]

mod common;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{floats, int, ints, linear, load_library, metadata, model, node, pairs, value};
use onnx::proto::tensor_shape_proto::dimension::Value::{DimParam, DimValue};
use onnx::proto::{GraphProto, ModelProto};
use runtime::bench::{Effort, measure};
use runtime::{
    ActiveProvider, EvaluateError, Provider, Session, SessionError, SessionOptions, evaluate,
    predict,
};

fn save(folder: &Path, model: &ModelProto) -> PathBuf {
    let path = folder.join("model.onnx");
    onnx::write(&path, model).unwrap();
    path
}

fn open(model: &ModelProto) -> Result<Session, SessionError> {
    let folder = tempfile::tempdir().unwrap();
    let path = save(folder.path(), model);
    let options = SessionOptions {
        provider: Provider::Cpu,
        threads: NonZeroUsize::new(1),
    };
    Session::open(&load_library(), &path, &options)
}

fn batch(size: usize) -> NonZeroUsize {
    NonZeroUsize::new(size).unwrap()
}

/// Two classes: the left pixel is brighter, or the right one.
fn brighter(size: Option<i64>) -> ModelProto {
    linear(size, [1, 1, 2], &[1.0, -1.0, -1.0, 1.0], &[0.0, 0.0])
}

#[test]
fn linear_model_answers_as_computed_by_hand() {
    let weights = [1.0, 2.0, 3.0, -1.0, 0.5, 0.0];
    let mut session = open(&linear(None, [1, 1, 2], &weights, &[0.25, 0.0, -1.0])).unwrap();
    assert_eq!(session.provider(), ActiveProvider::Cpu);
    let logits = session.run(&[1.0, 0.0, 2.0, 4.0], [2, 1, 1, 2]).unwrap();
    assert_eq!(logits.classes(), 3);
    let rows: Vec<_> = logits.rows().collect();
    assert_eq!(rows, [[1.25, 2.0, 2.0], [-1.75, 6.0, 5.0]]);
}

#[test]
fn convolution_answers_as_computed_by_hand() {
    // A 2×2 kernel over a 3×3 image, then the mean of the four results.
    let mut convolution = node("Conv", &["image", "kernel"], "map");
    convolution.attribute = vec![ints("kernel_shape", &[2, 2])];
    let batch = || DimParam("n".to_owned());
    let model = model(GraphProto {
        name: "convolution".to_owned(),
        node: vec![
            convolution,
            node("GlobalAveragePool", &["map"], "mean"),
            node("Flatten", &["mean"], "logits"),
        ],
        initializer: vec![floats(
            "kernel",
            &[2, 1, 2, 2],
            &[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, -1.0, 0.0],
        )],
        input: vec![value(
            "image",
            vec![batch(), DimValue(1), DimValue(3), DimValue(3)],
        )],
        output: vec![value("logits", vec![batch(), DimValue(2)])],
        ..Default::default()
    });
    let image: Vec<f32> = (1_u8..=9).map(f32::from).collect();
    let logits = open(&model).unwrap().run(&image, [1, 1, 3, 3]).unwrap();
    // Diagonals 1+5, 2+6, 4+8, 5+9; anti-diagonals 2-4, 3-5, 5-7, 6-8.
    assert_eq!(logits.values(), [10.0, -2.0]);
}

#[test]
fn logits_are_taken_by_name_among_several_outputs() {
    let mut model = brighter(None);
    let graph = model.graph.as_mut().unwrap();
    graph
        .node
        .push(node("Softmax", &["logits"], "probabilities"));
    let batch = DimParam("batch".to_owned());
    graph
        .output
        .insert(0, value("probabilities", vec![batch, DimValue(2)]));
    let logits = open(&model)
        .unwrap()
        .run(&[3.0, 1.0], [1, 1, 1, 2])
        .unwrap();
    assert_eq!(logits.values(), [2.0, -2.0]);
}

/// As most models of other programs end.
#[test]
fn logits_of_a_softmax_are_its_logarithm() {
    let with_softmax = |axis: Option<i64>| {
        let mut model = brighter(None);
        let graph = model.graph.as_mut().unwrap();
        graph.node[1].output = vec!["scores".to_owned()];
        let mut softmax = node("Softmax", &["scores"], "logits");
        softmax.attribute = axis.map(|axis| int("axis", axis)).into_iter().collect();
        graph.node.push(softmax);
        open(&model).unwrap()
    };
    let split = pairs(vec![255, 0, 255, 0, 0, 255], vec![0, 1, 1]);
    let metadata = metadata("pairs", [1, 1, 2], &["left", "right"]);
    let plain = evaluate(
        &mut open(&brighter(None)).unwrap(),
        &metadata,
        &split,
        batch(2),
    )
    .unwrap();
    for axis in [None, Some(-1), Some(1)] {
        let mut session = with_softmax(axis);
        let found = evaluate(&mut session, &metadata, &split, batch(2)).unwrap();
        assert_eq!(found.predictions, plain.predictions);
        assert!(
            (found.loss - plain.loss).abs() < 1e-6,
            "{} {}",
            found.loss,
            plain.loss
        );
        let [of_plain, of_softmax] = [open(&brighter(None)).unwrap(), with_softmax(axis)]
            .map(|mut session| predict(&mut session, &metadata, split.images(), batch(3)).unwrap());
        for (plain, found) in of_plain.iter().zip(&of_softmax) {
            let [plain, found] = [plain, found].map(|prediction| &prediction.ranking[0]);
            assert_eq!(plain.class, found.class);
            assert!((plain.probability - found.probability).abs() < 1e-6);
        }
        // Logits ±100: the smaller part is 0 in 32 bits.
        let logits = session.run(&[100.0, 0.0], [1, 1, 1, 2]).unwrap();
        assert_eq!(logits.values(), [0.0, f32::from_bits(1).ln()]);
    }
    // Over the images, it tells nothing of the classes.
    let logits = with_softmax(Some(0))
        .run(&[3.0, 1.0], [1, 1, 1, 2])
        .unwrap();
    assert_eq!(logits.values(), [1.0, 1.0]);
}

#[test]
fn evaluation_counts_as_computed_by_hand() {
    let mut session = open(&brighter(None)).unwrap();
    // Left, left, right brighter; the second is labelled as right.
    let split = pairs(vec![255, 0, 255, 0, 0, 255], vec![0, 1, 1]);
    let metadata = metadata("pairs", [1, 1, 2], &["left", "right"]);
    let evaluation = evaluate(&mut session, &metadata, &split, batch(2)).unwrap();
    assert_eq!((evaluation.correct, evaluation.total), (2, 3));
    assert_eq!(evaluation.predictions, [0, 0, 1]);
    assert_eq!(evaluation.confusion.rows(), [[1, 0], [1, 1]]);
    // Logits ±1: a hit costs ln(1 + e^-2), the miss ln(1 + e^2).
    let hit = (-2.0_f64).exp().ln_1p();
    let expected = (2.0 * hit + (2.0 + hit)) / 3.0;
    assert!((evaluation.loss - expected).abs() < 1e-12);
}

#[test]
fn model_of_a_fixed_batch_size_evaluates_any_number_of_images() {
    let split = pairs(vec![255, 0, 255, 0, 0, 255], vec![0, 1, 1]);
    let metadata = metadata("pairs", [1, 1, 2], &["left", "right"]);
    for size in [1, 2, 5] {
        let mut session = open(&brighter(Some(size))).unwrap();
        let evaluation = evaluate(&mut session, &metadata, &split, batch(256)).unwrap();
        assert_eq!(evaluation.predictions, [0, 0, 1], "batches of {size}");
    }
}

#[test]
fn batch_that_would_fill_the_memory_is_refused() {
    let split = pairs(vec![255, 0], vec![1]);
    let metadata = metadata("pairs", [1, 1, 2], &["left", "right"]);
    for size in [1 << 29, 1 << 40, 1 << 60, i64::MAX] {
        let mut session = open(&brighter(Some(size))).unwrap();
        let error = evaluate(&mut session, &metadata, &split, batch(1)).unwrap_err();
        assert!(
            error.to_string().contains("more than 536870912 values"),
            "{error}"
        );
        let error = predict(&mut session, &metadata, split.images(), batch(1)).unwrap_err();
        assert!(
            matches!(error, EvaluateError::Session(SessionError::Batch { .. })),
            "{error}"
        );
    }
    let mut session = open(&brighter(None)).unwrap();
    let effort = Effort {
        warmup: 0,
        runs: batch(1),
        limit: Duration::ZERO,
    };
    let error = measure(&mut session, [1, 1, 2], batch(1 << 62), effort).unwrap_err();
    assert!(matches!(error, SessionError::Batch { .. }), "{error}");
    // As many at once as one likes, where there are not as many.
    predict(&mut session, &metadata, split.images(), batch(usize::MAX)).unwrap();
}

/// ONNX Runtime takes a file with these bytes in their place for one in a
/// format of its own.
#[test]
fn model_is_always_read_as_onnx() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = brighter(None);
    let start = [&[0x08, model.ir_version as u8, 0x12, 4][..], b"ORTM"].concat();
    (model.ir_version, model.producer_name) = (0, String::new());
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, [start, onnx::encode(&model)].concat()).unwrap();
    let options = SessionOptions::default();
    Session::open(&load_library(), &path, &options).unwrap();
}

#[test]
fn images_and_classes_that_do_not_fit_are_rejected() {
    let mut session = open(&brighter(None)).unwrap();
    let split = pairs(vec![255, 0], vec![1]);
    let mut refuse = |input, classes: &[&str]| {
        let metadata = metadata("pairs", input, classes);
        evaluate(&mut session, &metadata, &split, batch(1)).unwrap_err()
    };
    let error = refuse([1, 2, 2], &["left", "right"]);
    assert!(matches!(error, EvaluateError::ImageShape { .. }), "{error}");
    let error = refuse([1, 1, 2], &["left", "right", "neither"]);
    assert!(
        matches!(error, EvaluateError::Classes { found: 2, .. }),
        "{error}"
    );
    let error = refuse([1, 1, 2], &["left"]);
    assert!(
        matches!(error, EvaluateError::Label { label: 1, .. }),
        "{error}"
    );
}

#[test]
fn answer_that_is_no_number_is_rejected() {
    const INF: f32 = f32::INFINITY;
    let metadata = metadata("pairs", [1, 1, 2], &["left", "right"]);
    let split = pairs(vec![255, 0], vec![1]);
    let answer = |bias| {
        let mut session = open(&linear(None, [1, 1, 2], &[0.0; 4], bias)).unwrap();
        let predictions = predict(&mut session, &metadata, split.images(), batch(1));
        let evaluation = evaluate(&mut session, &metadata, &split, batch(1));
        (predictions, evaluation)
    };
    for bias in [&[f32::NAN, 0.0], &[0.0, f32::NAN], &[0.0, INF], &[-INF; 2]] {
        let (predictions, evaluation) = answer(bias);
        for error in [predictions.unwrap_err(), evaluation.unwrap_err()] {
            let refused = matches!(error, EvaluateError::NotFinite { image: 0 });
            assert!(refused, "{bias:?}: {error}");
        }
    }
    // A class may be impossible.
    let (predictions, evaluation) = answer(&[-INF, 0.0]);
    assert_eq!(predictions.unwrap()[0].ranking[0].class, "right");
    assert_eq!(evaluation.unwrap().loss, 0.0);
}

#[test]
fn values_that_do_not_make_up_the_shape_are_rejected() {
    let mut session = open(&brighter(None)).unwrap();
    for shape in [[2, 1, 1, 2], [usize::MAX, 4, 1, 1]] {
        let error = session.run(&[0.0; 3], shape).unwrap_err();
        assert!(matches!(error, SessionError::Input { .. }), "{error}");
    }
    let error = session.run(&[0.0; 3], [1, 1, 1, 3]).unwrap_err();
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("image size") && !hint.contains("--provider cpu"),
        "{hint}"
    );
    // A GPU may have too little memory.
    let SessionError::Run {
        path,
        shape,
        source,
        ..
    } = error
    else {
        panic!("{error}");
    };
    let provider = ActiveProvider::Cuda;
    let error = SessionError::Run {
        path,
        shape,
        provider,
        source,
    };
    let hint = error.hint().unwrap();
    for text in ["image size", "--batch", "--provider cpu"] {
        assert!(hint.contains(text), "{hint}");
    }
}

#[test]
fn image_shape_is_that_of_the_input() {
    assert_eq!(
        open(&brighter(None)).unwrap().image_shape().unwrap(),
        [1, 1, 2]
    );
    let mut model = brighter(None);
    let open_side = || DimParam("side".to_owned());
    let sides = vec![open_side(), DimValue(1), open_side(), DimValue(2)];
    model.graph.as_mut().unwrap().input = vec![value("image", sides)];
    let error = open(&model).unwrap().image_shape().unwrap_err();
    assert!(matches!(error, SessionError::Size { .. }), "{error}");
    assert!(
        error.to_string().ends_with("has the shape [?, 1, ?, 2]"),
        "{error}"
    );
    assert!(error.hint().is_some());
}

#[test]
fn model_that_is_no_image_classifier_is_rejected() {
    let mut model = brighter(None);
    let graph = model.graph.as_mut().unwrap();
    graph.input[0] = value("image", vec![DimParam("n".to_owned()), DimValue(2)]);
    let error = open(&model).unwrap_err();
    assert!(
        matches!(error, SessionError::NotAClassifier { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("`image`"), "{error}");
}

#[test]
fn model_that_onnx_runtime_refuses_is_an_error_with_its_reason() {
    let mut model = brighter(None);
    model.graph.as_mut().unwrap().node[1].op_type = "NoSuchOperator".to_owned();
    let error = open(&model).unwrap_err();
    let SessionError::Load { source, .. } = &error else {
        panic!("{error}");
    };
    assert!(source.to_string().contains("NoSuchOperator"), "{source}");
    let (library, hint) = (load_library(), error.hint().unwrap());
    let path = library.path().to_str().unwrap();
    for text in [
        library.version(),
        path,
        "pip install --upgrade",
        "--ort-lib",
    ] {
        assert!(hint.contains(text), "no `{text}` in: {hint}");
    }
}

#[test]
fn cuda_is_an_error_or_really_runs_and_auto_never_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(folder.path(), &brighter(None));
    let open = |provider| {
        let options = SessionOptions {
            provider,
            threads: None,
        };
        Session::open(&load_library(), &path, &options)
    };
    let auto = open(Provider::Auto).unwrap();
    match open(Provider::Cuda) {
        Ok(session) => {
            assert_eq!(session.provider(), ActiveProvider::Cuda);
            assert_eq!(auto.provider(), ActiveProvider::Cuda);
        }
        Err(error) => {
            assert!(matches!(error, SessionError::Cuda { .. }), "{error}");
            assert!(error.hint().unwrap().contains("runtime setup"));
            assert_eq!(auto.provider(), ActiveProvider::Cpu);
        }
    }
}
