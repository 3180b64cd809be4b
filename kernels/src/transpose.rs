//! Between Burn's planes (channel by channel) and the kernels' pixels (all channels of a pixel
//! side by side).

use crate::isa::per_isa;

/// Side of the blocks that are transposed at once: a cache line of values.
const BLOCK: usize = 16;

per_isa! {
    /// `to[column · to_step + row] = from[row · from_step + column]` for `size` = [rows, columns].
    fn transpose(
        from: &[f32],
        from_step: usize,
        to: &mut [f32],
        to_step: usize,
        size: [usize; 2],
    ) = transpose_body
}

#[inline(always)]
fn transpose_body(
    from: &[f32],
    from_step: usize,
    to: &mut [f32],
    to_step: usize,
    size: [usize; 2],
) {
    let [rows, columns] = size;
    for row in (0..rows).step_by(BLOCK) {
        let height = BLOCK.min(rows - row);
        for column in (0..columns).step_by(BLOCK) {
            let width = BLOCK.min(columns - column);
            for x in column..column + width {
                let line = &mut to[x * to_step + row..][..height];
                for (y, value) in line.iter_mut().enumerate() {
                    *value = from[(row + y) * from_step + x];
                }
            }
        }
    }
}
