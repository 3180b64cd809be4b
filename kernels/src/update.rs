//! Steps of optimizers, in place.
//!
//! One pass over the values, where Burn's optimizers, which give the same up to rounding, take one
//! for each operation.

use burn::tensor::{DType, Device, Tensor};
use burn_flex::{Flex, FlexTensor};
use rayon::prelude::*;

use crate::isa::{Isa, per_isa};
use crate::switch::enabled;

/// Values that one task updates.
const BLOCK: usize = 8192;

/// Whether weights can be updated in place: values of `f32` on the CPU (`flex`, without
/// autodiff), unless [`crate::set_enabled`] turned the kernels off.
pub fn can_update<const D: usize>(weights: &Tensor<D>) -> bool {
    let plain = weights.dtype() == DType::F32 && !weights.is_autodiff();
    enabled() && plain && weights.device() == Device::flex()
}

/// Stochastic gradient descent: g ← g + λ·w, v ← g + μ·v, w ← w - η·v.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// η
    pub rate: f32,
    /// μ
    pub momentum: f32,
    /// λ
    pub weight_decay: f32,
}

/// Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019):
/// m ← β₁·m + (1 - β₁)·g, v ← β₂·v + (1 - β₂)·g²,
/// w ← w - η·(m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// η
    pub rate: f32,
    /// β₁ and β₂
    pub betas: [f32; 2],
    /// ε
    pub epsilon: f32,
    /// Factor of the weights that is added to the gradient.
    pub penalty: f32,
    /// What the weights are multiplied by before the step.
    pub shrink: f32,
    /// t, counted from 1.
    pub time: i32,
}

impl SgdStep {
    /// The weights after the step, and their velocity, which is zero at the start.
    ///
    /// # Panics
    /// Unless [`can_update`] the weights and all tensors have their shape and place.
    pub fn with_momentum<const D: usize>(
        &self,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Tensor<D>,
    ) -> (Tensor<D>, Tensor<D>) {
        let gradient = contiguous(gradient);
        let [mut weights, mut velocity] = [weights, velocity].map(contiguous);
        weights
            .storage_mut()
            .par_chunks_mut(BLOCK)
            .zip(velocity.storage_mut().par_chunks_mut(BLOCK))
            .zip(gradient.storage().par_chunks(BLOCK))
            .for_each(|((w, v), g)| momentum(Isa::detected(), self, w, v, g));
        (tensor(weights), tensor(velocity))
    }

    /// The weights after a step without momentum.
    ///
    /// # Panics
    /// As [`Self::with_momentum`].
    pub fn run<const D: usize>(&self, weights: Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        let gradient = contiguous(gradient);
        let mut weights = contiguous(weights);
        weights
            .storage_mut()
            .par_chunks_mut(BLOCK)
            .zip(gradient.storage().par_chunks(BLOCK))
            .for_each(|(w, g)| descend(Isa::detected(), self, w, g));
        tensor(weights)
    }
}

impl AdamStep {
    /// The weights after the step, and both moments, which are zero at the start.
    ///
    /// # Panics
    /// Unless [`can_update`] the weights and all tensors have their shape and place.
    pub fn run<const D: usize>(
        &self,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        moments: [Tensor<D>; 2],
    ) -> (Tensor<D>, [Tensor<D>; 2]) {
        let gradient = contiguous(gradient);
        let mut weights = contiguous(weights);
        let [mut first, mut second] = moments.map(contiguous);
        weights
            .storage_mut()
            .par_chunks_mut(BLOCK)
            .zip(first.storage_mut().par_chunks_mut(BLOCK))
            .zip(second.storage_mut().par_chunks_mut(BLOCK))
            .zip(gradient.storage().par_chunks(BLOCK))
            .for_each(|(((w, m), v), g)| adapt(Isa::detected(), self, w, m, v, g));
        (tensor(weights), [first, second].map(tensor))
    }
}

/// The values in row-major order, with no other handle on them than before.
fn contiguous<const D: usize>(values: Tensor<D>) -> FlexTensor {
    let Ok(values) = values.try_into_primitive::<Flex>() else {
        panic!("not on the CPU");
    };
    values.to_contiguous()
}

fn tensor<const D: usize>(values: FlexTensor) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(values)
}

per_isa! {
    /// A step without momentum.
    fn descend(step: &SgdStep, weights: &mut [f32], gradient: &[f32]) = descend_body
}

#[inline(always)]
fn descend_body(step: &SgdStep, weights: &mut [f32], gradient: &[f32]) {
    for (w, &g) in weights.iter_mut().zip(gradient) {
        *w -= penalized(g, *w, step.weight_decay) * step.rate;
    }
}

per_isa! {
    /// A step with momentum.
    fn momentum(step: &SgdStep, weights: &mut [f32], velocity: &mut [f32], gradient: &[f32]) = momentum_body
}

#[inline(always)]
fn momentum_body(step: &SgdStep, weights: &mut [f32], velocity: &mut [f32], gradient: &[f32]) {
    for ((w, v), &g) in weights.iter_mut().zip(velocity).zip(gradient) {
        *v = penalized(g, *w, step.weight_decay) + *v * step.momentum;
        *w -= *v * step.rate;
    }
}

/// g + λ·w; without a penalty g, even where w is not finite.
#[inline(always)]
fn penalized(g: f32, w: f32, penalty: f32) -> f32 {
    if penalty == 0.0 { g } else { w * penalty + g }
}

per_isa! {
    /// A step of Adam.
    fn adapt(step: &AdamStep, weights: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) = adapt_body
}

