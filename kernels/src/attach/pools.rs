//! Pooling by itself.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::{Flex, FlexTensor};

use super::{on_flex, on_training, record, tensor};
use crate::isa::Isa;
use crate::pooling::{Planes, PoolWindow, max, max_gradient, mean, mean_gradient};
use crate::switch::{Operation, count_call};

/// Computes [`crate::max_pool`] with the fused kernels, if the tensor is where these apply.
pub(crate) fn fused_max(x: &Tensor<4>, window: PoolWindow) -> Option<Tensor<4>> {
    let maps = Maps::of(x, window)?;
    if let Some((x, node)) = on_training(x) {
        let (out, places) = maps.max(&x);
        return Some(record(FusedMaxPool(maps), [node], Arc::new(places), out));
    }
    let (out, _) = maps.max(&on_flex(x)?);
    Some(Tensor::from_primitive::<Flex>(out))
}

/// Computes [`crate::avg_pool`] with the fused kernels, if the tensor is where these apply.
pub(crate) fn fused_avg(x: &Tensor<4>, window: PoolWindow) -> Option<Tensor<4>> {
    let maps = Maps::of(x, window)?;
    if let Some((x, node)) = on_training(x) {
        let out = maps.mean(&x);
        return Some(record(FusedAvgPool(maps), [node], (), out));
    }
    let out = maps.mean(&on_flex(x)?);
    Some(Tensor::from_primitive::<Flex>(out))
}

/// Feature maps that are pooled.
#[derive(Clone, Copy, Debug)]
struct Maps {
    shape: [usize; 4],
    planes: Planes,
}

impl Maps {
    /// `None` where there are none or the window does not fit, which Burn's own operations report.
    fn of(x: &Tensor<4>, window: PoolWindow) -> Option<Maps> {
        let shape = x.dims();
        let [batch, channels, height, width] = shape;
        let planes = Planes::new([height, width], window)?;
        (batch * channels > 0).then_some(Maps { shape, planes })
    }

    fn output_shape(&self) -> [usize; 4] {
        let ([batch, channels, ..], [height, width]) = (self.shape, self.planes.output());
        [batch, channels, height, width]
    }

    /// The largest values and their places.
    fn max(&self, x: &FlexTensor) -> (FlexTensor, Vec<u32>) {
        count_call(Operation::Pool);
        let shape = self.output_shape();
        let mut out = vec![0.0; shape.iter().product()];
        let mut places = vec![0; out.len()];
        max(
            Isa::detected(),
            &self.planes,
            x.storage(),
            &mut out,
            &mut places,
        );
        (tensor(out, &shape), places)
    }

    fn mean(&self, x: &FlexTensor) -> FlexTensor {
        count_call(Operation::Pool);
        let shape = self.output_shape();
        let mut out = vec![0.0; shape.iter().product()];
        mean(Isa::detected(), &self.planes, x.storage(), &mut out);
        tensor(out, &shape)
    }

    /// Registers the gradient of the maps, which `write` computes from the state and the gradient
    /// of the result.
    fn register<S>(
        &self,
        ops: Ops<S, 1>,
        grads: &mut Gradients,
        write: impl FnOnce(&S, &[f32], &mut [f32]),
    ) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            let mut input = vec![0.0; self.shape.iter().product()];
            write(&ops.state, grad.storage(), &mut input);
            grads.register::<Flex>(parent.id, tensor(input, &self.shape));
        }
    }
}

/// Max-pooling as a step of the autodiff graph. Its state is the places of the largest values.
#[derive(Debug)]
struct FusedMaxPool(Maps);

impl Backward<Flex, 1> for FusedMaxPool {
    type State = Arc<Vec<u32>>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let maps = self.0;
        maps.register(ops, grads, |places, grad, input| {
            max_gradient(&maps.planes, places, grad, input);
        });
    }
}

/// Average pooling as a step of the autodiff graph.
#[derive(Debug)]
struct FusedAvgPool(Maps);

impl Backward<Flex, 1> for FusedAvgPool {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let maps = self.0;
        maps.register(ops, grads, |(), grad, input| {
            mean_gradient(Isa::detected(), &maps.planes, grad, input);
        });
    }
}
