//! How large values are.

use rayon::prelude::*;

use crate::isa::{Isa, per_isa};

/// Values that are examined by one task.
const BLOCK: usize = 1 << 16;

/// Whether the magnitudes of all values are below a limit; NaN never is.
pub(crate) fn all_below(isa: Isa, values: &[f32], limit: f32) -> bool {
    values.par_chunks(BLOCK).all(|values| {
        let mut largest = 0;
        largest_magnitude(isa, values, &mut largest);
        largest < limit.to_bits()
    })
}

per_isa! {
    /// The bits of the largest magnitude; those of infinity and NaN are larger than all others.
    fn largest_magnitude(values: &[f32], largest: &mut u32) = largest_magnitude_body
}

#[inline(always)]
fn largest_magnitude_body(values: &[f32], largest: &mut u32) {
    *largest = values.iter().fold(*largest, |largest, value| {
        largest.max(value.abs().to_bits())
    });
}
