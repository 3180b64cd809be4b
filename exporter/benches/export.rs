//! How long an export takes once the weights are in memory, to the model's
//! bytes: `cargo bench -p exporter`.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::time::Duration;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation};
use criterion::{Criterion, criterion_group, criterion_main};
use exporter::{Exporter, dims};
use network::ResNet18;

#[path = "../examples/resnet18/network.rs"]
mod network;

/// Two 3×3 convolutions and two linear layers, for images of 28×28.
#[derive(Module, Debug)]
struct Small {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    fc1: Linear,
    fc2: Linear,
}

impl Small {
    fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 32], [3, 3]).init(device),
            conv2: Conv2dConfig::new([32, 64], [3, 3]).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            fc1: LinearConfig::new(64 * 5 * 5, 64).init(device),
            fc2: LinearConfig::new(64, 10).init(device),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = activation::relu(self.conv1.forward(images));
        let x = activation::relu(self.conv2.forward(self.pool.forward(x)));
        let x = self.pool.forward(x).flatten::<2>(1, 3);
        self.fc2.forward(activation::relu(self.fc1.forward(x)))
    }
}

fn small(network: &Small) -> Vec<u8> {
    let exporter = Exporter::new().input("image", dims!["batch", 1, 28, 28]);
    let forward = |network: &Small, x: Tensor<4>| network.forward(x);
    let model = exporter.output("logits").export(network, forward);
    model.unwrap().to_bytes()
}

fn resnet18(network: &ResNet18) -> Vec<u8> {
    let exporter = Exporter::new().input("image", dims!["batch", 3, 224, 224]);
    let forward = |network: &ResNet18, x: Tensor<4>| network.forward(x);
    let model = exporter.output("logits").export(network, forward);
    model.unwrap().to_bytes()
}

fn exports(criterion: &mut Criterion) {
    let device = Device::flex();
    let mut group = criterion.benchmark_group("export");
    // Burn has 65,536 capture devices for a process, and an export takes four.
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(2));
    let network = Small::new(&device);
    group.bench_function("cnn-32-64", |bencher| {
        bencher.iter(|| black_box(small(&network)));
    });
    let network = ResNet18::new(1000, &device);
    group.bench_function("resnet18", |bencher| {
        bencher.iter(|| black_box(resnet18(&network)));
    });
    group.finish();
}

criterion_group!(benches, exports);
criterion_main!(benches);
