//! The tile kernel, written once for all instruction sets.

use super::{Tile, TileStart};
use crate::lanes::{Lanes, load_all, store_all};

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
            TileStart::Row(values) => sums = [load_all(values); ROWS],
            TileStart::Result => {
                for (sums, result) in sums.iter_mut().zip(results) {
                    *sums = load_all(result);
                }
            }
        }
        for outer in 0..tile.count[0] {
            for middle in 0..tile.count[1] {
                let mut a = outer * tile.a_step[0] + middle * tile.a_step[1];
                let mut b = tile.b.add(outer * tile.b_step[0] + middle * tile.b_step[1]);
                for _ in 0..tile.count[2] {
                    let values: [L; VECTORS] = load_all(b);
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
        for (sums, result) in sums.into_iter().zip(results) {
            store_all(sums, result);
        }
    }
}
