//! Batch normalisation.

use burn::tensor::Tensor;
use burn::tensor::module::BatchNormTrainOutput;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_backend::AutodiffBackend;
use burn_flex::{Flex, FlexTensor};

use super::{Training, on_flex, on_training, record, tensor};
use crate::isa::Isa;
use crate::normalization::{Channel, Maps, Statistics, gradients, normalized};
use crate::switch::{Operation, count_call};

/// Normalises by the batch's own statistics with the fused kernels, if the tensors are where
/// these apply.
pub(crate) fn fused_train(
    x: &Tensor<4>,
    gamma: &Tensor<1>,
    beta: &Tensor<1>,
    epsilon: f64,
    relu: bool,
) -> Option<BatchNormTrainOutput<4>> {
    let shape = x.dims();
    let maps = maps(shape, [gamma, beta])?;
    let (x, x_node) = on_training(x)?;
    let (gamma, gamma_node) = on_training(gamma)?;
    let (beta, beta_node) = on_training(beta)?;

    count_call(Operation::BatchNorm);
    let isa = Isa::detected();
    let statistics = Statistics::of(isa, &maps, x.storage());
    let channels = Channel::all(&statistics, gamma.storage(), beta.storage(), epsilon, relu);
    let out = tensor(normalized(isa, &maps, &channels, x.storage()), &shape);
    let state = State {
        maps,
        shape,
        x,
        channels,
    };
    let parents = [x_node, gamma_node, beta_node];
    let untracked = |values: Vec<f32>| {
        let values = tensor(values, &[maps.channels]);
        Tensor::from_primitive::<Training>(Training::from_inner(values))
    };
    Some(BatchNormTrainOutput {
        output: record(FusedBatchNorm, parents, state, out),
        mean: untracked(statistics.mean),
        variance: untracked(statistics.variance),
    })
}

/// Normalises by known statistics with the fused kernels, if the tensors are where these apply.
pub(crate) fn fused(
    x: &Tensor<4>,
    [gamma, beta, mean, variance]: [&Tensor<1>; 4],
    epsilon: f64,
    relu: bool,
) -> Option<Tensor<4>> {
    let shape = x.dims();
    let maps = maps(shape, [gamma, beta, mean, variance])?;
    let x = on_flex(x)?;
    let values = |tensor| Some(on_flex::<1>(tensor)?.storage::<f32>().to_vec());
    let statistics = Statistics {
        mean: values(mean)?,
        variance: values(variance)?,
    };
    let (gamma, beta) = (values(gamma)?, values(beta)?);
    count_call(Operation::BatchNorm);
    let channels = Channel::all(&statistics, &gamma, &beta, epsilon, relu);
    let out = normalized(Isa::detected(), &maps, &channels, x.storage());
    Some(Tensor::from_primitive::<Flex>(tensor(out, &shape)))
}

/// Smallest images: of fewer pixels, Burn's own operations are faster.
const LEAST_AREA: usize = 9;

/// The sizes of a batch; `None` where it is empty or the parameters don't fit, which Burn's own
/// operations report, or where these are faster.
fn maps<const N: usize>(
    [batch, channels, height, width]: [usize; 4],
    parameters: [&Tensor<1>; N],
) -> Option<Maps> {
    let maps = Maps {
        batch,
        channels,
        area: height * width,
    };
    let fit = parameters.iter().all(|values| values.dims() == [channels]);
    (fit && batch > 0 && channels > 0 && maps.area >= LEAST_AREA).then_some(maps)
}

/// The normalisation as a step of the autodiff graph. Its parents are input, γ and β.
#[derive(Debug)]
struct FusedBatchNorm;

/// What the backward pass needs.
#[derive(Clone, Debug)]
struct State {
    maps: Maps,
    shape: [usize; 4],
    x: FlexTensor,
    channels: Vec<Channel>,
}

impl Backward<Flex, 3> for FusedBatchNorm {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let State {
            maps,
            shape,
            x,
            channels,
        } = ops.state;
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let isa = Isa::detected();
        let found = gradients(isa, &maps, &channels, x.storage(), grad.storage());
        let found = [
            tensor(found.input, &shape),
            tensor(found.gamma, &[maps.channels]),
            tensor(found.beta, &[maps.channels]),
        ];
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}
