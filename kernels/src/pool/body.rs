//! Pooling, written once for all instruction sets.

use super::{Call, NO_SOURCE};
use crate::geometry::POOL;
use crate::lanes::Lanes;

/// Pools window by window, a vector of channels at a time.
///
/// # Safety
/// As [`super::Kernel`].
#[inline(always)]
pub(super) unsafe fn pool<L: Lanes>(call: &Call) {
    let [height, width] = call.windows;
    let row = POOL * width * call.columns;
    for window in 0..height * width {
        let first = window / width * POOL * row + window % width * POOL * call.columns;
        for column in (0..call.columns).step_by(L::WIDTH) {
            let result = window * call.columns + column;
            // SAFETY: the caller vouches for the four pixels of each window and for its result.
            unsafe {
                let places = [
                    first,
                    first + call.columns,
                    first + row,
                    first + row + call.columns,
                ];
                let values = places.map(|place| L::load(call.sums.add(place + column)));
                let (best, source) = best_of(values, call.relu);
                best.store(call.pooled.add(result));
                if !call.sources.is_null() {
                    source.store_bytes(call.sources.add(result));
                }
            }
        }
    }
}

/// The largest of four values, the first among equals, the last NaN if there is one; and which
/// one it is, or [`NO_SOURCE`] where ReLU makes it zero.
///
/// # Safety
/// As [`Lanes`].
#[inline(always)]
unsafe fn best_of<L: Lanes>(values: [L; POOL * POOL], relu: bool) -> (L, L) {
    let [mut best, others @ ..] = values;
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let mut source = L::splat(0.0);
        for (place, value) in (1_u8..).zip(others) {
            let better = value.beats(best);
            best = L::select(better, value, best);
            source = L::select(better, L::splat(place.into()), source);
        }
        if relu {
            let zero = L::splat(0.0);
            let alive = best.beats(zero);
            best = L::select(alive, best, zero);
            source = L::select(alive, source, L::splat(NO_SOURCE.into()));
        }
        (best, source)
    }
}
