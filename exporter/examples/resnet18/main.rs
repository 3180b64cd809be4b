//! Exports ResNet-18 for images of any size, in batches of any size:
//! `cargo run --release -p exporter --example resnet18 -- resnet18.onnx`
//!
//! A real program would load weights before it exports.

use burn::tensor::{Device, Tensor};
use exporter::{Exporter, dims};
use network::ResNet18;

mod network;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("where to write the model?")?;
    let network = ResNet18::new(1000, &Device::flex());
    let model = Exporter::new()
        .input("image", dims!["batch", 3, "height", "width"])
        .sizes("height", [64, 96, 160, 224])
        .sizes("width", [128, 192, 256, 288])
        .output("logits")
        .export(&network, |network, images: Tensor<4>| {
            network.forward(images)
        })?;
    model.save(&path)?;
    println!("{}", model.summary());
    for warning in model.warnings() {
        eprintln!("{warning}");
    }
    Ok(())
}
