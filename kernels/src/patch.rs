//! Sums over patches of an image that were picked one by one.
//!
//! Behind max-pooling at most one gradient in four is not zero, and ReLU stops more. Each that is
//! left meets the patch of the image that its kernel covers: the weight gradient is the sum of
//! these patches, and the input gradient the sum of the kernel's weights over them.

mod body;

use crate::isa::{Isa, Kind};
use crate::lanes::even_blocks;
use crate::reach::reach;

/// Values, and where the patch of each begins in the image.
#[derive(Clone, Copy)]
pub(crate) struct Picks<'a> {
    /// A factor for each patch.
    pub values: &'a [f32],
    /// Where each patch begins.
    pub places: &'a [u32],
}

/// The shape of a patch: rows of values that lie side by side.
///
/// Rows are read and written in whole vectors: what stands behind a row must be inside the image,
/// and is left as it is.
#[derive(Clone, Copy)]
pub(crate) struct Patch {
    /// Rows of a patch.
    pub rows: usize,
    /// Values of a row.
    pub run: usize,
    /// Distance of two rows in the image.
    pub row_step: usize,
    /// Distance of two rows in the sums or weights, at least `run` in whole vectors.
    pub stride: usize,
}

/// A few rows and vectors of all picked patches: what a kernel is called with.
struct Call {
    values: *const f32,
    places: *const u32,
    len: usize,
    image: *mut f32,
    row_step: usize,
    /// Sums or weights.
    kernel: *mut f32,
    stride: usize,
}

/// Handles a few rows and vectors of all patches; how many is part of the kernel.
///
/// # Safety
/// All that the call's description reaches must be readable, and writable where the kernel writes
/// (sums, or the image), and the CPU must have the instruction set that the kernel was compiled
/// for.
type Kernel = unsafe fn(&Call);

/// Kernels by vectors less one, then by rows less one.
struct KernelSet {
    accumulate: &'static [&'static [Kernel]],
    scatter: &'static [&'static [Kernel]],
    /// Most sums that are held in registers.
    registers: usize,
}

impl KernelSet {
    fn of(isa: Isa) -> &'static KernelSet {
        match isa.kind() {
            Kind::Portable => &portable::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => &avx2::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => &avx512::KERNELS,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => &neon::KERNELS,
        }
    }
}

impl Patch {
    /// `sums += Σ value · patch`, where `sums` is `[rows, stride]`; what stands in it past `run` is
    /// unspecified.
    ///
    /// # Panics
    /// If the image or the sums are too short.
    pub(crate) fn accumulate(&self, isa: Isa, picks: Picks<'_>, image: &[f32], sums: &mut [f32]) {
        self.check(isa, picks, image.len(), sums.len());
        let set = KernelSet::of(isa);
        // The kernels only read the image.
        self.run(
            isa,
            set.accumulate,
            set.registers,
            picks,
            image.as_ptr().cast_mut(),
            sums.as_mut_ptr(),
        );
    }

    /// `patch += value · weights` for all picks in turn, where `weights` is `[rows, stride]` with
    /// zeros past `run`.
    ///
    /// # Panics
    /// If the image or the weights are too short.
    pub(crate) fn scatter(&self, isa: Isa, picks: Picks<'_>, weights: &[f32], image: &mut [f32]) {
        self.check(isa, picks, image.len(), weights.len());
        let set = KernelSet::of(isa);
        // The kernels only read the weights.
        self.run(
            isa,
            set.scatter,
            set.registers,
            picks,
            image.as_mut_ptr(),
            weights.as_ptr().cast_mut(),
        );
    }

