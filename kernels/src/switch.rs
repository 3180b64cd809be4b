//! Turning the fused kernels off, and telling whether they ran.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Environment variable that turns the fused kernels off when it is `0`.
const VARIABLE: &str = "BURNISH_FUSED";

static ENABLED: LazyLock<AtomicBool> =
    LazyLock::new(|| AtomicBool::new(std::env::var_os(VARIABLE).is_none_or(|value| value != "0")));

static CALLS: [AtomicU64; 6] = [const { AtomicU64::new(0) }; 6];

/// An operation that has a fused kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`crate::conv2d_block`].
    Conv2d,
    /// [`crate::linear`].
    Linear,
    /// [`crate::batch_norm`] and [`crate::batch_norm_train`].
    BatchNorm,
    /// [`crate::max_pool`] and [`crate::avg_pool`].
    Pool,
    /// [`crate::cross_entropy`].
    CrossEntropy,
    /// A step of [`crate::SgdStep`] or [`crate::AdamStep`] on one tensor.
    Update,
}

/// Turns the fused kernels on or off for the whole process.
///
/// They are on at the start, unless the environment variable `BURNISH_FUSED` is `0`.
pub fn set_enabled(enabled: bool) {
    ENABLED.store(enabled, Ordering::Relaxed);
}

/// Whether the fused kernels are on.
pub fn enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// How many times this process took the fused kernel of an operation, backward passes not counted:
/// benchmarks and tests compare it before and after to be sure of what they measured.
pub fn fused_calls(operation: Operation) -> u64 {
    CALLS[operation as usize].load(Ordering::Relaxed)
}

/// Counts a fused forward pass.
pub(crate) fn count_call(operation: Operation) {
    CALLS[operation as usize].fetch_add(1, Ordering::Relaxed);
}
