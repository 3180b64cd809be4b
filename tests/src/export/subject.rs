//! What a case is about, whatever the types of its tensors.

use std::marker::PhantomData;

use burn::backend::ir::OperationIr;
use burn::module::Module;
use burn::tensor::{DType, TensorData};
use exporter::{ExportError, Exporter, Inputs, OnnxModel, Opset, Outputs};

use super::data::Data;
use super::record::record;

/// A model, or why there is none.
pub type Exported = Result<OnnxModel, Box<ExportError>>;

/// A function that can be exported and computed by Burn. With an element type,
/// its inputs are cast to that first and its outputs back at last.
pub trait Subject {
    /// The function as ONNX.
    fn export(&self, opset: Opset, elements: Option<DType>) -> Exported;

    /// Random inputs of a size, and Burn's outputs.
    fn answer(&self, size: usize, elements: Option<DType>) -> [Vec<TensorData>; 2];

    /// The operations that it records.
    fn record(&self) -> Vec<OperationIr>;
}

/// A function of a module that takes `I` and returns `O`.
pub struct Function<M, I, O, N, F> {
    exporter: Exporter,
    module: M,
    inputs: N,
    forward: F,
    types: PhantomData<(I, O)>,
}

impl<M, I, O, N, F> Function<M, I, O, N, F>
where
    I: Data,
    O: Data,
    N: Fn(usize) -> I,
    F: Fn(&M, I) -> O,
{
    /// `inputs` gives the inputs of a size.
    pub fn new(exporter: Exporter, module: M, inputs: N, forward: F) -> Self {
        Self {
            exporter,
            module,
            inputs,
            forward,
            types: PhantomData,
        }
    }

    fn in_elements(&self, elements: Option<DType>) -> impl Fn(&M, I) -> O {
        move |module, inputs| match elements {
            None => (self.forward)(module, inputs),
            Some(dtype) => {
                let outputs = (self.forward)(module, inputs.retyped(dtype));
                outputs.retyped(DType::F32).retyped(DType::I64)
            }
        }
    }
}

impl<M, I, O, N, F> Subject for Function<M, I, O, N, F>
where
    M: Module,
    I: Inputs + Data,
    O: Outputs + Data,
    N: Fn(usize) -> I,
    F: Fn(&M, I) -> O,
{
    fn export(&self, opset: Opset, elements: Option<DType>) -> Exported {
        let exporter = self.exporter.clone().opset(opset);
        exporter
            .export(&self.module, self.in_elements(elements))
            .map_err(Box::new)
    }

    fn answer(&self, size: usize, elements: Option<DType>) -> [Vec<TensorData>; 2] {
        let inputs = (self.inputs)(size);
        let outputs = self.in_elements(elements)(&self.module, inputs.clone());
        [inputs.data(), outputs.data()]
    }

    fn record(&self) -> Vec<OperationIr> {
        let samples = (self.inputs)(2).data();
        record(&self.module, samples, &self.forward)
    }
}
