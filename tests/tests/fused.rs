//! The built-in networks with and without the fused kernels.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use dataset::{Normalization, Part, Split};
use exporter::{Exporter, dims};
use kernels::{Operation, cross_entropy, fused_calls, set_enabled};
use models::{Architecture, ModelSpec, Network};
use tests::fixture;
use trainer::{Batches, Optimizer};

/// The switch and the counter are the process's; tests take turns.
static SWITCH: Mutex<()> = Mutex::new(());

/// That of the tutorials that train by plain gradient descent.
const RATE: f64 = 0.01;
const STEPS: usize = 50;
/// Two epochs of the fixture's 600 images.
const BATCH: usize = 24;

/// Runs `action` with or without the fused kernels, and makes sure of it.
fn with_kernels<T>(fused: bool, action: impl FnOnce() -> T) -> T {
    let before = fused_calls(Operation::Conv2d);
    set_enabled(fused);
    let result = action();
    set_enabled(true);
    assert_eq!(fused_calls(Operation::Conv2d) > before, fused);
    result
}

/// The loss of each of the first steps.
fn losses(architecture: &Architecture, network: Network, images: &Arc<Split>) -> Vec<f32> {
    let device = Device::flex().autodiff();
    let members = (0..images.images().len() as u32).collect();
    let normalization = Normalization::unit(1);
    let batches =
        Batches::new(Arc::clone(images), members, normalization, BATCH, device).shuffled(1);
    assert_eq!(architecture.input(), images.images().image_shape());
    let mut network = network;
    // Weights are drawn when they are first used; then dropout begins.
    let _ = network.forward(Tensor::zeros([1, 1, 28, 28], &Device::flex().autodiff()));
    Device::flex().seed(1);
    let mut optimizer = Optimizer::Sgd(Default::default()).init();
    let epochs = [1, 2].into_iter().flat_map(|epoch| {
        batches.set_epoch(epoch);
        batches.iter().collect::<Vec<_>>()
    });
    epochs
        .map(|batch| {
            let batch = batch.unwrap();
            let logits = network.forward(batch.images);
            let loss = cross_entropy(logits, batch.targets, 0.0).mean();
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = optimizer.step(RATE, network.clone(), gradients);
            loss.into_scalar()
        })
        .collect()
}

const INPUT: [usize; 3] = [1, 28, 28];

fn networks() -> impl Iterator<Item = (&'static str, Architecture)> {
    let networks = models::BUILT_IN.into_iter();
    networks.map(|network| (network.name, network.spec().resolve(INPUT).unwrap()))
}

/// Networks whose training does not enlarge what is rounded off: the built-in ones but for the
/// twenty layers of `resnet-cifar`, and one with batch normalisation.
fn steady_networks() -> impl Iterator<Item = (&'static str, Architecture)> {
    let spec: ModelSpec = serde_saphyr::from_str(NORMALIZED).unwrap();
    networks()
        .filter(|(name, _)| *name != "resnet-cifar")
        .chain([("normalized", spec.resolve(INPUT).unwrap())])
}

const NORMALIZED: &str = "
layers:
  - conv2d: { channels: 8, kernel: 3, stride: 2, bias: false }
  - batch_norm
  - relu
  - residual:
      body:
        - conv2d: { channels: 8, kernel: 3, padding: 1 }
        - batch_norm
  - relu
  - global_avg_pool
  - linear: 10
";

#[test]
fn training_goes_the_same_way_with_and_without_the_fused_kernels() {
    let _turn = SWITCH.lock().unwrap();
    let classes = 10;
    let images = Arc::new(dataset::load_split(&fixture(), Part::Train, classes).unwrap());
    let device = Device::flex();
    for (name, architecture) in steady_networks() {
        device.seed(1);
        let network = architecture.init(&device.clone().autodiff()).materialize();
        let fused = with_kernels(true, || losses(&architecture, network.clone(), &images));
        let plain = with_kernels(false, || losses(&architecture, network, &images));
        assert_eq!(fused.len(), STEPS);
        for (step, (fused, plain)) in fused.iter().zip(&plain).enumerate() {
            let difference = (fused - plain).abs();
            assert!(
                difference < 1e-4,
                "{name}, step {step}: {fused}, not {plain}"
            );
        }
    }
}

#[test]
fn the_exported_bytes_are_the_same_with_and_without_the_fused_kernels() {
    let _turn = SWITCH.lock().unwrap();
    for (name, architecture) in networks() {
        let network = architecture.init(&Device::flex()).valid();
        let bytes = |fused| {
            set_enabled(fused);
            let forward = |network: &Network, images: Tensor<4>| network.forward(images);
            let exporter = Exporter::new().input("image", dims!["batch", 1, 28, 28]);
            let model = exporter.output("logits").export(&network, forward).unwrap();
            set_enabled(true);
            model.to_bytes()
        };
        assert!(
            bytes(true) == bytes(false),
            "{name} is exported in two ways"
        );
    }
}
