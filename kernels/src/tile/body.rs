//! The tile kernel, written once for all instruction sets.

use super::Tile;

/// A vector of `f32`.
///
/// # Safety
/// All functions: the CPU must have the instruction set that the type stands for, and pointers
/// must be valid for [`Lanes::WIDTH`] values.
pub(super) trait Lanes: Copy {
    /// Values in a vector.
    const WIDTH: usize;
    /// The same value in every lane.
    unsafe fn splat(value: f32) -> Self;
    /// Reads a vector; no alignment is needed.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes a vector; no alignment is needed.
    unsafe fn store(self, to: *mut f32);
    /// `self · factor + sum`, lane by lane.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
}

/// Computes a tile of `ROWS` rows and `VECTORS` vectors of columns in registers.
///
/// # Safety
/// As [`super::Kernel`].
#[inline(always)]
pub(super) unsafe fn tile<L: Lanes, const ROWS: usize, const VECTORS: usize>(tile: &Tile) {
    // SAFETY: the caller vouches for every place that the tile's description reaches.
    unsafe {
        let mut sums = [[L::splat(0.0); VECTORS]; ROWS];
        if !tile.start.is_null() {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = L::load(tile.start.add(row * tile.start_step + vector * L::WIDTH));
                }
            }
        }
        let mut rows = [tile.a; ROWS];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = tile.a.add(*tile.rows.add(i));
        }
        for outer in 0..tile.count[0] {
            let mut a = outer * tile.a_step[0];
            let mut b = tile.b.add(outer * tile.b_step[0]);
            for _ in 0..tile.count[1] {
                let mut values = [L::splat(0.0); VECTORS];
                for (vector, value) in values.iter_mut().enumerate() {
                    *value = L::load(b.add(vector * L::WIDTH));
                }
                for (row, sums) in rows.iter().zip(sums.iter_mut()) {
                    let factor = L::splat(*row.add(a));
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = factor.mul_add(value, *sum);
                    }
                }
                a += tile.a_step[1];
                b = b.wrapping_add(tile.b_step[1]);
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (vector, sum) in sums.iter().enumerate() {
                sum.store(tile.c.add(row * tile.c_step + vector * L::WIDTH));
            }
        }
    }
}

/// The table of kernels of an instruction set: `tile::<rows, vectors>` for all sizes.
macro_rules! kernels {
    ($tile:ident) => {
        [
            kernels!($tile, 1),
            kernels!($tile, 2),
            kernels!($tile, 3),
            kernels!($tile, 4),
        ]
    };
    ($tile:ident, $vectors:literal) => {
        [
            $tile::<1, $vectors>,
            $tile::<2, $vectors>,
            $tile::<3, $vectors>,
            $tile::<4, $vectors>,
            $tile::<5, $vectors>,
            $tile::<6, $vectors>,
            $tile::<7, $vectors>,
            $tile::<8, $vectors>,
        ]
    };
}
pub(super) use kernels;
