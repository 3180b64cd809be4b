//! Batch normalisation.

use burn::tensor::{Device, Tensor};
use kernels::{Operation, batch_norm, batch_norm_train};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::{NOT_FINITE, assert_close, assert_same, backward, counted, turn, values};

const EPSILON: f64 = 1e-5;

/// Operands of a normalisation.
struct Layer {
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    relu: bool,
}

impl Layer {
    /// Always the same values for a shape: where one meets ReLU so close to zero that rounding
    /// decides, a gradient takes another way.
    fn random(shape: [usize; 4], relu: bool) -> Layer {
        let mut state = shape
            .iter()
            .fold(1_u64, |state, &size| state * 31 + size as u64);
        let mut value = |low: f32, high: f32| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            low + (high - low) * (state >> 40) as f32 / (1 << 24) as f32
        };
        let device = Device::flex().autodiff();
        let mut values = |count: usize, low, high| {
            let values: Vec<f32> = (0..count).map(|_| value(low, high)).collect();
            Tensor::<1>::from_data(values.as_slice(), &device)
        };
        Layer {
            // Far from zero, as what is learned may be.
            x: values(shape.iter().product(), 1.0, 5.0).reshape(shape),
            gamma: values(shape[1], 0.5, 1.5),
            beta: values(shape[1], -1.0, 1.0),
            relu,
        }
    }

    /// Output, mean, variance and gradients (input, γ, β).
    fn train(&self) -> Vec<Vec<f32>> {
        let x = self.x.clone().require_grad();
        let gamma = self.gamma.clone().require_grad();
        let beta = self.beta.clone().require_grad();
        let result = batch_norm_train(x.clone(), gamma.clone(), beta.clone(), EPSILON, self.relu);
        let out = result.output;
        let grads = backward(&out);
        vec![
            values(out),
            values(result.mean),
            values(result.variance),
            values(x.grad(&grads).unwrap()),
            values(gamma.grad(&grads).unwrap()),
            values(beta.grad(&grads).unwrap()),
        ]
    }

    #[track_caller]
    fn assert_same(&self) {
        assert_same(Operation::BatchNorm, 1e-4, || self.train());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 50,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn outputs_statistics_and_gradients_are_those_of_burn(
        batch in 4_usize..40,
        channels in 1_usize..20,
        size in [3_usize..15, 3..15],
        relu: bool,
    ) {
        Layer::random([batch, channels, size[0], size[1]], relu).assert_same();
    }
}

#[test]
fn views_are_read_as_their_values() {
    let mut layer = Layer::random([8, 3, 5, 6], true);
    layer.x = Layer::random([3, 8, 5, 6], false).x.swap_dims(0, 1);
    layer.assert_same();
}

#[test]
fn nan_and_infinities_spread_as_in_burn() {
    for value in NOT_FINITE {
        let layer = || Layer::random([8, 3, 5, 6], true);
        let mut with_x = layer();
        with_x.x = with_x.x.slice_fill([3..4, 1..2, 0..1, 2..3], value);
        with_x.assert_same();
        let mut with_gamma = layer();
        with_gamma.gamma = with_gamma.gamma.slice_fill(1..2, value);
        with_gamma.assert_same();
        let mut with_beta = layer();
        with_beta.beta = with_beta.beta.slice_fill(1..2, value);
        with_beta.assert_same();
    }
}

#[test]
fn small_maps_are_left_to_burn() {
    let _turn = turn();
    let layer = Layer::random([8, 3, 2, 2], true);
    let (_, calls) = counted(Operation::BatchNorm, || layer.train());
    assert_eq!(calls, 0);
}

#[test]
fn known_statistics_normalize_as_in_burn() {
    let layer = Layer::random([8, 3, 5, 6], true);
    let known = Layer::random([8, 3, 5, 6], true);
    // γ is positive, as a variance is.
    let parameters = [&layer.gamma, &layer.beta, &known.beta, &known.gamma].map(Tensor::clone);
    let run = |x: &Tensor<4>, parameters: &[Tensor<1>; 4]| {
        let [gamma, beta, mean, variance] = parameters.clone();
        let out = batch_norm(x.clone(), [gamma, beta], [mean, variance], EPSILON, true);
        vec![values(out)]
    };
    let (x, on_flex) = (
        layer.x.clone().inner(),
        parameters.clone().map(Tensor::inner),
    );
    assert_same(Operation::BatchNorm, 1e-5, || run(&x, &on_flex));
    // With autodiff, where nobody normalises so, it is left to Burn.
    let _turn = turn();
    let (fused, calls) = counted(Operation::BatchNorm, || run(&layer.x, &parameters));
    assert_eq!(calls, 0);
    assert_close(&fused, &run(&x, &on_flex), 1e-5);
}

#[test]
fn an_untracked_input_gets_no_gradient() {
    let _turn = turn();
    let layer = Layer::random([8, 3, 5, 6], true);
    let gamma = layer.gamma.clone().require_grad();
    let result = batch_norm_train(layer.x.clone(), gamma.clone(), layer.beta, EPSILON, true);
    let grads = result.output.sum().backward();
    assert!(layer.x.grad(&grads).is_none());
    assert!(gamma.grad(&grads).is_some());
}
