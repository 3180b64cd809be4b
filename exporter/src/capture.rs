//! Recording what `forward` does, without computing anything.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::capture::{CaptureBackend, CapturedGraph, TensorId};
use burn::backend::ir::OperationIr;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::boundary::{Inputs, Outputs, output_ids};
use crate::error::ExportError;
use crate::weights::Weights;

/// One recording of `forward`.
pub(crate) struct Capture {
    /// In execution order, `Init` and `Drop` left out.
    pub operations: Vec<OperationIr>,
    pub inputs: Vec<TensorId>,
    /// As `forward` returned them; the same tensor may come twice.
    pub outputs: Vec<TensorId>,
    /// Parameters, other constants and the inputs' samples.
    pub values: BTreeMap<TensorId, TensorData>,
    pub parameters: BTreeMap<TensorId, Parameter>,
}

/// A module's parameter or buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// `layer1.0.conv.weight`
    pub path: String,
    /// Equal for parameters that are tied.
    pub id: ParamId,
}

/// Records `forward` on sample inputs; `sizes` describes these in errors.
pub(crate) fn capture<M: Module, I: Inputs, O: Outputs>(
    module: &M,
    weights: &Weights,
    samples: Vec<TensorData>,
    forward: &impl Fn(&M, I) -> O,
    sizes: &str,
) -> Result<Capture, ExportError> {
    // `valid` first: a module that trains cannot be moved to a capture device,
    // and a BatchNorm's clone shares its running statistics with the original,
    // which the move would leave on the closed device.
    let module = module.valid();
    let recorded = catch_unwind(AssertUnwindSafe(|| {
        record(module, weights, samples, forward)
    }));
    recorded.unwrap_or_else(|panic| {
        Err(ExportError::Panicked {
            sizes: sizes.to_owned(),
            message: panic_message(panic.as_ref()),
        })
    })
}

/// What one scope yields besides the graph.
struct Boundary {
    inputs: Vec<TensorId>,
    outputs: Vec<TensorId>,
    parameters: BTreeMap<TensorId, Parameter>,
}

fn record<M: Module, I: Inputs, O: Outputs>(
    module: M,
    weights: &Weights,
    samples: Vec<TensorData>,
    forward: &impl Fn(&M, I) -> O,
) -> Result<Capture, ExportError> {
    // A device of its own: tensors that were moved to an earlier scope of the
    // same device would be found closed.
    let device = Device::capture();
    let mut boundary = None;
    let captured = device.capture_scope(|scope| {
        let traced = configure(&mut device.clone(), &module).and_then(|()| {
            let module = weights.place(module, &device);
            trace(module, samples, forward, &device)
        });
        let (inputs, outputs) = match &traced {
            Ok(traced) => (traced.inputs.clone(), distinct(&traced.outputs)),
            Err(_) => (Vec::new(), Vec::new()),
        };
        boundary = Some(traced);
        scope.complete(inputs, outputs)
    });
    let boundary = boundary
        .unwrap_or_else(|| Err(ExportError::Capture("the scope did not run".to_owned())))?;
    let captured = captured.map_err(|error| ExportError::Capture(error.to_string()))?;
    Ok(assemble(captured, boundary))
}

/// Gives new tensors of floats the type that they have on the module's device.
/// Integers stay as inputs are declared, of 64 bits.
fn configure(device: &mut Device, module: &impl Module) -> Result<(), ExportError> {
    let devices = module.devices();
    let Some(original) = devices.first() else {
        return Ok(());
    };
    let configured = device.configure(original.settings().float_dtype);
    configured.map_err(|error| ExportError::Capture(error.to_string()))
}

fn trace<M: Module, I: Inputs, O: Outputs>(
    module: M,
    samples: Vec<TensorData>,
    forward: &impl Fn(&M, I) -> O,
    device: &Device,
) -> Result<Boundary, ExportError> {
    let parameters = parameters(&module);
    let inputs = I::create(&mut samples.into_iter(), device);
    let ids = inputs.ids().map_err(ExportError::Capture)?;
    let outputs = forward(&module, inputs);
    Ok(Boundary {
        inputs: ids,
        outputs: output_ids(&outputs)?,
        parameters,
    })
}

fn assemble(captured: CapturedGraph, boundary: Boundary) -> Capture {
    // Fusion's aliases are resolved by the scope, which keeps the order.
    let resolved: BTreeMap<TensorId, TensorId> = distinct(&boundary.outputs)
        .into_iter()
        .zip(captured.graph.outputs)
        .collect();
    let mut operations = captured.graph.operations;
    operations
        .retain(|operation| !matches!(operation, OperationIr::Init(_) | OperationIr::Drop(_)));
    Capture {
        operations,
        inputs: captured.graph.inputs,
        outputs: boundary.outputs.iter().map(|id| resolved[id]).collect(),
        values: captured.values,
        parameters: boundary.parameters,
    }
}

fn distinct(ids: &[TensorId]) -> Vec<TensorId> {
    let mut known = BTreeSet::new();
    ids.iter().copied().filter(|id| known.insert(*id)).collect()
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

fn parameters<M: Module>(module: &M) -> BTreeMap<TensorId, Parameter> {
    let mut names = ParameterNames::default();
    module.visit(&mut names);
    names.found
}

/// Collects each parameter's path.
#[derive(Default)]
struct ParameterNames {
    path: Vec<String>,
    found: BTreeMap<TensorId, Parameter>,
}

impl ParameterNames {
    /// A parameter on another device is left without a name.
    fn record<E>(&mut self, tensor: Result<TensorId, E>, id: ParamId) {
        let Ok(tensor) = tensor else { return };
        let path = self.path.join(".");
        self.found.entry(tensor).or_insert(Parameter { path, id });
    }
}

impl ModuleVisitor for ParameterNames {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().try_into_primitive::<CaptureBackend>();
        self.record(tensor.map(|tensor| tensor.id()), param.id);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let tensor = param.val().try_into_primitive::<CaptureBackend>();
        self.record(tensor.map(|tensor| tensor.id()), param.id);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        let tensor = param.val().try_into_primitive::<CaptureBackend>();
        self.record(tensor.map(|tensor| tensor.id()), param.id);
    }
}
