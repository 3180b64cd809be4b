//! Between Burn's planes (channel by channel) and the kernels' pixels (all channels of a pixel
//! side by side).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;

use crate::isa::{Isa, Kind};

/// `to[column · to_step + row] = from[row · from_step + column]` for `size` = [rows, columns].
///
/// # Panics
/// If a slice is too short.
pub(crate) fn transpose(
    isa: Isa,
    from: &[f32],
    from_step: usize,
    to: &mut [f32],
    to_step: usize,
    size: [usize; 2],
) {
    let [rows, columns] = size;
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(
        (rows - 1) * from_step + columns <= from.len(),
        "source is too short"
    );
    assert!(
        (columns - 1) * to_step + rows <= to.len(),
        "target is too short"
    );
    match isa.kind() {
        Kind::Portable => transpose_values(from, from_step, to, to_step, size),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 | Kind::Avx512 => {
            let block = size.map(|size| size.min(avx2::SIDE));
            for column in block_starts(columns, avx2::SIDE) {
                for row in block_starts(rows, avx2::SIDE) {
                    let from = from[row * from_step + column..].as_ptr();
                    let to = to[column * to_step + row..].as_mut_ptr();
                    // SAFETY: the asserts above put the whole block inside both slices, and
                    // such an `Isa` exists only where the CPU has AVX2.
                    unsafe {
                        if block == [avx2::SIDE; 2] {
                            avx2::transpose_block(from, from_step, to, to_step);
                        } else {
                            avx2::transpose_part(from, from_step, to, to_step, block);
                        }
                    }
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        Kind::Neon if rows < neon::SIDE || columns < neon::SIDE => {
            transpose_values(from, from_step, to, to_step, size);
        }
        #[cfg(target_arch = "aarch64")]
        Kind::Neon => {
            for column in block_starts(columns, neon::SIDE) {
                for row in block_starts(rows, neon::SIDE) {
                    let from = from[row * from_step + column..].as_ptr();
                    let to = to[column * to_step + row..].as_mut_ptr();
                    // SAFETY: the asserts above put the whole block inside both slices, and
                    // every CPU of the target has NEON.
                    unsafe { neon::transpose_block(from, from_step, to, to_step) };
                }
            }
        }
    }
}

/// Where blocks of `side` places begin that cover `size`; the last may overlap the one before it.
fn block_starts(size: usize, side: usize) -> impl Iterator<Item = usize> {
    (0..size.div_ceil(side)).map(move |block| (block * side).min(size.saturating_sub(side)))
}

/// Columns that are transposed at once, value by value: a few, so that source lines stay in cache.
const RUN: usize = 8;

/// Value by value.
fn transpose_values(
    from: &[f32],
    from_step: usize,
    to: &mut [f32],
    to_step: usize,
    size: [usize; 2],
) {
    let [rows, columns] = size;
    for first in (0..columns).step_by(RUN) {
        for row in 0..rows {
            let line = &from[row * from_step..][first..columns.min(first + RUN)];
            for (column, &value) in (first..).zip(line) {
                to[column * to_step + row] = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_transposed_and_nothing_else_is_written() {
        let from: Vec<f32> = (0..20 * 23).map(|i| i as f32).collect();
        let sizes = (0..20).flat_map(|rows| (0..20).map(move |columns| [rows, columns]));
        for ([rows, columns], isa) in
            sizes.flat_map(|size| Isa::available().into_iter().map(move |isa| (size, isa)))
        {
            let mut to = [-1.0; 20 * 21];
            transpose(isa, &from, 23, &mut to, 21, [rows, columns]);
            for (place, &value) in to.iter().enumerate() {
                let (column, row) = (place / 21, place % 21);
                let inside = row < rows && column < columns;
                let expected = if inside {
                    from[row * 23 + column]
                } else {
                    -1.0
                };
                assert_eq!(value, expected, "{isa:?}, {rows} by {columns}");
            }
        }
    }
}
