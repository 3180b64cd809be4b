//! The transforms of a tile, written once for all instruction sets.

use std::mem::MaybeUninit;

use super::linear::Linear;
use super::{Call, TILE};
use crate::lanes::Lanes;

/// Columns, then rows, of a block to the frequencies of a tile.
///
/// # Safety
/// As [`super::Kernel`].
#[inline(always)]
pub(super) unsafe fn transform<L: Lanes, T: Linear<N>, const N: usize>(call: &Call) {
    // SAFETY: the caller vouches for every place that the call's description reaches. All columns
    // are written before they are read.
    unsafe {
        let mut columns = MaybeUninit::<[[L; TILE]; N]>::uninit();
        let columns = columns.as_mut_ptr().cast::<[L; TILE]>();
        for x in 0..N {
            columns.add(x).write(T::apply(column(call, x)));
        }
        for y in 0..TILE {
            let mut row = [L::splat(0.0); N];
            for (x, value) in row.iter_mut().enumerate() {
                *value = (*columns.add(x))[y];
            }
            let mut place = call.tile.add(y * TILE * call.plane);
            for value in T::apply(row) {
                value.store(place);
                place = place.wrapping_add(call.plane);
            }
        }
    }
}

/// A column of a block, zero where it is not there.
///
/// # Safety
/// As [`super::Kernel`].
#[inline(always)]
unsafe fn column<L: Lanes, const N: usize>(call: &Call, x: usize) -> [L; N] {
    let [rows, columns] = call.inside;
    // SAFETY: the caller vouches for all pixels inside.
    unsafe {
        let mut column = [L::splat(0.0); N];
        let place = call.block.wrapping_add(x * call.pixel);
        if rows == N && columns == N {
            for (y, value) in column.iter_mut().enumerate() {
                *value = L::load(place.add(y * call.row));
            }
        } else if x < columns {
            for (y, value) in column.iter_mut().enumerate() {
                if y < rows {
                    *value = L::load(place.add(y * call.row));
                }
            }
        }
        column
    }
}

/// Columns, then rows, of a tile back to a block.
///
/// # Safety
/// As [`super::Kernel`].
#[inline(always)]
pub(super) unsafe fn adjoint<L: Lanes, T: Linear<N>, const N: usize>(call: &Call) {
    // SAFETY: as in `transform`.
    unsafe {
        let mut columns = MaybeUninit::<[[L; N]; TILE]>::uninit();
        let columns = columns.as_mut_ptr().cast::<[L; N]>();
        for x in 0..TILE {
            let mut column = [L::splat(0.0); TILE];
            let mut place = call.tile.add(x * call.plane);
            for value in &mut column {
                *value = L::load(place);
                place = place.wrapping_add(TILE * call.plane);
            }
            columns.add(x).write(T::transposed(column));
        }
        for y in 0..call.inside[0] {
            let mut row = [L::splat(0.0); TILE];
            for (x, value) in row.iter_mut().enumerate() {
                *value = (*columns.add(x))[y];
            }
            let mut place = call.block.add(y * call.row);
            for value in T::transposed(row).into_iter().take(call.inside[1]) {
                let start = if call.start.is_null() {
                    place
                } else {
                    call.start
                };
                value.mul_add(L::splat(1.0), L::load(start)).store(place);
                place = place.wrapping_add(call.pixel);
            }
        }
    }
}
