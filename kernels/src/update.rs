//! Steps of optimizers, in place.
//!
//! One pass over the values, where Burn's optimizers, which give the same up to rounding, take one
//! for each operation.

use rayon::prelude::*;

use crate::isa::{Isa, per_isa};

/// Values that one task updates.
const BLOCK: usize = 8192;

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
    /// Steps the weights, without momentum.
    pub(crate) fn descend(&self, isa: Isa, weights: &mut [f32], gradient: &[f32]) {
        weights
            .par_chunks_mut(BLOCK)
            .zip(gradient.par_chunks(BLOCK))
            .for_each(|(w, g)| descend(isa, self, w, g));
    }

    /// Steps the weights and their velocity.
    pub(crate) fn roll(
        &self,
        isa: Isa,
        weights: &mut [f32],
        velocity: &mut [f32],
        gradient: &[f32],
    ) {
        weights
            .par_chunks_mut(BLOCK)
            .zip(velocity.par_chunks_mut(BLOCK))
            .zip(gradient.par_chunks(BLOCK))
            .for_each(|((w, v), g)| roll(isa, self, w, v, g));
    }
}

impl AdamStep {
    /// Steps the weights and both moments.
    pub(crate) fn adapt(
        &self,
        isa: Isa,
        weights: &mut [f32],
        [first, second]: [&mut [f32]; 2],
        gradient: &[f32],
    ) {
        weights
            .par_chunks_mut(BLOCK)
            .zip(first.par_chunks_mut(BLOCK))
            .zip(second.par_chunks_mut(BLOCK))
            .zip(gradient.par_chunks(BLOCK))
            .for_each(|(((w, m), v), g)| adapt(isa, self, w, m, v, g));
    }
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
    fn roll(step: &SgdStep, weights: &mut [f32], velocity: &mut [f32], gradient: &[f32]) = roll_body
}

#[inline(always)]
fn roll_body(step: &SgdStep, weights: &mut [f32], velocity: &mut [f32], gradient: &[f32]) {
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
    use super::*;

    /// More values than two tasks take.
    const LEN: usize = 2 * BLOCK + 13;

    /// Values from -2 to 2, different for each seed.
    fn values(seed: usize) -> Vec<f32> {
        let value = |i: usize| ((i * 37 + seed * 11) % 401) as f32 / 100.0 - 2.0;
        (0..LEN).map(value).collect()
    }

    #[track_caller]
    fn assert_close(found: &[f32], expected: impl Fn(usize) -> f64) {
        for (i, &found) in found.iter().enumerate() {
            let expected = expected(i);
            let most = 2e-6 * expected.abs().max(1.0);
            assert!(
                (f64::from(found) - expected).abs() <= most,
                "{found}, not {expected}"
            );
        }
    }

    #[test]
    fn descent_is_its_formula() {
        let (start, start_velocity, gradient) = (values(1), values(2), values(3));
        let step = SgdStep {
            rate: 0.1,
            momentum: 0.9,
            weight_decay: 0.25,
        };
        let [rate, momentum, decay] = [step.rate, step.momentum, step.weight_decay].map(f64::from);
        let g = |i: usize| f64::from(gradient[i]) + decay * f64::from(start[i]);
        let v = |i: usize| g(i) + momentum * f64::from(start_velocity[i]);
        for isa in Isa::available() {
            let mut weights = start.clone();
            step.descend(isa, &mut weights, &gradient);
            assert_close(&weights, |i| f64::from(start[i]) - rate * g(i));

            let (mut weights, mut velocity) = (start.clone(), start_velocity.clone());
            step.roll(isa, &mut weights, &mut velocity, &gradient);
            assert_close(&velocity, v);
            assert_close(&weights, |i| f64::from(start[i]) - rate * v(i));
        }
    }

    #[test]
    fn adam_is_its_formula() {
        let (start, gradient) = (values(1), values(2));
        let [first, second] = [values(3), values(4)].map(|m| m.iter().map(|m| m.abs()).collect());
        let moments: [Vec<f32>; 2] = [first, second];
        let step = AdamStep {
            rate: 0.01,
            betas: [0.9, 0.99],
            epsilon: 1e-3,
            penalty: 0.25,
            shrink: 0.98,
            time: 3,
        };
        let [beta_1, beta_2] = step.betas.map(f64::from);
        let [rate, epsilon, penalty, shrink] =
            [step.rate, step.epsilon, step.penalty, step.shrink].map(f64::from);
        let w = |i: usize| f64::from(start[i]);
        let g = |i: usize| f64::from(gradient[i]) + penalty * w(i);
        let m = |i: usize| beta_1 * f64::from(moments[0][i]) + (1.0 - beta_1) * g(i);
        let v = |i: usize| beta_2 * f64::from(moments[1][i]) + (1.0 - beta_2) * g(i) * g(i);
        let delta = |i: usize| {
            let [m, v] = [m(i) / (1.0 - beta_1.powi(3)), v(i) / (1.0 - beta_2.powi(3))];
            m / (v.sqrt() + epsilon)
        };
        for isa in Isa::available() {
            let (mut weights, [mut first, mut second]) = (start.clone(), moments.clone());
            step.adapt(isa, &mut weights, [&mut first, &mut second], &gradient);
            assert_close(&first, m);
            assert_close(&second, v);
            assert_close(&weights, |i| shrink * w(i) - rate * delta(i));
        }
    }
}
