//! Layers with weights and, if there is one, a bias: with and without autodiff.

use std::fmt::Debug;

use burn::tensor::Tensor;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::ops::{Backward, NodeGuard, OpsKind};
use burn_backend::tensor::FloatTensor;
use burn_flex::{Flex, FlexTensor};

use super::{Training, on_flex, on_training};
use crate::switch::{Operation, count_call};

/// What a layer computes with.
#[derive(Clone, Debug)]
pub(super) struct Operands {
    pub x: FlexTensor,
    pub weight: FlexTensor,
    pub bias: Option<FlexTensor>,
}

impl Operands {
    pub(super) fn bias(&self) -> Option<&[f32]> {
        self.bias.as_ref().map(FlexTensor::storage)
    }
}

/// A layer that the kernels compute. Its parents in the autodiff graph are the input, the weights
/// and, if there is one, the bias.
pub(super) trait Layer:
    Backward<Flex, 2, State = Self::Saved> + Backward<Flex, 3, State = Self::Saved> + Copy
{
    const OPERATION: Operation;

    /// What the backward pass needs.
    type Saved: Clone + Debug + Send + 'static;

    /// The layer's output.
    fn infer(self, operands: &Operands) -> FlexTensor;

    /// The layer's output, and what its backward pass needs.
    fn train(self, operands: Operands) -> (FlexTensor, Self::Saved);
}

/// Computes a layer, if its tensors are on `flex`.
pub(super) fn fused<const D: usize>(
    layer: impl Layer,
    x: &Tensor<D>,
    weight: &Tensor<D>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<D>> {
    training(layer, x, weight, bias).or_else(|| inference(layer, x, weight, bias))
}

/// The layer on `flex` without autodiff.
fn inference<const D: usize, L: Layer>(
    layer: L,
    x: &Tensor<D>,
    weight: &Tensor<D>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<D>> {
    let operands = Operands {
        x: on_flex(x)?,
        weight: on_flex(weight)?,
        bias: match bias {
            Some(bias) => Some(on_flex(bias)?),
            None => None,
        },
    };
    count_call(L::OPERATION);
    Some(Tensor::from_primitive::<Flex>(layer.infer(&operands)))
}

/// The layer on `flex` with autodiff.
fn training<const D: usize, L: Layer>(
    layer: L,
    x: &Tensor<D>,
    weight: &Tensor<D>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<D>> {
    let ((x, x_node), (weight, weight_node)) = (on_training(x)?, on_training(weight)?);
    let operands = |bias| Operands { x, weight, bias };
    let out = match bias {
        Some(bias) => {
            let (bias, bias_node) = on_training(bias)?;
            let nodes = [x_node, weight_node, bias_node];
            record(layer, operands(Some(bias)), nodes)
        }
        None => record(layer, operands(None), [x_node, weight_node]),
    };
    count_call(L::OPERATION);
    Some(Tensor::from_primitive::<Training>(out))
}

/// Computes the layer and records it for the backward pass, if it needs one.
fn record<const N: usize, L>(
    layer: L,
    operands: Operands,
    nodes: [NodeGuard; N],
) -> FloatTensor<Training>
where
    L: Layer + Backward<Flex, N, State = <L as Layer>::Saved>,
{
    match <L as Backward<Flex, N>>::prepare::<NoCheckpointing>(layer, nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let (out, saved) = layer.train(operands);
            prep.finish(saved, out)
        }
        OpsKind::UnTracked(prep) => prep.finish(layer.infer(&operands)),
    }
}
