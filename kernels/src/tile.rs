//! The one arithmetic kernel: a matrix product whose left operand is read in place.
//!
//! A convolution, its input gradient and its weight gradient are all sums of
//! `a[row + step] * b[step][column]`, where `row` is the place of a pixel (or of a kernel tap)
//! in an image and `step` walks along a window (or along the pixels). [`Product`] describes such
//! a sum; it is computed in tiles of a few rows and a few vectors of columns, held in registers.

mod body;

use crate::isa::{Isa, Kind};
use crate::lanes::even_blocks;
use crate::reach::reach;

/// `c[results[i] + n] = start + Σ a[rows[i] + s·a_step] · b[s·b_step + n]`, summed over all steps
/// `s` = (outer, middle, inner) below `count`, for all rows `i` and all `n < columns`.
///
/// Columns are computed in whole vectors: `b` is read, and `c` written, up to the next multiple
/// of the vector's width, and what stands there in `c` past `columns` is unspecified.
pub(crate) struct Product<'a> {
    /// Left operand, indexed by row and step.
    pub a: &'a [f32],
    /// Where each row starts in `a`.
    pub rows: &'a [usize],
    /// Distances in `a` of two steps.
    pub a_step: [usize; 3],
    /// Right operand, indexed by step and column.
    pub b: &'a [f32],
    /// Distances in `b` of two steps.
    pub b_step: [usize; 3],
    /// Number of steps.
    pub count: [usize; 3],
    /// Columns that are wanted.
    pub columns: usize,
    /// Where each row's result starts in `c`.
    pub results: &'a [usize],
}

/// Products of the same shape, one after the other in their operands.
#[derive(Clone, Copy)]
pub(crate) struct Planes {
    /// Number of products.
    pub count: usize,
    /// Distance of two left operands.
    pub a: usize,
    /// Distance of two right operands.
    pub b: usize,
    /// Distance of two results.
    pub c: usize,
}

/// What a sum starts from.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Zero.
    Zero,
    /// One row of values, the same for every row of the result.
    Row(&'a [f32]),
    /// What is in the result already.
    Result,
}

/// Where the operands of a product begin.
struct Operands {
    a: *const f32,
    b: *const f32,
    c: *mut f32,
}

/// One tile of a product: what a kernel is called with.
struct Tile {
    a: *const f32,
    rows: *const usize,
    a_step: [usize; 3],
    b: *const f32,
    b_step: [usize; 3],
    count: [usize; 3],
    start: TileStart,
    c: *mut f32,
    results: *const usize,
}

/// What the sums of a tile start from.
enum TileStart {
    Zero,
    Row(*const f32),
    Result,
}

/// Computes one tile; the number of rows and of vectors is part of the kernel.
///
/// # Safety
/// All that the tile's description reaches must be readable (`c`: writable), and the CPU must
/// have the instruction set that the kernel was compiled for.
type Kernel = unsafe fn(&Tile);

/// Kernels by vectors of columns less one, then by rows less one.
type Kernels = [[Kernel; MAX_ROWS]; MAX_VECTORS];

/// Most rows of a tile.
const MAX_ROWS: usize = 8;
/// Most vectors of columns of a tile.
const MAX_VECTORS: usize = 4;

/// The kernels of an instruction set, and the largest tiles that fit its registers.
struct KernelSet {
    kernels: Kernels,
    /// Most rows for each number of vectors less one; 0 where so many vectors don't fit.
    rows: [usize; MAX_VECTORS],
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

    fn max_vectors(&self) -> usize {
        self.rows.iter().filter(|&&rows| rows > 0).count()
    }
}

