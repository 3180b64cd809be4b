//! The operations that a function records.

use std::collections::BTreeSet;

use burn::backend::ir::OperationIr;
use burn::module::Module;
use burn::tensor::{Device, TensorData};
use exporter::{Inputs, Outputs};

/// Records a function on sample inputs, as the exporter does.
pub fn record<M: Module, I: Inputs, O: Outputs>(
    module: &M,
    samples: Vec<TensorData>,
    forward: impl Fn(&M, I) -> O,
) -> Vec<OperationIr> {
    let device = Device::capture();
    let captured = device.capture_scope(|scope| {
        let module = module.valid().to_device(&device);
        let inputs = I::create(&mut samples.into_iter(), &device);
        let ids = inputs.ids().unwrap();
        let outputs = forward(&module, inputs).ids().into_iter();
        let outputs: BTreeSet<_> = outputs.map(Result::unwrap).collect();
        scope.complete(ids, outputs)
    });
    captured.unwrap().graph.operations
}
