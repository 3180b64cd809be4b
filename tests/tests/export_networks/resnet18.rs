//! ResNet-18, for images of any size.

use burn::tensor::{Device, Tensor};
use exporter::{Exporter, dims};
use tests::export::{network, normal, trained};

#[path = "../../../exporter/examples/resnet18/network.rs"]
mod network_of_example;

use network_of_example::ResNet18;

#[test]
fn resnet18_matches_burn() {
    let resnet = trained(ResNet18::new(10, &Device::flex()));
    let images = |n: usize| normal([n, 3, 32 + 16 * n, 48]);
    let exporter = Exporter::new()
        .input("image", dims!["batch", 3, "height", "width"])
        .sizes("height", [64, 96, 160, 224])
        .sizes("width", [128, 192, 256, 288])
        .output("logits");
    let case = network("ResNet-18").opsets(&[18, 26]).at(&[1, 4]);
    case.check(exporter, &resnet, images, |resnet, x: Tensor<4>| {
        resnet.forward(x)
    });
}
