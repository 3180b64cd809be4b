//! Tile kernels for AVX2 with fused multiply-add: sixteen registers of eight values.

use std::arch::x86_64::{
    __m256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps,
};

use super::body::{Lanes, kernels, tile};
use super::{KernelSet, Tile};

impl Lanes for __m256 {
    const WIDTH: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller vouches for the instruction set.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for the instruction set and the values.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for the instruction set and the values.
        unsafe { _mm256_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller vouches for the instruction set.
        unsafe { _mm256_fmadd_ps(self, factor, sum) }
    }
}

/// See [`tile`].
///
/// # Safety
/// As [`super::Kernel`].
#[target_feature(enable = "avx2,fma")]
unsafe fn kernel<const ROWS: usize, const VECTORS: usize>(description: &Tile) {
    // SAFETY: the caller keeps the contract.
    unsafe { tile::<__m256, ROWS, VECTORS>(description) }
}

/// Twelve sums, two vectors and one factor use fifteen of the sixteen registers.
pub(super) static KERNELS: KernelSet = KernelSet {
    kernels: kernels!(kernel),
    rows: [8, 6, 0, 0],
};