#[inline(always)]
fn adapt_body(
    step: &AdamStep,
    weights: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
    gradient: &[f32],
) {
    let [beta_1, beta_2] = step.betas;
    let (part_1, part_2) = (1.0 - beta_1, 1.0 - beta_2);
    // Both moments begin at zero: what that takes from them is given back.
    let root = (1.0 - beta_2.powi(step.time)).sqrt();
    let factor = root / (1.0 - beta_1.powi(step.time));
    let epsilon = step.epsilon * root;
    let values = weights.iter_mut().zip(first).zip(second).zip(gradient);
    for (((w, m), v), &g) in values {
        let g = penalized(g, *w, step.penalty);
        *m = *m * beta_1 + g * part_1;
        *v = *v * beta_2 + g * g * part_2;
        let delta = *m * factor / (v.sqrt() + epsilon);
        *w = *w * step.shrink - delta * step.rate;
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::optim::decay::WeightDecayConfig;
    use burn::optim::momentum::MomentumConfig;
    use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
    use burn::tensor::Distribution;

    use super::*;

    const RATE: f64 = 0.01;
    const STEPS: usize = 3;

    /// More values than two tasks take.
    const SHAPE: [usize; 2] = [2 * BLOCK / 64 + 1, 65];

    /// Weights that are no whole buffer, and a gradient for each step.
    fn operands() -> (Tensor<2>, Vec<Tensor<2>>) {
        let device = Device::flex();
        let random =
            |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let [rows, columns] = SHAPE;
        let weights = random([columns, rows]).transpose();
        (weights, (0..STEPS).map(|_| random(SHAPE)).collect())
    }

    /// The weights after the steps of one of Burn's optimizers.
    fn of_burn(
        mut optimizer: ModuleOptimizer,
        start: Tensor<2>,
        gradients: &[Tensor<2>],
    ) -> Tensor<2> {
        let device = Device::flex().autodiff();
        let start = Tensor::from_data(start.into_data(), &device);
        let mut weights = Param::from_tensor(start);
        for gradient in gradients {
            let gradient = Tensor::from_data(gradient.to_data(), &device);
            let loss = (weights.val() * gradient).sum();
            let gradients = GradientsParams::from_grads(loss.backward(), &weights);
            weights = optimizer.step(RATE, weights, gradients);
        }
        weights.val().inner()
    }

    #[track_caller]
    fn assert_close(found: Tensor<2>, expected: Tensor<2>) {
        assert_eq!(found.dims(), expected.dims());
        let difference: f32 = (found - expected).abs().max().into_scalar();
        assert!(difference < 1e-6, "{difference}");
    }

    #[test]
    fn sgd_is_that_of_burn() {
        for (momentum, weight_decay) in [(0.0, 0.0), (0.0, 0.1), (0.9, 0.0), (0.5, 0.1)] {
            let (start, gradients) = operands();
            let mut config = SgdConfig::new();
            if momentum > 0.0 {
                let momentum = MomentumConfig::new().with_momentum(momentum);
                config = config.with_momentum(Some(momentum.with_dampening(0.0)));
            }
            if weight_decay > 0.0 {
                config = config.with_weight_decay(Some(WeightDecayConfig::new(weight_decay)));
            }
            let step = SgdStep {
                rate: RATE as f32,
                momentum: momentum as f32,
                weight_decay,
            };
            let (mut weights, mut velocity) = (start.clone(), start.zeros_like());
            for gradient in gradients.clone() {
                if momentum == 0.0 {
                    weights = step.run(weights, gradient);
                } else {
                    (weights, velocity) = step.with_momentum(weights, gradient, velocity);
                }
            }
            assert_close(weights, of_burn(config.init(), start, &gradients));
        }
    }

    #[track_caller]
    fn assert_adam(optimizer: ModuleOptimizer, penalty: f32, shrink: f32) {
        let (start, gradients) = operands();
        let (mut weights, mut moments) = (start.clone(), [start.zeros_like(), start.zeros_like()]);
        for (time, gradient) in (1..).zip(gradients.clone()) {
            let step = AdamStep {
                rate: RATE as f32,
                betas: [0.9, 0.999],
                epsilon: 1e-8,
                penalty,
                shrink,
                time,
            };
            (weights, moments) = step.run(weights, gradient, moments);
        }
        assert_close(weights, of_burn(optimizer, start, &gradients));
    }

    #[test]
    fn adam_is_that_of_burn() {
        let config = AdamConfig::new().with_epsilon(1e-8);
        assert_adam(config.init(), 0.0, 1.0);
        let decay = Some(WeightDecayConfig::new(0.1));
        assert_adam(config.with_weight_decay(decay).init(), 0.1, 1.0);
        let config = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.1);
        assert_adam(config.init(), 0.0, (1.0 - RATE * 0.1) as f32);
    }

    #[test]
    fn only_single_precision_on_the_cpu_is_updated_in_place() {
        let device = Device::flex();
        let weights = Tensor::<1>::ones([4], &device);
        assert!(can_update(&weights));
        assert!(!can_update(&weights.clone().cast(DType::F64)));
        assert!(!can_update(&Tensor::<1>::ones([4], &device.autodiff())));
    }

    #[test]
    fn other_handles_keep_their_values() {
        let weights = Tensor::<1>::ones([4], &Device::flex());
        let step = SgdStep {
            rate: 1.0,
            momentum: 0.0,
            weight_decay: 0.0,
        };
        let after = step.run(weights.clone(), weights.clone());
        assert_eq!(after.sum().into_scalar::<f32>(), 0.0);
        assert_eq!(weights.sum().into_scalar::<f32>(), 4.0);
    }
}
