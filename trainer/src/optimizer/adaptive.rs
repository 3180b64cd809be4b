//! Adam and AdamW, in place where the kernels can.

use burn::optim::{AdaptiveMomentumState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};
use kernels::{AdamStep, can_update};

/// β₁ and β₂
const BETAS: [f32; 2] = [0.9, 0.999];

/// PyTorch's ε; Burn's default is 1e-5.
const EPSILON: f32 = 1e-8;

/// The update rule of one parameter.
#[derive(Clone)]
pub(super) struct Adaptive {
    pub(super) weight_decay: f64,
    /// Whether weight decay shrinks the weights (AdamW) instead of being added to the gradient
    /// (Adam).
    pub(super) decoupled: bool,
}

impl Adaptive {
    fn at(&self, time: usize, rate: LearningRate) -> AdamStep {
        let (penalty, shrink) = if self.decoupled {
            (0.0, 1.0 - rate * self.weight_decay)
        } else {
            (self.weight_decay, 1.0)
        };
        AdamStep {
            rate: rate as f32,
            betas: BETAS,
            epsilon: EPSILON,
            penalty: penalty as f32,
            shrink: shrink as f32,
            time: time as i32,
        }
    }
}

impl Optimizer for Adaptive {
    type State<const D: usize> = AdaptiveMomentumState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdaptiveMomentumState<D>>,
    ) -> (Tensor<D>, Option<AdaptiveMomentumState<D>>) {
        let (time, moments) = match state {
            Some(state) => (state.time + 1, [state.moment_1, state.moment_2]),
            None => (1, [weights.zeros_like(), weights.zeros_like()]),
        };
        let step = self.at(time, rate);
        let (weights, [first, second]) = if can_update(&weights) {
            step.run(weights, gradient, moments)
        } else {
            separate(&step, weights, gradient, moments)
        };
        let state = AdaptiveMomentumState::new(time, first, second);
        (weights, Some(state))
    }

    fn to_device<const D: usize>(
        state: AdaptiveMomentumState<D>,
        device: &Device,
    ) -> AdaptiveMomentumState<D> {
        state.to_device(device)
    }
}

/// The step as Burn's own operations.
fn separate<const D: usize>(
    step: &AdamStep,
    weights: Tensor<D>,
    gradient: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let gradient = match step.penalty {
        0.0 => gradient,
        penalty => weights.clone().mul_scalar(penalty) + gradient,
    };
    let [beta_1, beta_2] = step.betas;
    let first = first.mul_scalar(beta_1) + gradient.clone().mul_scalar(1.0 - beta_1);
    let second = second.mul_scalar(beta_2) + gradient.square().mul_scalar(1.0 - beta_2);
    let root = (1.0 - beta_2.powi(step.time)).sqrt();
    let factor = root / (1.0 - beta_1.powi(step.time));
    let delta =
        first.clone().mul_scalar(factor) / second.clone().sqrt().add_scalar(step.epsilon * root);
    let weights = weights.mul_scalar(step.shrink) - delta.mul_scalar(step.rate);
    (weights, [first, second])
}
