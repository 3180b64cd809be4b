//! The kernels as operations of Burn's `flex` backend, with and without autodiff.

pub(crate) mod batch_norm;
pub(crate) mod conv2d;
pub(crate) mod cross_entropy;
mod layer;
pub(crate) mod linear;
pub(crate) mod pools;
pub(crate) mod update;

use burn::tensor::{DType, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::ops::{Backward, NodeGuard, OpsKind};
use burn_flex::{Flex, FlexTensor};

/// `flex` with autodiff as training uses it.
type Training = Autodiff<Flex, NoCheckpointing>;

/// A tensor on `flex`, in row-major order, if it holds `f32`.
fn on_flex<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    single(tensor.clone().try_into_primitive::<Flex>().ok()?)
}

/// A tensor on `flex` with autodiff, in row-major order, if it holds `f32`.
fn on_training<const D: usize>(tensor: &Tensor<D>) -> Option<(FlexTensor, NodeGuard)> {
    let tensor = tensor.clone().try_into_primitive::<Training>().ok()?;
    let (values, node) = tensor.into_parts();
    Some((single(values)?, node))
}

/// The result of an operation, recorded with its `state` for the backward pass if it needs one.
fn record<const D: usize, const N: usize, O: Backward<Flex, N>>(
    operation: O,
    parents: [NodeGuard; N],
    state: O::State,
    out: FlexTensor,
) -> Tensor<D> {
    let prepared = operation.prepare::<NoCheckpointing>(parents);
    Tensor::from_primitive::<Training>(match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(state, out),
        OpsKind::UnTracked(prep) => prep.finish(out),
    })
}

fn single(tensor: FlexTensor) -> Option<FlexTensor> {
    (tensor.dtype() == DType::F32).then(|| tensor.to_contiguous())
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
