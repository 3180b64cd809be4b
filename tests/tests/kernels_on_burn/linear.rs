//! The linear layer.

use burn::tensor::{Device, Distribution, Tensor};
use kernels::{Operation, linear};
use proptest::prelude::*;

use super::{NOT_FINITE, assert_same, backward, counted, turn, values};

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
        // Eighths, whose sums of products are exact: ReLU does not depend on their order.
        let random = |shape| {
            let values = Tensor::<2>::random(shape, Distribution::Uniform(-8.0, 8.0), &device);
            values.round().div_scalar(8.0)
        };
        Layer {
            x: random([rows, inputs]),
            weight: random([inputs, outputs]),
            bias: bias.then(|| random([1, outputs]).squeeze_dim(0)),
            relu,
        }
    }

    /// Output and gradients (input, weight, bias).
    fn train(&self) -> Vec<Vec<f32>> {
        let x = self.x.clone().require_grad();
        let weight = self.weight.clone().require_grad();
        let bias = self.bias.clone().map(Tensor::require_grad);
        let out = linear(x.clone(), weight.clone(), bias.clone(), self.relu);
        let grads = backward(&out);
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
        assert_same(Operation::Linear, 1e-5, || self.train());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn outputs_and_gradients_are_those_of_burn(
        sizes in [4_usize..70, 1..100, 1..70],
        bias: bool,
        relu: bool,
    ) {
        Layer::random(sizes, bias, relu).assert_same();
    }
}

#[test]
fn few_rows_are_left_to_burn() {
    let _turn = turn();
    let layer = Layer::random([3, 30, 40], true, true);
    let (_, calls) = counted(Operation::Linear, || layer.train());
    assert_eq!(calls, 0);
}

#[test]
fn views_are_read_as_their_values() {
    let mut layer = Layer::random([20, 30, 40], true, true);
    layer.x = Layer::random([30, 20, 1], false, false).x.transpose();
    layer.weight = Layer::random([40, 30, 1], false, false).x.transpose();
    layer.assert_same();
}

#[test]
fn nan_and_infinities_spread_as_in_burn() {
    for value in NOT_FINITE {
        let layer = || Layer::random([20, 30, 40], true, true);
        let mut with_x = layer();
        with_x.x = with_x.x.slice_fill([3..4, 7..8], value);
        with_x.assert_same();
        let mut with_weight = layer();
        with_weight.weight = with_weight.weight.slice_fill([3..4, 7..8], value);
        with_weight.assert_same();
        let mut with_bias = layer();
        with_bias.bias = with_bias.bias.map(|bias| bias.slice_fill(3..4, value));
        with_bias.assert_same();
    }
}

#[test]
fn it_is_one_operation_without_autodiff_too() {
    let layer = Layer::random([5, 6, 7], true, true);
    let out = || {
        let bias = layer.bias.clone().map(Tensor::inner);
        let (x, weight) = (layer.x.clone().inner(), layer.weight.clone().inner());
        vec![values(linear(x, weight, bias, true))]
    };
    assert_same(Operation::Linear, 1e-5, out);
}

#[test]
fn an_untracked_input_gets_no_gradient() {
    let _turn = turn();
    let layer = Layer::random([5, 6, 7], false, true);
    let weight = layer.weight.clone().require_grad();
    let grads = linear(layer.x.clone(), weight.clone(), None, true)
        .sum()
        .backward();
    assert!(layer.x.grad(&grads).is_none());
    assert!(weight.grad(&grads).is_some());
}
