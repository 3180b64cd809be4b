//! Memory that is kept from step to step.
//!
//! Each thread keeps the buffers that were dropped on it and hands them out again, so that a
//! training step allocates nothing once it has run.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

thread_local! {
    static KEPT: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Buffers a thread keeps; more are freed.
const MOST_KEPT: usize = 16;

/// A buffer of values that goes back to the thread's store when it is dropped.
pub(crate) struct Buffer {
    values: Vec<f32>,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` values of unspecified content.
    pub(crate) fn take(len: usize) -> Buffer {
        let mut values = KEPT
            .with_borrow_mut(|kept| best_fit(kept, len).map(|i| kept.swap_remove(i)))
            .unwrap_or_default();
        if values.len() < len {
            values.resize(len, 0.0);
        }
        Buffer { values, len }
    }

    /// A buffer of `len` zeros.
    pub(crate) fn zeroed(len: usize) -> Buffer {
        let mut buffer = Buffer::take(len);
        buffer.fill(0.0);
        buffer
    }
}

/// The smallest kept buffer that is long enough, else the longest.
fn best_fit(kept: &[Vec<f32>], len: usize) -> Option<usize> {
    let fitting = |buffer: &Vec<f32>| (buffer.len() < len, buffer.len().abs_diff(len));
    (0..kept.len()).min_by_key(|&i| fitting(&kept[i]))
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        // The store is gone while its thread ends; then the buffer is freed.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < MOST_KEPT {
                kept.push(values);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.len]
    }
}
