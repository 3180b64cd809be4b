//! The linear layer as an operation of Burn: against Burn's separate operations.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use burn::tensor::{Device, Distribution, Tensor};
use kernels::{linear, set_enabled};
use proptest::prelude::*;

/// The switch is the process's; tests that use it take turns.
static SWITCH: Mutex<()> = Mutex::new(());

/// Operands of a layer.
struct Layer {
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    relu: bool,
}

impl Layer {
    fn random([rows, inputs, outputs]: [usize; 3], bias: bool, relu: bool) -> Layer {
        let device = Device::flex().autodiff();
        let random = |shape| Tensor::<2>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
        Layer {
            x: random([rows, inputs]),
            weight: random([inputs, outputs]),
            bias: bias.then(|| random([1, outputs]).squeeze_dim(0)),
            relu,
        }
    }

    /// Output and gradients (input, weight, bias), by the fused kernels or Burn's operations.
    fn train(&self, fused: bool) -> Vec<Vec<f32>> {
        set_enabled(fused);
        let x = self.x.clone().require_grad();
        let weight = self.weight.clone().require_grad();
        let bias = self.bias.clone().map(Tensor::require_grad);
        let out = linear(x.clone(), weight.clone(), bias.clone(), self.relu);
        // A gradient that differs from place to place.
        let grads = (out.clone() * out.clone().detach().add_scalar(0.3))
            .sum()
            .backward();
        set_enabled(true);
        let mut results = vec![
            values(out),
            values(x.grad(&grads).unwrap()),
            values(weight.grad(&grads).unwrap()),
        ];
        results.extend(bias.map(|bias| values(bias.grad(&grads).unwrap())));
        results
    }

    #[track_caller]
    fn assert_same(&self) {
        let _turn = SWITCH
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let (fused, separate) = (self.train(true), self.train(false));
        assert_eq!(fused.len(), separate.len());
        for (fused, separate) in fused.iter().zip(&separate) {
            assert_eq!(fused.len(), separate.len());
            let scale = separate
                .iter()
                .fold(1.0_f32, |most, value| most.max(value.abs()));
            for (a, b) in fused.iter().zip(separate) {
                let same = (a - b).abs() <= 1e-5 * scale || a.is_nan() && b.is_nan();
                assert!(same, "{a} is not {b}");
            }
        }
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn outputs_and_gradients_are_those_of_burn(
        sizes in [1_usize..70, 1..100, 1..70],
        bias: bool,
        relu: bool,
    ) {
        Layer::random(sizes, bias, relu).assert_same();
    }
}

#[test]
fn views_are_read_as_their_values() {
    let mut layer = Layer::random([20, 30, 40], true, true);
    layer.x = Layer::random([30, 20, 1], false, false).x.transpose();
    layer.weight = Layer::random([40, 30, 1], false, false).x.transpose();
    layer.assert_same();
}

#[test]
fn nan_spreads_as_in_burn() {
    let mut layer = Layer::random([20, 30, 40], true, true);
    layer.x = layer.x.slice_fill([3..4, 7..8], f32::NAN);
    layer.assert_same();
}

#[test]
fn it_is_one_operation_without_autodiff_too() {
    let layer = Layer::random([5, 6, 7], true, true);
    let out = |fused| {
        let _turn = SWITCH
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        set_enabled(fused);
        let bias = layer.bias.clone().map(Tensor::inner);
        let out = linear(
            layer.x.clone().inner(),
            layer.weight.clone().inner(),
            bias,
            true,
        );
        set_enabled(true);
        out
    };
    let difference: f32 = (out(true) - out(false)).abs().max().into_scalar();
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn an_untracked_input_gets_no_gradient() {
    let layer = Layer::random([5, 6, 7], false, true);
    let weight = layer.weight.clone().require_grad();
    let grads = linear(layer.x.clone(), weight.clone(), None, true)
        .sum()
        .backward();
    assert!(layer.x.grad(&grads).is_none());
    assert!(weight.grad(&grads).is_some());
}
