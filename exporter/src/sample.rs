//! Random inputs to record with.
//!
//! No kernel runs on them. They only differ from capture to capture, so that a
//! constant that follows an input's values shows.

use burn::tensor::{DType, TensorData};

/// A tensor of random elements; equal seeds give equal tensors.
pub(crate) fn random(shape: Vec<usize>, dtype: DType, seed: u64) -> TensorData {
    let count: usize = shape.iter().product();
    let mut state = seed;
    let unit: Vec<f64> = (0..count).map(|_| next_unit(&mut state)).collect();
    if dtype.is_bool() {
        let bits: Vec<bool> = unit.iter().map(|value| *value < 0.5).collect();
        return TensorData::new(bits, shape).convert_dtype(dtype);
    }
    if dtype.is_float() {
        return TensorData::new(unit, shape).convert_dtype(dtype);
    }
    let integers: Vec<i64> = unit.iter().map(|value| (value * 100.0) as i64).collect();
    TensorData::new(integers, shape).convert_dtype(dtype)
}

/// The next number in [0, 1), by SplitMix64.
fn next_unit(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
