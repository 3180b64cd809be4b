//! Steps of optimizers in place.

use burn::module::Param;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device, Distribution, Tensor};
use kernels::{AdamStep, SgdStep, can_update};

use super::turn;

const RATE: f64 = 0.01;
const STEPS: usize = 3;

/// More values than two tasks take.
const SHAPE: [usize; 2] = [257, 65];

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
fn of_burn(mut optimizer: ModuleOptimizer, start: Tensor<2>, gradients: &[Tensor<2>]) -> Tensor<2> {
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
    let _turn = turn();
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
