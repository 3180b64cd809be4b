//! Vectors of `f32`: what the kernels are written in, once for all instruction sets.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64;

/// A vector of `f32`.
///
/// # Safety
/// All functions: the CPU must have the instruction set that the type stands for, and pointers
/// must be valid for [`Lanes::WIDTH`] values. They need no alignment.
pub(crate) trait Lanes: Copy {
    /// Values in a vector.
    const WIDTH: usize;
    /// The same value in every lane.
    unsafe fn splat(value: f32) -> Self;
    /// Reads a vector.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes a vector.
    unsafe fn store(self, to: *mut f32);
    /// `self · factor + sum`, lane by lane.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
}

/// Reads vectors that stand side by side.
///
/// # Safety
/// As [`Lanes::load`], for all of them.
#[inline(always)]
pub(crate) unsafe fn load_all<L: Lanes, const VECTORS: usize>(from: *const f32) -> [L; VECTORS] {
    // SAFETY: the caller vouches for the values.
    std::array::from_fn(|vector| unsafe { L::load(from.add(vector * L::WIDTH)) })
}

/// Writes vectors side by side.
///
/// # Safety
/// As [`Lanes::store`], for all of them.
#[inline(always)]
pub(crate) unsafe fn store_all<L: Lanes, const VECTORS: usize>(
    vectors: [L; VECTORS],
    to: *mut f32,
) {
    for (i, vector) in vectors.into_iter().enumerate() {
        // SAFETY: the caller vouches for the places.
        unsafe { vector.store(to.add(i * L::WIDTH)) };
    }
}

/// Eight values that the compiler vectorises with what every CPU of the target has.
#[derive(Clone, Copy)]
pub(crate) struct Array8([f32; 8]);

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

/// A register of x86 as [`Lanes`].
#[cfg(target_arch = "x86_64")]
macro_rules! x86_lanes {
    ($register:ident, $width:literal, $splat:ident, $load:ident, $store:ident, $mul_add:ident) => {
        impl Lanes for x86_64::$register {
            const WIDTH: usize = $width;

            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { x86_64::$splat(value) }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller vouches for the instruction set and the values.
                unsafe { x86_64::$load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller vouches for the instruction set and the places.
                unsafe { x86_64::$store(to, self) }
            }

            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { x86_64::$mul_add(self, factor, sum) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_lanes!(
    __m256,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_fmadd_ps
);
#[cfg(target_arch = "x86_64")]
x86_lanes!(
    __m512,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_fmadd_ps
);

/// Splits `total` into the fewest blocks of at most `most`, as even as can be: a small last block
/// would leave most of the arithmetic units idle.
pub(crate) fn even_blocks(total: usize, most: usize) -> impl Iterator<Item = usize> {
    let blocks = total.div_ceil(most).max(1);
    (0..blocks).map(move |block| (total + block) / blocks)
}
