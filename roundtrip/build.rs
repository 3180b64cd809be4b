//! Exports each network and has burn-onnx write Burn code from the file.

use std::env;
use std::path::PathBuf;

use burn::tensor::{Int, Tensor};
use burn_onnx::ModelGen;
use exporter::{ExportError, Exporter, OnnxModel, dims};
use networks::{Autoencoder, Classifier, Reader};

#[path = "src/networks.rs"]
mod networks;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=src/networks.rs");
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    let mut generator = ModelGen::new();
    for (name, model) in [
        ("classifier", classifier()?),
        ("autoencoder", autoencoder()?),
        ("reader", reader()?),
    ] {
        let path = folder.join(format!("{name}.onnx"));
        model.save(&path)?;
        generator.input(&path.display().to_string());
    }
    generator.out_dir("generated/").run_from_script();
    Ok(())
}

fn classifier() -> Result<OnnxModel, ExportError> {
    Exporter::new()
        .input("image", dims!["batch", 3, 16, 16])
        .output("scores")
        .export(&Classifier::default(), |network, x: Tensor<4>| {
            network.forward(x)
        })
}

fn autoencoder() -> Result<OnnxModel, ExportError> {
    Exporter::new()
        .input("image", dims!["batch", 1, 8, 8])
        .output("again")
        .export(&Autoencoder::default(), |network, x: Tensor<4>| {
            network.forward(x)
        })
}

fn reader() -> Result<OnnxModel, ExportError> {
    Exporter::new()
        .input("words", dims!["batch", "length"])
        .output("scores")
        .export(&Reader::default(), |network, x: Tensor<2, Int>| {
            network.forward(x)
        })
}
