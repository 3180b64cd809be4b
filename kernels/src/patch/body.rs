//! The patch kernels, written once for all instruction sets.

use super::Call;
use crate::lanes::{Lanes, load_all, store_all};

/// Adds patches to sums that are held in registers.
///
/// # Safety
/// As [`super::Kernel`].
#[inline(always)]
pub(super) unsafe fn accumulate<L: Lanes, const ROWS: usize, const VECTORS: usize>(call: &Call) {
    // SAFETY: the caller vouches for every place that the call's description reaches.
    unsafe {
        let mut sums = [[L::splat(0.0); VECTORS]; ROWS];
        for (row, sums) in sums.iter_mut().enumerate() {
            *sums = load_all(call.kernel.add(row * call.stride));
        }
        for i in 0..call.len {
            let value = L::splat(*call.values.add(i));
            let patch = call.image.add(*call.places.add(i) as usize);
            for (row, sums) in sums.iter_mut().enumerate() {
                let pixels: [L; VECTORS] = load_all(patch.add(row * call.row_step));
                for (sum, pixels) in sums.iter_mut().zip(pixels) {
                    *sum = pixels.mul_add(value, *sum);
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            store_all(sums, call.kernel.add(row * call.stride));
        }
    }
}

/// Adds weights that are held in registers to patches.
///
/// # Safety
/// As [`super::Kernel`].
#[inline(always)]
pub(super) unsafe fn scatter<L: Lanes, const ROWS: usize, const VECTORS: usize>(call: &Call) {
    // SAFETY: the caller vouches for every place that the call's description reaches.
    unsafe {
        let mut weights = [[L::splat(0.0); VECTORS]; ROWS];
        for (row, weights) in weights.iter_mut().enumerate() {
            *weights = load_all(call.kernel.add(row * call.stride));
        }
        for i in 0..call.len {
            let value = L::splat(*call.values.add(i));
            let patch = call.image.add(*call.places.add(i) as usize);
            for (row, weights) in weights.iter().enumerate() {
                // Rows may overlap where they are filled up to whole vectors: one after the other.
                let pixels = patch.add(row * call.row_step);
                let mut sums: [L; VECTORS] = load_all(pixels);
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = weights.mul_add(value, *sum);
                }
                store_all(sums, pixels);
            }
        }
    }
}
