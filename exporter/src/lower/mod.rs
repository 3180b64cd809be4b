//! Burn's operations become nodes of ONNX operators.
//!
//! Every variant of [`OperationIr`] is matched, family by family and without a
//! wildcard, so that a new one in Burn stops the build until it is decided on.

mod activation;
mod attention;
mod base;
mod boolean;
mod context;
mod convolution;
mod float;
mod integer;
mod module;
mod numeric;
mod operands;
mod pool;
mod recurrent;
mod reduce;
mod resample;
mod slice;

use burn::backend::ir::{DistributedOperationIr, OperationIr};
use burn::tensor::DType;

use crate::describe::{dtype_name, operation_name};
use crate::error::{ExportError, UnsupportedOperation};
use crate::graph::{Graph, Operation, ValueId};
use crate::node::Program;
use crate::opset::Opset;

pub(crate) use context::element_type;
use context::{Context, Lowered, Refusal, refuse};

/// Lowers the whole graph, or lists every operation that cannot be.
pub(crate) fn lower(graph: Graph, opset: Opset) -> Result<Program, ExportError> {
    let mut unsupported = Vec::new();
    let operations = graph.operations.clone();
    let mut context = Context::new(graph, opset);
    for op in &operations {
        context.enter(op);
        if let Err(refusal) = operation(&mut context, &op.op) {
            unsupported.push(describe(&context, op, refusal));
        }
        context.leave(op);
    }
    if unsupported.is_empty() {
        Ok(context.finish())
    } else {
        Err(ExportError::Unsupported {
            opset,
            operations: unsupported,
        })
    }
}

fn operation(cx: &mut Context, op: &OperationIr) -> Lowered {
    require_numbers(cx, op)?;
    match op {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            base::lower(cx, op)
        }
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => numeric::lower(cx, op),
        OperationIr::Bool(op) => boolean::lower(cx, op),
        OperationIr::Int(op) => integer::lower(cx, op),
        OperationIr::Float(_, op) => float::lower(cx, op),
        OperationIr::Module(op) => module::lower(cx, op),
        OperationIr::Activation(op) => activation::lower(cx, op),
        // Neither computes anything.
        OperationIr::Init(_) | OperationIr::Drop(_) => Ok(()),
        OperationIr::Custom(op) => match cx.layer(&op.id) {
            Some(layer) => recurrent::lower(cx, &layer, op),
            None => refuse(format!("`{}` is an operation of a backend's own", op.id)),
        },
        OperationIr::Distributed(
            DistributedOperationIr::AllReduce(_) | DistributedOperationIr::SyncCollective,
        ) => refuse("it moves data between devices; an ONNX graph runs on one"),
    }
}

/// Quantized tensors hold more than their elements.
fn require_numbers(cx: &Context, op: &OperationIr) -> Lowered {
    let mut tensors = op.inputs().chain(op.outputs());
    match tensors.find(|tensor| matches!(tensor.dtype, DType::QFloat(_))) {
        Some(_) => refuse(format!(
            "quantized tensors are not written to opset {}; export the module before quantizing it",
            cx.opset()
        )),
        None => Ok(()),
    }
}

fn describe(cx: &Context, op: &Operation, refusal: Refusal) -> UnsupportedOperation {
    let inputs = op.op.inputs().map(|tensor| {
        let shape = cx.shape_text(ValueId::from(tensor));
        format!("{}{shape}", dtype_name(tensor.dtype))
    });
    UnsupportedOperation {
        name: operation_name(&op.op),
        scope: op.scope.clone(),
        inputs: inputs.collect(),
        reason: refusal.0,
    }
}
