//! What an export takes in memory, in a process of its own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, Relu};
use burn::tensor::{Device, Tensor};
use exporter::{Exporter, dims};

/// 32 layers of 1 Mi weights each.
const LAYERS: usize = 32;
const WIDTH: usize = 1024;

#[derive(Module, Debug)]
struct Stack {
    layers: Vec<Linear>,
}

impl Stack {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let layers = self.layers.iter();
        layers.fold(x, |x, layer| Relu::new().forward(layer.forward(x)))
    }
}

/// `VmRSS` or `VmHWM`, the memory now and at its highest, in bytes.
fn memory(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let kibibytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes * 1024.0
}

#[test]
fn an_export_takes_less_than_one_and_a_half_times_the_weights() {
    let device = Device::flex();
    let layer = || LinearConfig::new(WIDTH, WIDTH).init(&device);
    let layers: Vec<Linear> = (0..LAYERS).map(|_| layer()).collect();
    for layer in &layers {
        // They are initialized when they are first read.
        layer.weight.val();
    }
    let stack = Stack { layers };
    let weights = (stack.num_params() * size_of::<f32>()) as f64;
    let folder = tempfile::tempdir().unwrap();
    // From here on the highest is measured anew.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS");

    let exporter = Exporter::new()
        .input("x", dims!["batch", WIDTH])
        .output("y");
    let model = exporter.export(&stack, |stack, x: Tensor<2>| stack.forward(x));
    let model = model.unwrap();
    model.save(folder.path().join("stack.onnx")).unwrap();
    let pair = folder.path().join("pair.onnx");
    model.save_with_external_data(&pair).unwrap();

    let taken = (memory("VmHWM") - before) / weights;
    println!("{taken:.2} times the weights");
    assert!(taken < 1.5, "{taken:.2} times the weights");
    assert!(taken > 0.5, "the measurement is wrong: {taken:.2}");
    assert!(fs::metadata(&pair).unwrap().len() < 1 << 20);
}
