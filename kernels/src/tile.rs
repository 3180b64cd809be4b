//! The one arithmetic kernel: a matrix product whose left operand is read in place.
//!
//! A convolution, its input gradient and its weight gradient are all sums of
//! `a[row + step] * b[step][column]`, where `row` is the place of a pixel (or of a kernel tap)
//! in an image and `step` walks along a window (or along the pixels). [`Product`] describes such
//! a sum; it is computed in tiles of a few rows and a few vectors of columns, held in registers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod body;
mod portable;

use crate::isa::{Isa, Kind};

/// `c[i][n] (+)= Σ_o Σ_j a[rows[i] + o·a_step[0] + j·a_step[1]] · b[o·b_step[0] + j·b_step[1] + n]`
/// over `o < count[0]`, `j < count[1]`, for all rows `i` and all `n < columns`.
///
/// Columns are computed in whole vectors: `b` is read, and `c` written, up to
/// [`padded`]`(columns)`, and what stands in `c` past `columns` is unspecified.
pub(crate) struct Product<'a> {
    /// Left operand, indexed by row and step.
    pub a: &'a [f32],
    /// Where each row starts in `a`.
    pub rows: &'a [usize],
    /// Distance in `a` of an outer and of an inner step.
    pub a_step: [usize; 2],
    /// Right operand, indexed by step and column.
    pub b: &'a [f32],
    /// Distance in `b` of an outer and of an inner step.
    pub b_step: [usize; 2],
    /// Number of outer and of inner steps.
    pub count: [usize; 2],
    /// Columns that are wanted.
    pub columns: usize,
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

/// One tile of a product: what a kernel is called with.
struct Tile {
    a: *const f32,
    rows: *const usize,
    a_step: [usize; 2],
    b: *const f32,
    b_step: [usize; 2],
    count: [usize; 2],
    /// First row of the values to start from; null for zero.
    start: *const f32,
    start_step: usize,
    c: *mut f32,
    c_step: usize,
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
        }
    }

    fn max_vectors(&self) -> usize {
        self.rows.iter().filter(|&&rows| rows > 0).count()
    }
}

/// The number of columns that are read and written for this many wanted ones.
pub(crate) fn padded(isa: Isa, columns: usize) -> usize {
    columns.next_multiple_of(isa.width())
}

impl Product<'_> {
    /// Computes the product into `c`, whose rows lie `c_step` apart.
    ///
    /// # Panics
    /// If an operand is too short for what the description reaches.
    pub(crate) fn run(&self, isa: Isa, start: Start<'_>, c: &mut [f32], c_step: usize) {
        if self.rows.is_empty() || self.columns == 0 {
            return;
        }
        self.check(isa, start, c.len(), c_step);
        let set = KernelSet::of(isa);
        let vectors = self.columns.div_ceil(isa.width());
        let mut column = 0;
        for block in even_blocks(vectors, set.max_vectors()) {
            let max_rows = set.rows[block - 1];
            let mut row = 0;
            for height in even_blocks(self.rows.len(), max_rows) {
                let tile = self.tile(start, c, c_step, row, column);
                // SAFETY: `check` showed that every row and column is inside the operands, and
                // an `Isa` exists only where the CPU has its instructions.
                unsafe { set.kernels[block - 1][height - 1](&tile) };
                row += height;
            }
            column += block * isa.width();
        }
    }

    /// The tile that begins at `row` and `column`; `check` has shown them to be inside.
    fn tile(
        &self,
        start: Start<'_>,
        c: &mut [f32],
        c_step: usize,
        row: usize,
        column: usize,
    ) -> Tile {
        let c = c[row * c_step + column..].as_mut_ptr();
        let (start, start_step) = match start {
            Start::Zero => (std::ptr::null(), 0),
            Start::Row(values) => (values[column..].as_ptr(), 0),
            Start::Result => (c.cast_const(), c_step),
        };
        Tile {
            a: self.a.as_ptr(),
            rows: self.rows[row..].as_ptr(),
            a_step: self.a_step,
            b: self.b[column..].as_ptr(),
            b_step: self.b_step,
            count: self.count,
            start,
            start_step,
            c,
            c_step,
        }
    }

    /// Panics unless all that the kernels will touch is inside the operands.
    fn check(&self, isa: Isa, start: Start<'_>, c_len: usize, c_step: usize) {
        let width = padded(isa, self.columns);
        let last = |step: [usize; 2]| {
            self.count[0].saturating_sub(1) * step[0] + self.count[1].saturating_sub(1) * step[1]
        };
        let last_row = self.rows.iter().copied().max().unwrap_or(0);
        assert!(
            last_row + last(self.a_step) < self.a.len(),
            "left operand is too short"
        );
        assert!(
            last(self.b_step) + width <= self.b.len(),
            "right operand is too short"
        );
        assert!(
            (self.rows.len() - 1) * c_step + width <= c_len,
            "result is too short"
        );
        if let Start::Row(values) = start {
            assert!(width <= values.len(), "row to start from is too short");
        }
    }
}

/// Splits `total` into the fewest blocks of at most `most`, as even as can be: a last block of
/// one row would leave most of the arithmetic units idle.
fn even_blocks(total: usize, most: usize) -> impl Iterator<Item = usize> {
    let blocks = total.div_ceil(most).max(1);
    (0..blocks).map(move |block| (total + block) / blocks)
}
