//! The cross-entropy of logits.

use burn::tensor::{Int, Tensor};
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::{Flex, FlexTensor};

use super::{on_flex, on_training, record, tensor};
use crate::softmax::{Targets, gradient, losses};
use crate::switch::{Operation, count_call};

/// Computes the losses with the fused kernels, if the tensors are where these apply and fit, which
/// Burn's own operations report.
pub(crate) fn fused(
    logits: &Tensor<2>,
    targets: &Tensor<1, Int>,
    smoothing: f64,
) -> Option<Tensor<1>> {
    let targets = |logits: &FlexTensor| {
        let shape = logits.layout().shape().dims();
        Targets::new(targets.to_data().iter::<i64>(), shape, smoothing)
    };
    if let Some((logits, node)) = on_training(logits) {
        let targets = targets(&logits)?;
        let (losses, probabilities) = compute(&logits, &targets);
        let state = (targets, probabilities);
        return Some(record(FusedCrossEntropy, [node], state, losses));
    }
    let logits = on_flex(logits)?;
    let (losses, _) = compute(&logits, &targets(&logits)?);
    Some(Tensor::from_primitive::<Flex>(losses))
}

/// The loss of each sample, and the probabilities of all classes.
fn compute(logits: &FlexTensor, targets: &Targets) -> (FlexTensor, Vec<f32>) {
    count_call(Operation::CrossEntropy);
    let (losses, probabilities) = losses(logits.storage(), targets);
    let samples = losses.len();
    (tensor(losses, &[samples]), probabilities)
}

/// The losses as a step of the autodiff graph. Its parent is the logits; its state the targets and
/// the probabilities.
#[derive(Debug)]
struct FusedCrossEntropy;

impl Backward<Flex, 1> for FusedCrossEntropy {
    type State = (Targets, Vec<f32>);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let (targets, probabilities) = ops.state;
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let shape = [targets.samples(), targets.classes()];
        let gradient = gradient(probabilities, &targets, grad.storage());
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            grads.register::<Flex>(parent.id, tensor(gradient, &shape));
        }
    }
}