impl Product<'_> {
    /// Computes the product into `c`.
    ///
    /// # Panics
    /// If an operand is too short for what the description reaches.
    pub(crate) fn run(&self, isa: Isa, start: Start<'_>, c: &mut [f32]) {
        let planes = Planes {
            count: 1,
            a: 0,
            b: 0,
            c: 0,
        };
        self.run_planes(isa, planes, start, c);
    }

    /// Computes a product for each plane, of which the description is that of the first.
    ///
    /// # Panics
    /// If an operand is too short for what the description reaches in the last plane.
    pub(crate) fn run_planes(&self, isa: Isa, planes: Planes, start: Start<'_>, c: &mut [f32]) {
        if self.rows.is_empty() || self.columns == 0 || planes.count == 0 {
            return;
        }
        self.check(isa, planes, start, c.len());
        let c = c.as_mut_ptr();
        for plane in 0..planes.count {
            let operands = Operands {
                a: self.a.as_ptr().wrapping_add(plane * planes.a),
                b: self.b.as_ptr().wrapping_add(plane * planes.b),
                c: c.wrapping_add(plane * planes.c),
            };
            // SAFETY: `check` showed that every row and column of all planes is inside the
            // operands.
            unsafe { self.run_tiles(isa, operands, start) };
        }
    }

    /// Computes one product tile by tile.
    ///
    /// # Safety
    /// All that the description reaches must be inside the operands.
    unsafe fn run_tiles(&self, isa: Isa, operands: Operands, start: Start<'_>) {
        let set = KernelSet::of(isa);
        let vectors = self.columns.div_ceil(isa.width());
        let mut column = 0;
        for block in even_blocks(vectors, set.max_vectors()) {
            let mut row = 0;
            for height in even_blocks(self.rows.len(), set.rows[block - 1]) {
                let tile = self.tile(start, &operands, row, column);
                // SAFETY: the caller vouches for the operands, and an `Isa` exists only where the
                // CPU has its instructions.
                unsafe { set.kernels[block - 1][height - 1](&tile) };
                row += height;
            }
            column += block * isa.width();
        }
    }

    /// The tile that begins at `row` and `column`.
    fn tile(&self, start: Start<'_>, operands: &Operands, row: usize, column: usize) -> Tile {
        Tile {
            a: operands.a,
            rows: self.rows[row..].as_ptr(),
            a_step: self.a_step,
            b: operands.b.wrapping_add(column),
            b_step: self.b_step,
            count: self.count,
            start: match start {
                Start::Zero => TileStart::Zero,
                Start::Row(values) => TileStart::Row(values[column..].as_ptr()),
                Start::Result => TileStart::Result,
            },
            c: operands.c.wrapping_add(column),
            results: self.results[row..].as_ptr(),
        }
    }

    /// Panics unless all that the kernels will touch is inside the operands.
    fn check(&self, isa: Isa, steps: Planes, start: Start<'_>, c_len: usize) {
        let width = self.columns.next_multiple_of(isa.width());
        let planes = |step| [steps.count.saturating_sub(1), step];
        let most = |places: &[usize]| [places.iter().copied().max().unwrap_or(0), 1];
        let [y, x, channel] = self.count.map(|count| count.saturating_sub(1));
        let last = |[row, column, value]: [usize; 3]| [[y, row], [x, column], [channel, value]];
        assert_eq!(
            self.rows.len(),
            self.results.len(),
            "rows and results differ in number"
        );
        if self.count.iter().all(|&count| count > 0) {
            let [row, column, value] = last(self.a_step);
            let a = reach([planes(steps.a), most(self.rows), row, column, value]);
            assert!(a < self.a.len(), "left operand is too short");
            let [row, column, value] = last(self.b_step);
            let b = reach([planes(steps.b), row, column, value, [width, 1]]);
            assert!(b <= self.b.len(), "right operand is too short");
        }
        let b = reach([planes(steps.b), [width, 1]]);
        assert!(b <= self.b.len(), "right operand is too short");
        let c = reach([planes(steps.c), most(self.results), [width, 1]]);
        assert!(c <= c_len, "result is too short");
        if let Start::Row(values) = start {
            assert!(width <= values.len(), "row to start from is too short");
        }
    }
}

/// The kernels of an instruction set, for tiles of all sizes.
macro_rules! kernel_set {
    ($name:ident, $lanes:ty, $rows:expr, $(#[$target_feature:meta])?) => {
        mod $name {
            use super::{KernelSet, Tile, body};

            /// See [`body::tile`].
            ///
            /// # Safety
            /// As [`super::Kernel`].
            $(#[$target_feature])?
            unsafe fn kernel<const ROWS: usize, const VECTORS: usize>(tile: &Tile) {
                // SAFETY: the caller keeps the contract.
                unsafe { body::tile::<$lanes, ROWS, VECTORS>(tile) }
            }

            pub(super) static KERNELS: KernelSet =
                KernelSet { kernels: [row!(1), row!(2), row!(3), row!(4)], rows: $rows };
        }
    };
}

/// The kernels for a number of vectors.
macro_rules! row {
    ($vectors:literal) => {
        [
            kernel::<1, $vectors>,
            kernel::<2, $vectors>,
            kernel::<3, $vectors>,
            kernel::<4, $vectors>,
            kernel::<5, $vectors>,
            kernel::<6, $vectors>,
            kernel::<7, $vectors>,
            kernel::<8, $vectors>,
        ]
    };
}

// Six sums of two 4-wide registers each leave room in the sixteen registers that the smallest
// common instruction sets have.
kernel_set!(portable, crate::lanes::Array8, [5, 3, 0, 0],);
// Twelve sums, two vectors and one factor use fifteen of the sixteen registers.
#[cfg(target_arch = "x86_64")]
kernel_set!(avx2, std::arch::x86_64::__m256, [8, 6, 0, 0], #[target_feature(enable = "avx2,fma")]);
// Twenty-four sums, four vectors and one factor fit the thirty-two registers.
#[cfg(target_arch = "x86_64")]
kernel_set!(avx512, std::arch::x86_64::__m512, [8, 8, 8, 6], #[target_feature(enable = "avx512f")]);
// Twenty-four sums, four vectors and one factor fit the thirty-two registers.
#[cfg(target_arch = "aarch64")]
kernel_set!(neon, std::arch::aarch64::float32x4_t, [8, 8, 8, 6],);
