//! Models as files.

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use exporter::{Exporter, Samples, dims};
use runtime::TensorSession;

#[test]
fn weights_beside_the_model_are_found_by_onnx_runtime() {
    let layer: Linear = LinearConfig::new(64, 32).init(&Device::flex());
    let forward = |layer: &Linear, x: Tensor<2>| layer.forward(x);
    let exporter = Exporter::new().input("x", dims!["n", 64]).output("y");
    let model = exporter.export(&layer, forward).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("linear.onnx");
    model.save_with_external_data(&path).unwrap();

    let library = runtime::library::load(None).unwrap();
    let mut session = TensorSession::open(&library, &path).unwrap();
    let verified = model.verify(&layer, forward, &mut session, &Samples::new());
    assert!(verified.unwrap().outputs[0].scale > 0.1);
}
