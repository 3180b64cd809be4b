//! The tile kernel, written once for all instruction sets.

use super::{Tile, TileStart};

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
    // SAFETY: the caller vouches for every place that the tile's description reaches. Rows that
    // no step reads are not dereferenced: their pointers are formed without `add`'s promise.
    unsafe {
        let mut rows = [tile.a; ROWS];
        let mut results = [tile.c; ROWS];
        for i in 0..ROWS {
            rows[i] = tile.a.wrapping_add(*tile.rows.add(i));
            results[i] = tile.c.add(*tile.results.add(i));
        }
        let mut sums = [[L::splat(0.0); VECTORS]; ROWS];
        match tile.start {
            TileStart::Zero => {}
            TileStart::Row(values) => sums = [load(values); ROWS],
            TileStart::Result => {
                for (sums, result) in sums.iter_mut().zip(results) {
                    *sums = load(result);
                }
            }
        }
        for outer in 0..tile.count[0] {
            for middle in 0..tile.count[1] {
                let mut a = outer * tile.a_step[0] + middle * tile.a_step[1];
                let mut b = tile.b.add(outer * tile.b_step[0] + middle * tile.b_step[1]);
                for _ in 0..tile.count[2] {
                    let values: [L; VECTORS] = load(b);
                    for (row, sums) in rows.iter().zip(sums.iter_mut()) {
                        let factor = L::splat(*row.add(a));
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum = factor.mul_add(value, *sum);
                        }
                    }
                    a += tile.a_step[2];
                    b = b.wrapping_add(tile.b_step[2]);
                }
            }
        }
        for (sums, result) in sums.iter().zip(results) {
            for (vector, sum) in sums.iter().enumerate() {
                sum.store(result.add(vector * L::WIDTH));
            }
        }
    }
}

/// Reads vectors that stand side by side.
///
/// # Safety
/// As [`Lanes::load`], for all of them.
#[inline(always)]
unsafe fn load<L: Lanes, const VECTORS: usize>(from: *const f32) -> [L; VECTORS] {
    // SAFETY: the caller vouches for the values.
    std::array::from_fn(|vector| unsafe { L::load(from.add(vector * L::WIDTH)) })
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
