//! Tile kernels for any CPU: arrays that the compiler vectorises with what it may assume.

use super::body::{Lanes, kernels, tile};
use super::{KernelSet, Tile};

/// Eight values.
#[derive(Clone, Copy)]
struct Array8([f32; 8]);

impl Lanes for Array8 {
    const WIDTH: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Array8([value; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for eight values.
        Array8(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for eight values.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        Array8(std::array::from_fn(|i| self.0[i] * factor.0[i] + sum.0[i]))
    }
}

/// See [`tile`].
///
/// # Safety
/// As [`super::Kernel`].
unsafe fn kernel<const ROWS: usize, const VECTORS: usize>(description: &Tile) {
    // SAFETY: the caller keeps the contract.
    unsafe { tile::<Array8, ROWS, VECTORS>(description) }
}

/// Eight sums of two 4-wide registers each leave room in the sixteen registers that the smallest
/// common instruction sets have.
pub(super) static KERNELS: KernelSet = KernelSet {
    kernels: kernels!(kernel),
    rows: [5, 3, 0, 0],
};
