//! ResNet-18, as PyTorch's exporter is measured by.

#![allow(clippy::unwrap_used)]

use burn::tensor::{Device, Tensor};
use exporter::{Exporter, dims};
use network::ResNet18;

#[path = "../examples/resnet18/network.rs"]
mod network;

/// PyTorch writes torchvision's with 49 nodes: these, with `Flatten`.
#[test]
fn resnet_18_has_no_more_nodes_than_from_pytorch() {
    let network = ResNet18::new(1000, &Device::flex());
    let model = Exporter::new()
        .input("image", dims!["batch", 3, 224, 224])
        .output("logits")
        .export(&network, |network, x: Tensor<4>| network.forward(x))
        .unwrap();
    let operators = model.summary().operators;
    let found: Vec<(&str, usize)> = operators
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    let expected = [
        ("Add", 8),
        ("Conv", 20),
        ("Gemm", 1),
        ("GlobalAveragePool", 1),
        ("MaxPool", 1),
        ("Relu", 17),
        ("Reshape", 1),
    ];
    assert_eq!(found, expected);
}
