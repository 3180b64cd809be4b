//! Transposing 4×4 values in registers.

use std::arch::aarch64::{
    float32x4_t, vdupq_n_f32, vld1q_f32, vreinterpretq_f32_f64, vreinterpretq_f64_f32, vst1q_f32,
    vtrn1q_f32, vtrn1q_f64, vtrn2q_f32, vtrn2q_f64,
};

/// Side of the blocks that are transposed at once.
pub(super) const SIDE: usize = 4;

/// Transposes a block of 4×4 values.
///
/// # Safety
/// `from` must be readable and `to` writable for four rows of four values that lie `from_step` and
/// `to_step` apart.
#[target_feature(enable = "neon")]
pub(super) unsafe fn transpose_block(
    from: *const f32,
    from_step: usize,
    to: *mut f32,
    to_step: usize,
) {
    let mut rows = [vdupq_n_f32(0.0); SIDE];
    for (i, row) in rows.iter_mut().enumerate() {
        // SAFETY: the caller vouches for four rows of four values.
        *row = unsafe { vld1q_f32(from.add(i * from_step)) };
    }
    for (i, column) in transposed(rows).into_iter().enumerate() {
        // SAFETY: as above.
        unsafe { vst1q_f32(to.add(i * to_step), column) };
    }
}

/// The columns of four rows: pairs of values are brought together, then pairs of pairs.
#[target_feature(enable = "neon")]
fn transposed([a, b, c, d]: [float32x4_t; SIDE]) -> [float32x4_t; SIDE] {
    let even = |x, y| vreinterpretq_f64_f32(vtrn1q_f32(x, y));
    let odd = |x, y| vreinterpretq_f64_f32(vtrn2q_f32(x, y));
    [
        vreinterpretq_f32_f64(vtrn1q_f64(even(a, b), even(c, d))),
        vreinterpretq_f32_f64(vtrn1q_f64(odd(a, b), odd(c, d))),
        vreinterpretq_f32_f64(vtrn2q_f64(even(a, b), even(c, d))),
        vreinterpretq_f32_f64(vtrn2q_f64(odd(a, b), odd(c, d))),
    ]
}
