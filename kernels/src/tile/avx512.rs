//! Tile kernels for AVX-512: thirty-two registers of sixteen values.

use std::arch::x86_64::{
    __m512, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps,
};

use super::body::{Lanes, kernels, tile};
use super::{KernelSet, Tile};

impl Lanes for __m512 {
    const WIDTH: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller vouches for the instruction set.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for the instruction set and the values.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for the instruction set and the values.
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller vouches for the instruction set.
        unsafe { _mm512_fmadd_ps(self, factor, sum) }
    }
}

/// See [`tile`].
///
/// # Safety
/// As [`super::Kernel`].
#[target_feature(enable = "avx512f")]
unsafe fn kernel<const ROWS: usize, const VECTORS: usize>(description: &Tile) {
    // SAFETY: the caller keeps the contract.
    unsafe { tile::<__m512, ROWS, VECTORS>(description) }
}

/// Twenty-four sums, four vectors and a factor fit the thirty-two registers.
pub(super) static KERNELS: KernelSet = KernelSet {
    kernels: kernels!(kernel),
    rows: [8, 8, 8, 6],
};
