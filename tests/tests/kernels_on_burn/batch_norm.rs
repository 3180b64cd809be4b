//! Batch normalisation.

use burn::tensor::{Device, Distribution, Tensor};
use kernels::{batch_norm, batch_norm_train};
use proptest::prelude::*;

use super::{assert_close, backward, separately, turn, values};

const EPSILON: f64 = 1e-5;

/// Operands of a normalisation.
struct Layer {
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    relu: bool,
}

impl Layer {
    fn random(shape: [usize; 4], relu: bool) -> Layer {
        let device = Device::flex().autodiff();
        let channels = |low, high| {
            let shape = [1, shape[1]];
            let distribution = Distribution::Uniform(low, high);
            Tensor::<2>::random(shape, distribution, &device).squeeze_dim(0)
        };
        Layer {
            // Far from zero, as what is learned may be.
            x: Tensor::random(shape, Distribution::Normal(3.0, 1.0), &device),
            gamma: channels(0.5, 1.5),
            beta: channels(-1.0, 1.0),
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
        let _turn = turn();
        assert_close(&self.train(), &separately(|| self.train()), 1e-4);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn outputs_statistics_and_gradients_are_those_of_burn(
        batch in 4_usize..40,
        channels in 1_usize..20,
        size in [2_usize..15, 2..15],
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
fn nan_spreads_as_in_burn() {
    let mut layer = Layer::random([8, 3, 5, 6], true);
    layer.x = layer.x.slice_fill([3..4, 1..2, 0..1, 2..3], f32::NAN);
    layer.assert_same();
}

#[test]
fn known_statistics_normalize_as_in_burn() {
    let layer = Layer::random([8, 3, 5, 6], true);
    let known = Layer::random([8, 3, 5, 6], true);
    for x in [layer.x.clone(), layer.x.clone().inner()] {
        let on = |tensor: &Tensor<1>| tensor.clone().to_device(&x.device());
        let out = || {
            let parameters = [on(&layer.gamma), on(&layer.beta)];
            // γ is positive, as a variance is.
            let statistics = [on(&known.beta), on(&known.gamma)];
            let out = batch_norm(x.clone(), parameters, statistics, EPSILON, true);
            values(out)
        };
        let _turn = turn();
        assert_close(&[out()], &[separately(out)], 1e-5);
    }
}

#[test]
fn an_untracked_input_gets_no_gradient() {
    let layer = Layer::random([8, 3, 5, 6], true);
    let gamma = layer.gamma.clone().require_grad();
    let result = batch_norm_train(layer.x.clone(), gamma.clone(), layer.beta, EPSILON, true);
    let grads = result.output.sum().backward();
    assert!(layer.x.grad(&grads).is_none());
    assert!(gamma.grad(&grads).is_some());
}
