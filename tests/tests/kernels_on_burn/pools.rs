//! Pooling by itself.

use burn::tensor::{Device, Distribution, Tensor};
use kernels::{Operation, PoolWindow, avg_pool, max_pool};
use proptest::prelude::*;

use super::{NOT_FINITE, assert_same, backward, counted, turn, values};

type Pool = fn(Tensor<4>, PoolWindow) -> Tensor<4>;

/// Compares output and gradient of a pooling.
#[track_caller]
fn check(pool: Pool, x: &Tensor<4>, window: PoolWindow) {
    assert_same(Operation::Pool, 1e-5, || {
        let x = x.clone().require_grad();
        let out = pool(x.clone(), window);
        let grads = backward(&out);
        vec![values(out), values(x.grad(&grads).unwrap())]
    });
}

fn random(shape: [usize; 4]) -> Tensor<4> {
    let x = Tensor::random(
        shape,
        Distribution::Uniform(-4.0, 4.0),
        &Device::flex().autodiff(),
    );
    // Ties are frequent.
    x.round()
}

fn window() -> impl Strategy<Value = PoolWindow> {
    let kernel = [1_usize..5, 1..5];
    let settings = kernel.prop_flat_map(|[height, width]| {
        let padding = [0..=height / 2, 0..=width / 2];
        (Just([height, width]), [1_usize..4, 1..4], padding)
    });
    settings.prop_map(|(kernel, stride, padding)| PoolWindow {
        kernel,
        stride,
        padding,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn outputs_and_gradients_are_those_of_burn(
        shape in [1_usize..4, 1..9, 4..20, 10..20],
        window in window(),
    ) {
        check(max_pool, &random(shape), window);
        check(avg_pool, &random(shape), window);
    }
}

const OVERLAPPING: PoolWindow = PoolWindow {
    kernel: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
};

#[test]
fn views_are_read_as_their_values() {
    let x = random([9, 8, 3, 5]).permute([3, 2, 1, 0]);
    check(max_pool, &x, OVERLAPPING);
    check(avg_pool, &x, OVERLAPPING);
}

#[test]
fn nan_and_infinities_spread_as_in_burn() {
    for value in NOT_FINITE {
        let x = random([2, 3, 9, 8]).slice_fill([0..1, 1..2, 3..5, 4..5], value);
        check(max_pool, &x, OVERLAPPING);
        check(avg_pool, &x, OVERLAPPING);
    }
}

#[test]
fn it_is_one_operation_without_autodiff_too() {
    let x = random([2, 3, 9, 8]).inner();
    for pool in [max_pool, avg_pool] {
        assert_same(Operation::Pool, 1e-5, || {
            vec![values(pool(x.clone(), OVERLAPPING))]
        });
    }
}

#[test]
fn windows_that_do_not_fit_are_left_to_burn() {
    let _turn = turn();
    let window = PoolWindow {
        kernel: [30, 30],
        ..OVERLAPPING
    };
    let x = random([1, 1, 5, 5]);
    let run = || std::panic::catch_unwind(|| max_pool(x, window).dims());
    let (_, calls) = counted(Operation::Pool, run);
    assert_eq!(calls, 0);
}