    /// Calls kernels for all rows and vectors; `check` has shown them to be inside.
    fn run(
        &self,
        isa: Isa,
        kernels: &[&[Kernel]],
        registers: usize,
        picks: Picks<'_>,
        image: *mut f32,
        kernel: *mut f32,
    ) {
        let mut column = 0;
        for vectors in even_blocks(self.run.div_ceil(isa.width()), kernels.len()) {
            let most = kernels[vectors - 1].len().min((registers / vectors).max(1));
            let mut row = 0;
            for rows in even_blocks(self.rows, most) {
                let call = Call {
                    values: picks.values.as_ptr(),
                    places: picks.places.as_ptr(),
                    len: picks.values.len(),
                    image: image.wrapping_add(row * self.row_step + column),
                    row_step: self.row_step,
                    kernel: kernel.wrapping_add(row * self.stride + column),
                    stride: self.stride,
                };
                // SAFETY: `check` showed that all rows of all patches are inside the image and the
                // sums or weights, and an `Isa` exists only where the CPU has its instructions.
                unsafe { kernels[vectors - 1][rows - 1](&call) };
                row += rows;
            }
            column += vectors * isa.width();
        }
    }

    /// Panics unless all that the kernels will touch is inside.
    fn check(&self, isa: Isa, picks: Picks<'_>, image_len: usize, kernel_len: usize) {
        let width = self.run.next_multiple_of(isa.width());
        let rows = self.rows.saturating_sub(1);
        let last = picks.places.iter().copied().max().unwrap_or(0) as usize;
        assert_eq!(
            picks.values.len(),
            picks.places.len(),
            "values and places differ in number"
        );
        assert!(
            reach([[last, 1], [rows, self.row_step], [width, 1]]) <= image_len,
            "a patch leaves the image"
        );
        assert!(
            reach([[rows, self.stride], [width, 1]]) <= kernel_len,
            "sums or weights are too short"
        );
    }
}

/// The kernels of an instruction set.
macro_rules! kernel_set {
    ($name:ident, $lanes:ty, $registers:literal, $(#[$target_feature:meta])?) => {
        mod $name {
            use super::{Call, KernelSet, body};

            /// See [`body::accumulate`].
            ///
            /// # Safety
            /// As [`super::Kernel`].
            $(#[$target_feature])?
            unsafe fn accumulate<const ROWS: usize, const VECTORS: usize>(call: &Call) {
                // SAFETY: the caller keeps the contract.
                unsafe { body::accumulate::<$lanes, ROWS, VECTORS>(call) }
            }

            /// See [`body::scatter`].
            ///
            /// # Safety
            /// As [`super::Kernel`].
            $(#[$target_feature])?
            unsafe fn scatter<const ROWS: usize, const VECTORS: usize>(call: &Call) {
                // SAFETY: the caller keeps the contract.
                unsafe { body::scatter::<$lanes, ROWS, VECTORS>(call) }
            }

            pub(super) static KERNELS: KernelSet = KernelSet {
                accumulate: by_rows!(accumulate),
                scatter: by_rows!(scatter),
                registers: $registers,
            };
        }
    };
}

/// A kernel for all sizes that may fit the registers.
macro_rules! by_rows {
    ($kernel:ident) => {
        &[
            by_rows!($kernel, 1: 1, 2, 3, 4, 5),
            by_rows!($kernel, 2: 1, 2, 3, 4, 5),
            by_rows!($kernel, 3: 1, 2, 3, 4, 5),
            by_rows!($kernel, 4: 1, 2, 3, 4, 5),
            by_rows!($kernel, 5: 1, 2, 3, 4, 5),
            by_rows!($kernel, 6: 1, 2, 3),
            by_rows!($kernel, 7: 1, 2, 3),
            by_rows!($kernel, 8: 1, 2, 3),
            by_rows!($kernel, 9: 1, 2),
            by_rows!($kernel, 10: 1, 2),
        ]
    };
    ($kernel:ident, $vectors:literal: $($rows:literal),*) => {
        &[$($kernel::<$rows, $vectors>),*]
    };
}

kernel_set!(portable, crate::lanes::Array8, 6,);
#[cfg(target_arch = "x86_64")]
kernel_set!(avx2, std::arch::x86_64::__m256, 12, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
kernel_set!(avx512, std::arch::x86_64::__m512, 25, #[target_feature(enable = "avx512f")]);
#[cfg(target_arch = "aarch64")]
kernel_set!(neon, std::arch::aarch64::float32x4_t, 25,);
