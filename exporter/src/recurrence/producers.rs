//! Which operation computes a tensor.

use std::collections::BTreeMap;

use burn::backend::capture::TensorId;
use burn::backend::ir::{
    ActivationOperationIr, BaseOperationIr, FloatOperationIr, LinearOpIr, ModuleOperationIr,
    NumericOperationIr, OperationIr, SliceAssignOpIr, SliceOpIr, TensorIr,
};

use super::cell::Function;

/// A graph's operations by their results.
pub(super) struct Producers<'a>(BTreeMap<TensorId, &'a OperationIr>);

impl<'a> Producers<'a> {
    pub fn new(operations: &'a [OperationIr]) -> Self {
        let results = operations.iter().flat_map(|operation| {
            let outputs = operation.outputs();
            outputs.map(move |tensor| (tensor.id, operation))
        });
        Self(results.collect())
    }

    fn base(&self, id: TensorId) -> Option<&'a BaseOperationIr> {
        match self.0.get(&id)? {
            OperationIr::BaseFloat(op) => Some(op),
            _ => None,
        }
    }

    fn numeric(&self, id: TensorId) -> Option<&'a NumericOperationIr> {
        match self.0.get(&id)? {
            OperationIr::NumericFloat(_, op) => Some(op),
            _ => None,
        }
    }

    /// What a reshape takes.
    pub fn reshaped(&self, id: TensorId) -> Option<&'a TensorIr> {
        match self.base(id)? {
            BaseOperationIr::Reshape(op) => Some(&op.input),
            _ => None,
        }
    }

    pub fn slice(&self, id: TensorId) -> Option<&'a SliceOpIr> {
        match self.base(id)? {
            BaseOperationIr::Slice(op) => Some(op),
            _ => None,
        }
    }

    pub fn slice_assign(&self, id: TensorId) -> Option<&'a SliceAssignOpIr> {
        match self.base(id)? {
            BaseOperationIr::SliceAssign(op) => Some(op),
            _ => None,
        }
    }

    pub fn is_zeros(&self, id: TensorId) -> bool {
        matches!(self.base(id), Some(BaseOperationIr::Zeros(_)))
    }

    pub fn sum(&self, id: TensorId) -> Option<[&'a TensorIr; 2]> {
        match self.numeric(id)? {
            NumericOperationIr::Add(op) => Some([&op.lhs, &op.rhs]),
            _ => None,
        }
    }

    pub fn product(&self, id: TensorId) -> Option<[&'a TensorIr; 2]> {
        match self.numeric(id)? {
            NumericOperationIr::Mul(op) => Some([&op.lhs, &op.rhs]),
            _ => None,
        }
    }

    /// The `x` of `1 - x`, which Burn records as `-x + 1`.
    pub fn complement(&self, id: TensorId) -> Option<&'a TensorIr> {
        let NumericOperationIr::AddScalar(sum) = self.numeric(id)? else {
            return None;
        };
        match self.numeric(sum.lhs.id)? {
            NumericOperationIr::Neg(op) if sum.rhs.elem::<f64>() == 1.0 => Some(&op.input),
            _ => None,
        }
    }

    pub fn linear(&self, id: TensorId) -> Option<&'a LinearOpIr> {
        match self.0.get(&id)? {
            OperationIr::Module(ModuleOperationIr::Linear(op)) => Some(op),
            _ => None,
        }
    }

    /// An activation function and what it is applied to.
    pub fn activation(&self, id: TensorId) -> Option<(Function, &'a TensorIr)> {
        match self.0.get(&id)? {
            OperationIr::Activation(ActivationOperationIr::Sigmoid(op)) => {
                Some((Function::Sigmoid, &op.input))
            }
            OperationIr::Activation(ActivationOperationIr::Relu(op)) => {
                Some((Function::Relu, &op.input))
            }
            OperationIr::Float(_, FloatOperationIr::Tanh(op)) => Some((Function::Tanh, &op.input)),
            _ => None,
        }
    }
}
