//! Transposing 8×8 values in registers.

use std::arch::x86_64::{
    __m256, __m256i, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_maskload_ps, _mm256_maskstore_ps,
    _mm256_permute2f128_ps, _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
    _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

/// Side of the blocks that are transposed at once.
pub(super) const SIDE: usize = 8;

/// Transposes a block of 8×8 values.
///
/// # Safety
/// `from` must be readable and `to` writable for eight rows of eight values that lie `from_step`
/// and `to_step` apart, and the CPU must have AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn transpose_block(
    from: *const f32,
    from_step: usize,
    to: *mut f32,
    to_step: usize,
) {
    let mut rows = [_mm256_setzero_ps(); 8];
    for (i, row) in rows.iter_mut().enumerate() {
        // SAFETY: the caller vouches for eight rows of eight values.
        *row = unsafe { _mm256_loadu_ps(from.add(i * from_step)) };
    }
    for (i, column) in transposed(rows).into_iter().enumerate() {
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(to.add(i * to_step), column) };
    }
}

/// Transposes a block of at most 8×8 values, `size` = [rows, columns].
///
/// # Safety
/// `from` must be readable for `rows` rows of `columns` values and `to` writable for `columns` rows
/// of `rows` values, and the CPU must have AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn transpose_part(
    from: *const f32,
    from_step: usize,
    to: *mut f32,
    to_step: usize,
    size: [usize; 2],
) {
    let [in_row, in_column] = [mask(size[1]), mask(size[0])];
    let mut rows = [_mm256_setzero_ps(); 8];
    for (i, row) in rows.iter_mut().enumerate().take(size[0]) {
        // SAFETY: the caller vouches for this row, and the mask leaves out what is behind it.
        *row = unsafe { _mm256_maskload_ps(from.add(i * from_step), in_row) };
    }
    for (i, column) in transposed(rows).into_iter().enumerate().take(size[1]) {
        // SAFETY: as above.
        unsafe { _mm256_maskstore_ps(to.add(i * to_step), in_column, column) };
    }
}

/// A mask of the first `count` values, at most eight.
#[target_feature(enable = "avx2")]
fn mask(count: usize) -> __m256i {
    const SIGNS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    let signs: &[i32] = &SIGNS[8 - count..][..8];
    // SAFETY: the slice is eight values.
    unsafe { _mm256_loadu_si256(signs.as_ptr().cast()) }
}

/// The columns of eight rows: pairs of values, then fours, then halves of the register are
/// brought together.
#[target_feature(enable = "avx2")]
fn transposed(r: [__m256; 8]) -> [__m256; 8] {
    let pairs = [0, 2, 4, 6].map(|i| {
        (
            _mm256_unpacklo_ps(r[i], r[i + 1]),
            _mm256_unpackhi_ps(r[i], r[i + 1]),
        )
    });
    let fours = |a: (__m256, __m256), b: (__m256, __m256)| {
        [
            _mm256_shuffle_ps::<0x44>(a.0, b.0),
            _mm256_shuffle_ps::<0xee>(a.0, b.0),
            _mm256_shuffle_ps::<0x44>(a.1, b.1),
            _mm256_shuffle_ps::<0xee>(a.1, b.1),
        ]
    };
    let (top, bottom) = (fours(pairs[0], pairs[1]), fours(pairs[2], pairs[3]));
    let low = |i: usize| _mm256_permute2f128_ps::<0x20>(top[i], bottom[i]);
    let high = |i: usize| _mm256_permute2f128_ps::<0x31>(top[i], bottom[i]);
    [
        low(0),
        low(1),
        low(2),
        low(3),
        high(0),
        high(1),
        high(2),
        high(3),
    ]
}
