//! Stochastic gradient descent, in place where the kernels can.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use kernels::{SgdStep, can_update};

use super::Sgd;

/// The update rule of one parameter.
#[derive(Clone)]
pub(super) struct Descent(pub(super) Sgd);

/// What is kept of a parameter from step to step, if there is momentum.
#[derive(Clone)]
pub(super) struct Velocity<const D: usize>(Tensor<D>);

/// Its name in a checkpoint.
const VELOCITY: &str = "velocity";

impl<const D: usize> RecordState for Velocity<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, VELOCITY, self.0.to_data());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let velocity = source.take_tensor(prefix, VELOCITY)?;
        Some(Self(Tensor::from_data(velocity, device)))
    }
}

impl Optimizer for Descent {
    type State<const D: usize> = Velocity<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Velocity<D>>,
    ) -> (Tensor<D>, Option<Velocity<D>>) {
        let step = SgdStep {
            rate: rate as f32,
            momentum: self.0.momentum as f32,
            weight_decay: self.0.weight_decay as f32,
        };
        if step.momentum == 0.0 {
            return (without_momentum(step, weights, gradient), None);
        }
        let velocity = state.map_or_else(|| weights.zeros_like(), |state| state.0);
        let (weights, velocity) = with_momentum(step, weights, gradient, velocity);
        (weights, Some(Velocity(velocity)))
    }

    fn to_device<const D: usize>(state: Velocity<D>, device: &Device) -> Velocity<D> {
        Velocity(state.0.to_device(device))
    }
}

fn without_momentum<const D: usize>(
    step: SgdStep,
    weights: Tensor<D>,
    gradient: Tensor<D>,
) -> Tensor<D> {
    if can_update(&weights) {
        return step.run(weights, gradient);
    }
    let gradient = penalized(&step, &weights, gradient);
    weights - gradient.mul_scalar(step.rate)
}

fn with_momentum<const D: usize>(
    step: SgdStep,
    weights: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Tensor<D>,
) -> (Tensor<D>, Tensor<D>) {
    if can_update(&weights) {
        return step.with_momentum(weights, gradient, velocity);
    }
    let gradient = penalized(&step, &weights, gradient);
    let velocity = gradient + velocity.mul_scalar(step.momentum);
    (weights - velocity.clone().mul_scalar(step.rate), velocity)
}

/// g + λ·w
fn penalized<const D: usize>(
    step: &SgdStep,
    weights: &Tensor<D>,
    gradient: Tensor<D>,
) -> Tensor<D> {
    if step.weight_decay == 0.0 {
        return gradient;
    }
    weights.clone().mul_scalar(step.weight_decay) + gradient
}
