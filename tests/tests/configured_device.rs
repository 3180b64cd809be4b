//! Modules on a device whose floats have other than 32 bits. A device is configured
//! once, before its first tensor, and so in a process of its own.

#![allow(clippy::unwrap_used)]

use burn::nn::{Linear, LinearConfig, Lstm, LstmConfig};
use burn::tensor::{DType, Device, FloatDType, Tensor};
use exporter::{Exporter, Samples, dims};
use tests::export::engine::session;

#[test]
fn new_tensors_have_the_float_type_of_the_modules_device() {
    let mut device = Device::flex();
    device.configure(FloatDType::F64).unwrap();

    let layer = LinearConfig::new(3, 4).init(&device);
    let forward = |layer: &Linear, x: Tensor<2>| {
        let ones = Tensor::<2>::ones([x.dims()[0], 4], &x.device());
        layer.forward(x) + ones
    };
    let exporter = Exporter::new().input_of("x", dims!["n", 3], DType::F64);
    let model = exporter.output("y").export(&layer, forward).unwrap();
    let mut session = session(&model.to_bytes()).unwrap();
    let samples = Samples::new().tolerance(1e-9);
    let verified = model.verify(&layer, forward, &mut session, &samples);
    assert!(verified.unwrap().outputs[0].scale > 0.0);

    // Burn starts from states of 0.
    let layer = LstmConfig::new(3, 4, true).init(&device);
    let exporter = Exporter::new().input_of("x", dims!["n", "t", 3], DType::F64);
    let model = exporter
        .output("y")
        .export(&layer, |layer: &Lstm, x| layer.forward(x, None).0);
    let nodes = model.unwrap().model().graph.clone().unwrap().node;
    assert!(nodes.iter().any(|node| node.op_type == "LSTM"));
}
