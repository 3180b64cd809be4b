//! Vectors of `f32`: what the kernels are written in, once for all instruction sets.

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64;
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
    /// A choice for each lane.
    type Mask: Copy;
    /// The same value in every lane.
    unsafe fn splat(value: f32) -> Self;
    /// Reads a vector.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes a vector.
    unsafe fn store(self, to: *mut f32);
    /// `self · factor + sum`, lane by lane.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// Which lanes are larger than those of `other`, or NaN.
    unsafe fn beats(self, other: Self) -> Self::Mask;
    /// The lanes of `yes` where the mask is set, else those of `no`.
    unsafe fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// Writes lanes that are whole numbers below 128 as bytes.
    unsafe fn store_bytes(self, to: *mut u8);
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
    type Mask = [bool; 8];

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

    #[inline(always)]
    unsafe fn beats(self, other: Self) -> [bool; 8] {
        std::array::from_fn(|i| self.0[i] > other.0[i] || self.0[i].is_nan())
    }

    #[inline(always)]
    unsafe fn select(mask: [bool; 8], yes: Self, no: Self) -> Self {
        Array8(std::array::from_fn(|i| {
            if mask[i] { yes.0[i] } else { no.0[i] }
        }))
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: the caller vouches for eight bytes.
        unsafe { to.cast::<[u8; 8]>().write(self.0.map(|value| value as u8)) }
    }
}

/// A register of `$arch` as [`Lanes`].
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! register_lanes {
    ($arch:ident::$register:ident, $width:literal, $splat:ident, $load:ident, $store:ident, $module:ident) => {
        impl Lanes for $arch::$register {
            const WIDTH: usize = $width;
            type Mask = $module::Mask;

            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { $arch::$splat(value) }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller vouches for the instruction set and the values.
                unsafe { $arch::$load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller vouches for the instruction set and the places.
                unsafe { $arch::$store(to, self) }
            }

            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { $module::mul_add(self, factor, sum) }
            }

            #[inline(always)]
            unsafe fn beats(self, other: Self) -> Self::Mask {
                // SAFETY: as above.
                unsafe { $module::beats(self, other) }
            }

            #[inline(always)]
            unsafe fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
                // SAFETY: as above.
                unsafe { $module::select(mask, yes, no) }
            }

            #[inline(always)]
            unsafe fn store_bytes(self, to: *mut u8) {
                // SAFETY: as above; the caller vouches for the places.
                unsafe { $module::store_bytes(self, to) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
register_lanes!(
    x86_64::__m256,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    avx2
);
#[cfg(target_arch = "x86_64")]
register_lanes!(
    x86_64::__m512,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    avx512
);
#[cfg(target_arch = "aarch64")]
register_lanes!(
    aarch64::float32x4_t,
    4,
    vdupq_n_f32,
    vld1q_f32,
    vst1q_f32,
    neon
);

/// What differs for registers of 256 bits.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _CMP_GT_OQ, _CMP_UNORD_Q, _mm_packs_epi32, _mm_packus_epi16, _mm_storel_epi64,
        _mm256_blendv_ps, _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cvtps_epi32,
        _mm256_extracti128_si256, _mm256_or_ps,
    };

    pub(super) use std::arch::x86_64::_mm256_fmadd_ps as mul_add;

    pub(super) type Mask = __m256;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn beats(a: __m256, b: __m256) -> Mask {
        let larger = _mm256_cmp_ps::<_CMP_GT_OQ>(a, b);
        _mm256_or_ps(larger, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn select(mask: Mask, yes: __m256, no: __m256) -> __m256 {
        _mm256_blendv_ps(no, yes, mask)
    }

    /// # Safety
    /// `to` must be writable for eight bytes.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn store_bytes(values: __m256, to: *mut u8) {
        let values = _mm256_cvtps_epi32(values);
        let high = _mm256_extracti128_si256::<1>(values);
        let words = _mm_packs_epi32(_mm256_castsi256_si128(values), high);
        // SAFETY: the caller vouches for eight bytes.
        unsafe { _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words)) }
    }
}

/// What differs for registers of 512 bits.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, __mmask16, _CMP_GT_OQ, _CMP_UNORD_Q, _mm_storeu_si128, _mm512_cmp_ps_mask,
        _mm512_cvtepi32_epi8, _mm512_cvtps_epi32, _mm512_mask_blend_ps,
    };

    pub(super) use std::arch::x86_64::_mm512_fmadd_ps as mul_add;

    pub(super) type Mask = __mmask16;

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn beats(a: __m512, b: __m512) -> Mask {
        _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn select(mask: Mask, yes: __m512, no: __m512) -> __m512 {
        _mm512_mask_blend_ps(mask, no, yes)
    }

    /// # Safety
    /// `to` must be writable for sixteen bytes.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn store_bytes(values: __m512, to: *mut u8) {
        let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(values));
        // SAFETY: the caller vouches for sixteen bytes.
        unsafe { _mm_storeu_si128(to.cast(), bytes) }
    }
}

/// What differs for registers of NEON.
#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::{
        float32x4_t, uint32x4_t, vbslq_f32, vceqq_f32, vcgtq_f32, vcombine_u16, vcvtq_u32_f32,
        vfmaq_f32, vmovn_u16, vmovn_u32, vornq_u32, vst1_u8,
    };

    pub(super) type Mask = uint32x4_t;

    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn mul_add(a: float32x4_t, b: float32x4_t, sum: float32x4_t) -> float32x4_t {
        vfmaq_f32(sum, a, b)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn beats(a: float32x4_t, b: float32x4_t) -> Mask {
        vornq_u32(vcgtq_f32(a, b), vceqq_f32(a, a))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn select(mask: Mask, yes: float32x4_t, no: float32x4_t) -> float32x4_t {
        vbslq_f32(mask, yes, no)
    }

    /// # Safety
    /// `to` must be writable for four bytes.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) unsafe fn store_bytes(values: float32x4_t, to: *mut u8) {
        let words = vmovn_u32(vcvtq_u32_f32(values));
        let mut bytes = [0; 8];
        // SAFETY: the array is eight bytes, and the caller vouches for four.
        unsafe {
            vst1_u8(bytes.as_mut_ptr(), vmovn_u16(vcombine_u16(words, words)));
            to.copy_from_nonoverlapping(bytes.as_ptr(), 4);
        }
    }
}

/// Splits `total` into the fewest blocks of at most `most`, as even as can be: a small last block
/// would leave most of the arithmetic units idle.
pub(crate) fn even_blocks(total: usize, most: usize) -> impl Iterator<Item = usize> {
    let blocks = total.div_ceil(most).max(1);
    (0..blocks).map(move |block| (total + block) / blocks)
}
