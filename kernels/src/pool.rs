//! Max-pooling with windows of 2×2, and where each maximum comes from.

mod body;

use crate::geometry::{Geometry, POOL};
use crate::isa::{Isa, Kind};

/// A pooling window whose gradient ReLU stops.
pub(crate) const NO_SOURCE: u8 = 4;

/// What a kernel is called with.
struct Call {
    /// Rows and columns of windows.
    windows: [usize; 2],
    /// Values of a pixel: whole vectors.
    columns: usize,
    relu: bool,
    sums: *const f32,
    pooled: *mut f32,
    /// Null where they are not wanted.
    sources: *mut u8,
}

/// Pools all windows of a call.
///
/// # Safety
/// `sums` must be readable for four pixels a window, `pooled` writable for one, and `sources`,
/// where it is not null, for as many bytes; and the CPU must have the instruction set that the
/// kernel was compiled for.
type Kernel = unsafe fn(&Call);

/// Pools an image, with ReLU if the block has it.
///
/// `sums` is `[height, width, columns]` with pairs of rows and columns; `pooled` is
/// `[height / 2, width / 2, columns]`. `sources`, if not empty, is as
/// [`crate::forward::forward`] gives it.
///
/// # Panics
/// If `columns` is no whole number of vectors or a slice is too short.
pub(crate) fn pool(
    isa: Isa,
    g: &Geometry,
    sums: &[f32],
    columns: usize,
    pooled: &mut [f32],
    sources: &mut [u8],
) {
    let windows = g.output();
    let len = windows[0] * windows[1] * columns;
    assert!(
        columns.is_multiple_of(isa.width()),
        "pixels are no whole vectors"
    );
    assert!(POOL * POOL * len <= sums.len(), "sums are too short");
    assert!(len <= pooled.len(), "the result is too short");
    assert!(
        sources.is_empty() || len <= sources.len(),
        "sources are too short"
    );
    let call = Call {
        windows,
        columns,
        relu: g.relu,
        sums: sums.as_ptr(),
        pooled: pooled.as_mut_ptr(),
        sources: if sources.is_empty() {
            std::ptr::null_mut()
        } else {
            sources.as_mut_ptr()
        },
    };
    // SAFETY: the asserts put every window inside the slices, and an `Isa` exists only where the
    // CPU has its instructions.
    unsafe { kernel_of(isa)(&call) }
}

fn kernel_of(isa: Isa) -> Kernel {
    match isa.kind() {
        Kind::Portable => portable,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => avx2,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => avx512,
        #[cfg(target_arch = "aarch64")]
        Kind::Neon => neon,
    }
}

/// The kernel for an instruction set.
macro_rules! kernel {
    ($name:ident, $lanes:ty, $(#[$target_feature:meta])?) => {
        /// See [`body::pool`].
        ///
        /// # Safety
        /// As [`Kernel`].
        $(#[$target_feature])?
        unsafe fn $name(call: &Call) {
            // SAFETY: the caller keeps the contract.
            unsafe { body::pool::<$lanes>(call) }
        }
    };
}

kernel!(portable, crate::lanes::Array8,);
#[cfg(target_arch = "x86_64")]
kernel!(avx2, std::arch::x86_64::__m256, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
kernel!(avx512, std::arch::x86_64::__m512, #[target_feature(enable = "avx512f")]);
#[cfg(target_arch = "aarch64")]
kernel!(neon, std::arch::aarch64::float32x4_t,);
