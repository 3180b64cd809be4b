//! The loss.

use burn::tensor::{Device, Distribution, Int, Tensor};
use kernels::{Operation, cross_entropy};

use super::{backward, counted, separately, turn, values};

#[test]
fn loss_matches_the_formula_per_sample() {
    let device = Device::flex();
    let logits = Tensor::<2>::from_data([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], &device);
    let targets = Tensor::<1, Int>::from_data([2, 0], &device);

    let log_p = [1.0_f64, 2.0, 3.0].map(|z| z - (1f64.exp() + 2f64.exp() + 3f64.exp()).ln());
    let first = -(0.9 * log_p[2] + 0.1 * log_p.iter().sum::<f64>() / 3.0);
    let second = 3f64.ln();
    let loss = || values(cross_entropy(logits.clone(), targets.clone(), 0.1));
    let _turn = turn();
    for loss in [loss(), separately(loss)] {
        assert!((f64::from(loss[0]) - first).abs() < 1e-6);
        assert!((f64::from(loss[1]) - second).abs() < 1e-6);
    }
}

/// Losses and the logits' gradient, where samples weigh differently.
fn train(logits: &Tensor<2>, targets: &Tensor<1, Int>, smoothing: f64) -> (Tensor<1>, Tensor<2>) {
    let logits = logits.clone().require_grad();
    let losses = cross_entropy(logits.clone(), targets.clone(), smoothing);
    let gradient = logits.grad(&backward(&losses)).unwrap();
    (losses.inner(), gradient)
}

#[test]
fn losses_and_gradients_are_those_of_burn() {
    let device = Device::flex().autodiff();
    // More samples than one task takes, and logits whose exponentials overflow.
    for (shape, scale) in [([1, 1], 1.0), ([200, 7], 4.0), ([64, 10], 500.0)] {
        let range = Distribution::Uniform(-scale, scale);
        let logits = Tensor::<2>::random(shape, range, &device);
        let classes = (0..shape[0]).map(|i| (i * i % shape[1]) as i64);
        let classes: Vec<i64> = classes.collect();
        let targets = Tensor::<1, Int>::from_data(classes.as_slice(), &device);
        for smoothing in [0.0, 0.1] {
            let _turn = turn();
            let train = || train(&logits, &targets, smoothing);
            let ((losses, gradient), calls) = counted(Operation::CrossEntropy, train);
            assert_eq!(calls, 1);
            let (expected, expected_gradient) = separately(train);
            let most = |difference: f32| assert!(difference < 1e-6 * scale as f32, "{difference}");
            most((losses - expected).abs().max().into_scalar());
            // Weighted by losses up to `scale`.
            most((gradient - expected_gradient).abs().max().into_scalar());
        }
    }
}

#[test]
fn nan_stays_in_its_sample() {
    let _turn = turn();
    let device = Device::flex();
    let logits = Tensor::<2>::from_data([[f32::NAN, 0.0], [1.0, 2.0]], &device);
    let targets = Tensor::<1, Int>::from_data([1, 1], &device);
    let losses = values(cross_entropy(logits, targets, 0.0));
    assert!(losses[0].is_nan() && losses[1].is_finite());
}
