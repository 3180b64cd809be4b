//! Random inputs, to record and to verify with.

use burn::tensor::{DType, TensorData};

/// How elements are drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Distribution {
    /// With mean 0 and variance 1.
    Normal,
    /// From the first number to below the second; integers are rounded down.
    Uniform(f64, f64),
}

/// What inputs are recorded with. No kernel runs on them: they only differ from
/// capture to capture, so that a constant that follows an input's values shows.
pub(crate) const RECORDED: Distribution = Distribution::Uniform(0.0, 100.0);

/// A tensor of random elements; equal seeds give equal tensors. Booleans are
/// true in half of the cases.
pub(crate) fn random(
    shape: Vec<usize>,
    dtype: DType,
    distribution: Distribution,
    seed: u64,
) -> TensorData {
    let count: usize = shape.iter().product();
    let mut state = seed;
    if dtype.is_bool() {
        let bits: Vec<bool> = (0..count).map(|_| next_unit(&mut state) < 0.5).collect();
        return TensorData::new(bits, shape).convert_dtype(dtype);
    }
    let values: Vec<f64> = (0..count).map(|_| next(&mut state, distribution)).collect();
    if dtype.is_float() {
        return TensorData::new(values, shape).convert_dtype(dtype);
    }
    let integers: Vec<i64> = values.iter().map(|value| value.floor() as i64).collect();
    TensorData::new(integers, shape).convert_dtype(dtype)
}

fn next(state: &mut u64, distribution: Distribution) -> f64 {
    match distribution {
        Distribution::Uniform(low, high) => low + (high - low) * next_unit(state),
        // Box and Muller's formula.
        Distribution::Normal => {
            let radius = (-2.0 * (1.0 - next_unit(state)).ln()).sqrt();
            radius * (std::f64::consts::TAU * next_unit(state)).cos()
        }
    }
}

/// The next number in [0, 1), by SplitMix64.
fn next_unit(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
