//! Memory that is kept from step to step.
//!
//! Each thread keeps the buffers that were dropped on it, the largest that were ever needed, and
//! hands them out again, so that a training step asks for no large scratch memory once it has run.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// A cache line: buffers begin at one, so that vectors don't straddle two.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code, reason = "read through slices of all lines")] [f32; LINE]);

/// Values of a cache line.
const LINE: usize = 16;

thread_local! {
    static KEPT: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Buffers a thread keeps; more are freed. Where the code checks itself none is, so that memory
/// checkers see where each ends.
const MOST_KEPT: usize = if cfg!(debug_assertions) { 0 } else { 16 };

/// What new buffers hold: where the code checks itself, what spreads when it is used.
const UNSPECIFIED: f32 = if cfg!(debug_assertions) {
    f32::NAN
} else {
    0.0
};

/// A buffer of values that goes back to the thread's store when it is dropped.
pub(crate) struct Buffer {
    lines: Vec<Line>,
    /// Where the values begin in the lines.
    start: usize,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` values of unspecified content.
    pub(crate) fn take(len: usize) -> Buffer {
        let count = len.div_ceil(LINE);
        let mut lines = KEPT
            .with_borrow_mut(|kept| best_fit(kept, count).map(|i| kept.swap_remove(i)))
            .unwrap_or_default();
        if lines.len() < count {
            lines.resize(count, Line([UNSPECIFIED; LINE]));
        }
        // Where the code checks itself, the values end where the lines do.
        let slack = count * LINE - len;
        let start = if cfg!(debug_assertions) { slack } else { 0 };
        Buffer { lines, start, len }
    }

    /// A buffer of `len` zeros.
    pub(crate) fn zeroed(len: usize) -> Buffer {
        let mut buffer = Buffer::take(len);
        buffer.fill(0.0);
        buffer
    }
}

/// The smallest kept buffer that is long enough, else the longest.
fn best_fit(kept: &[Vec<Line>], len: usize) -> Option<usize> {
    let fitting = |buffer: &Vec<Line>| (buffer.len() < len, buffer.len().abs_diff(len));
    (0..kept.len()).min_by_key(|&i| fitting(&kept[i]))
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        // The store is gone while its thread ends; then the buffer is freed.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < MOST_KEPT {
                kept.push(lines);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        let first = self.lines.as_ptr().cast::<f32>();
        // SAFETY: a `Line` is `LINE` values without gaps, and `take` made the lines hold `len`
        // from `start` on.
        unsafe { std::slice::from_raw_parts(first.add(self.start), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        let first = self.lines.as_mut_ptr().cast::<f32>();
        // SAFETY: as above; the lines are borrowed mutably with `self`.
        unsafe { std::slice::from_raw_parts_mut(first.add(self.start), self.len) }
    }
}
