//! The same module gives the same bytes, and is left as it was.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation};
use exporter::{Exporter, OnnxModel, dims};

#[derive(Module, Debug)]
struct Network {
    conv: Conv2d,
    norm: BatchNorm,
    head: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        let constant = |value| Initializer::Constant { value };
        Self {
            conv: Conv2dConfig::new([1, 3], [3, 3])
                .with_initializer(constant(0.1))
                .init(device),
            norm: BatchNormConfig::new(3).init(device),
            head: LinearConfig::new(3 * 36, 5)
                .with_initializer(constant(0.2))
                .init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = activation::gelu(self.norm.forward(self.conv.forward(x)));
        self.head.forward(x.flatten::<2>(1, 3))
    }
}

fn export(network: &Network) -> OnnxModel {
    Exporter::new()
        .input("image", dims!["batch", 1, 8, 8])
        .output("logits")
        .export(network, |network: &Network, x: Tensor<4>| {
            network.forward(x)
        })
        .unwrap()
}

/// FNV-1a, so that a child process has little to print.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn two_exports_give_the_same_bytes() {
    let network = Network::new(&Device::flex());
    assert_eq!(export(&network).to_bytes(), export(&network).to_bytes());
}

#[test]
fn two_processes_give_the_same_bytes() {
    let own = digest(&export(&Network::new(&Device::flex())).to_bytes());
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "print_the_digest", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let printed = String::from_utf8(child.stdout).unwrap();
    assert!(printed.contains(&format!("digest {own}")), "{printed}");
}

#[test]
#[ignore = "run by `two_processes_give_the_same_bytes`"]
fn print_the_digest() {
    // Other tensors first, so that ids differ from the parent's.
    let _ = export(&Network::new(&Device::flex()));
    println!(
        "digest {}",
        digest(&export(&Network::new(&Device::flex())).to_bytes())
    );
}

#[test]
fn the_module_trains_on_as_if_it_had_not_been_exported() {
    let step = |network: &Network, device: &Device| {
        let x = Tensor::<4>::ones([2, 1, 8, 8], device);
        network.forward(x).sum().backward();
        network.norm.running_mean.value().into_data()
    };
    let device = Device::flex().autodiff();
    let (plain, exported) = (Network::new(&device), Network::new(&device));
    for _ in 0..2 {
        let expected = step(&plain, &device);
        let found = step(&exported, &device);
        assert_eq!(found, expected);
        let _ = export(&exported);
    }
    assert_ne!(
        exported.norm.running_mean.value().into_data(),
        BatchNormConfig::new(3)
            .init(&device)
            .running_mean
            .value()
            .into_data()
    );
}

#[test]
fn training_and_validation_mode_export_alike() {
    let device = Device::flex();
    let training = Network::new(&device.clone().autodiff());
    assert_eq!(
        export(&training).to_bytes(),
        export(&training.valid()).to_bytes()
    );
}
