//! The kernels as operations of Burn: against Burn's own, and where they fall back to them.

#![allow(clippy::unwrap_used)]

mod batch_norm;
mod conv2d_block;
mod cross_entropy;
mod linear;
mod pools;
mod updates;

use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::{Gradients, Tensor};
use kernels::{Operation, fused_calls, set_enabled};

/// What spreads.
const NOT_FINITE: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

/// Waits for a turn: the switch and the counter are the process's.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `action` with the kernels off, in a turn.
fn separately<T>(action: impl FnOnce() -> T) -> T {
    set_enabled(false);
    let _on = On;
    action()
}

/// Turns the kernels on again, even after a panic.
struct On;

impl Drop for On {
    fn drop(&mut self) {
        set_enabled(true);
    }
}

/// Runs `action` and tells how many forward passes of an operation were fused.
fn counted<T>(operation: Operation, action: impl FnOnce() -> T) -> (T, u64) {
    let before = fused_calls(operation);
    let result = action();
    (result, fused_calls(operation) - before)
}

/// Compares what an operation gives fused, which it must be, with what Burn's own give.
#[track_caller]
fn assert_same(operation: Operation, tolerance: f32, run: impl Fn() -> Vec<Vec<f32>>) {
    let _turn = turn();
    let (fused, calls) = counted(operation, &run);
    assert_eq!(calls, 1, "{operation:?} was not fused");
    let (separate, calls) = counted(operation, || separately(&run));
    assert_eq!(calls, 0, "{operation:?} was fused");
    assert_close(&fused, &separate, tolerance);
}

/// Goes back from `out`, with a gradient that differs from place to place.
fn backward<const D: usize>(out: &Tensor<D>) -> Gradients {
    let weights = out.clone().detach().add_scalar(0.3);
    (out.clone() * weights).sum().backward()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Compares lists of values by the largest finite one; NaN is NaN, and an infinity itself.
#[track_caller]
fn assert_close(actual: &[Vec<f32>], expected: &[Vec<f32>], tolerance: f32) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert_eq!(actual.len(), expected.len());
        let scale = expected
            .iter()
            .filter(|value| value.is_finite())
            .fold(1.0_f32, |most, value| most.max(value.abs()));
        for (a, e) in actual.iter().zip(expected) {
            let same = a == e || a.is_nan() && e.is_nan() || (a - e).abs() <= tolerance * scale;
            assert!(same, "{a} is not {e}");
        }
    }
}
