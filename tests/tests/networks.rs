//! The built-in networks in Burn and in ONNX Runtime.
#![allow(clippy::unwrap_used)]

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use exporter::{Exporter, dims};
use models::Network;
use runtime::{Session, SessionOptions, library};
use tests::onnx_runtime;

/// Batch sizes of the comparison; none is that of the capture.
const BATCHES: [usize; 3] = [1, 5, 33];

/// The largest difference between two logits, over all of [`BATCHES`].
fn difference(network: &Network, [channels, height, width]: [usize; 3]) -> f32 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.onnx");
    let model = Exporter::new()
        .input("image", dims!["batch", channels, height, width])
        .output("logits")
        .export(network, |network, images: Tensor<4>| {
            network.forward(images)
        })
        .unwrap();
    model.save(&path).unwrap();

    let library = library::load(Some(onnx_runtime())).unwrap();
    let mut session = Session::open(&library, &path, &SessionOptions::default()).unwrap();
    let differences = BATCHES.map(|batch| {
        let shape = [batch, channels, height, width];
        let normal = Distribution::Normal(0.0, 1.0);
        let images = Tensor::<4>::random(shape, normal, &Device::flex());
        let pixels: Vec<f32> = images.to_data().try_to_vec().unwrap();
        let burn: Vec<f32> = network.forward(images).into_data().try_to_vec().unwrap();
        let onnx = session.run(&pixels, shape).unwrap();
        assert_eq!(onnx.values().len(), burn.len());
        let pairs = burn.iter().zip(onnx.values());
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    });
    differences.into_iter().fold(0.0, f32::max)
}

#[test]
fn grouped_and_dilated_convolutions_answer_in_onnx_runtime_as_in_burn() {
    let spec: models::ModelSpec = serde_saphyr::from_str(
        "layers:
- conv2d: { channels: 8, kernel: 3, padding: same, dilation: [2, 3] }
- conv2d: { channels: 8, kernel: 3, padding: same, stride: 2, groups: 8, bias: false }
- batch_norm
- relu
- conv2d: { channels: 12, kernel: [2, 3], groups: 4, dilation: 2, padding: 1 }
- global_avg_pool
- linear: 10
",
    )
    .unwrap();
    for input in [[1, 28, 28], [3, 32, 17]] {
        let architecture = spec.resolve(input).unwrap();
        let network = architecture.init(&Device::flex()).valid();
        assert!(difference(&network, input) < 1e-4, "{input:?}");
    }
}

#[test]
fn built_in_networks_answer_in_onnx_runtime_as_in_burn() {
    for models::BuiltIn { name, .. } in models::BUILT_IN {
        for input in [[1, 28, 28], [3, 32, 32]] {
            let spec = models::built_in(name).unwrap();
            let Ok(architecture) = spec.resolve(input) else {
                panic!("{name} takes no images of {input:?}");
            };
            let network = architecture.init(&Device::flex()).valid();
            let difference = difference(&network, input);
            assert!(difference < 1e-4, "{name} at {input:?}: {difference}");
        }
    }
}
