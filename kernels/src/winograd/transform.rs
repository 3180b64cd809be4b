//! Tiles to and from the domain in which a convolution is a product.
//!
//! Winograd's minimal filtering with tiles of 8×8, by the points 0, ±1, ±2, ±1/2 and ∞ (Lavin and
//! Gray, "Fast algorithms for convolutional neural networks", 2016). A transform takes a block of
//! pixels to the 64 frequencies of a tile, its adjoint takes them back; both work on whole vectors
//! of channels. A frequency of all tiles and channels is a plane, so that the products between the
//! transforms are plain ones.

mod body;
mod linear;

use crate::isa::{Isa, Kind};
use crate::reach::reach;

/// Side of a tile.
pub(crate) const TILE: usize = 8;

/// Values of a tile, and number of planes.
pub(crate) const FREQUENCIES: usize = TILE * TILE;

/// Smallest side of a block other than a whole tile.
const LEAST_SIDE: usize = 3;

/// What is transformed.
#[derive(Clone, Copy)]
pub(crate) enum Operand {
    /// Tiles of images, which overlap: 8×8 pixels.
    Image,
    /// Square kernels of this side, from 3 to 5.
    Kernel(usize),
    /// Results without overlap: blocks of this side, from 4 to 6.
    Result(usize),
}

impl Operand {
    /// Rows and columns of a block.
    fn side(self) -> usize {
        match self {
            Operand::Image => TILE,
            Operand::Kernel(side) | Operand::Result(side) => side,
        }
    }
}

/// A block among pixels.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    /// Where its first pixel is.
    pub place: usize,
    /// Distance of two rows.
    pub row: usize,
    /// Distance of two pixels.
    pub pixel: usize,
    /// Rows and columns that are there: the others are zero when they are read, and not written.
    pub inside: [usize; 2],
}

/// A tile among planes.
#[derive(Clone, Copy)]
pub(crate) struct Tile {
    /// Where it is in the first plane.
    pub place: usize,
    /// Distance of two planes.
    pub plane: usize,
}

/// What a kernel is called with.
struct Call {
    block: *mut f32,
    row: usize,
    pixel: usize,
    inside: [usize; 2],
    tile: *mut f32,
    plane: usize,
    /// What every pixel starts from; null where pixels are added to.
    start: *const f32,
}

/// Transforms one vector of channels.
///
/// # Safety
/// All that the call's description reaches must be readable, and writable where the kernel
/// writes, and the CPU must have the instruction set that the kernel was compiled for.
type Kernel = unsafe fn(&Call);

/// The kernels of an instruction set; those in arrays by side less [`LEAST_SIDE`].
struct KernelSet {
    image: Pair,
    kernel: [Pair; 3],
    result: [Pair; 4],
}

/// A transform and its adjoint.
struct Pair {
    transform: Kernel,
    adjoint: Kernel,
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

    fn pair(&self, operand: Operand) -> &Pair {
        match operand {
            Operand::Image => &self.image,
            Operand::Kernel(side) => &self.kernel[side - LEAST_SIDE],
            Operand::Result(side) => &self.result[side - LEAST_SIDE],
        }
    }
}

/// The frequencies of a block of `channels` channels, in whole vectors.
///
/// # Panics
/// If the block or the tile leaves its slice.
pub(crate) fn transform(
    isa: Isa,
    operand: Operand,
    channels: usize,
    (pixels, block): (&[f32], Block),
    (planes, tile): (&mut [f32], Tile),
) {
    check(
        isa,
        operand,
        channels,
        (pixels.len(), block),
        (planes.len(), tile),
    );
    let kernel = KernelSet::of(isa).pair(operand).transform;
    // The kernel only reads the pixels, and no start.
    let call = Call::new(pixels.as_ptr().cast_mut(), block, planes.as_mut_ptr(), tile);
    for channel in (0..channels).step_by(isa.width()) {
        // SAFETY: `check` put the block and the tile inside their slices, and an `Isa` exists only
        // where the CPU has its instructions.
        unsafe { kernel(&call.at(channel)) };
    }
}

/// The adjoint of [`transform`]: a block from frequencies.
///
/// Every pixel starts from `start`, one value for each channel in whole vectors; without it,
/// the block is added to what is there.
///
/// # Panics
/// If the block, the tile or the start leaves its slice.
pub(crate) fn adjoint(
    isa: Isa,
    operand: Operand,
    channels: usize,
    (planes, tile): (&[f32], Tile),
    start: Option<&[f32]>,
    (pixels, block): (&mut [f32], Block),
) {
    check(
        isa,
        operand,
        channels,
        (pixels.len(), block),
        (planes.len(), tile),
    );
    let width = channels.next_multiple_of(isa.width());
    assert!(
        start.is_none_or(|start| width <= start.len()),
        "start is too short"
    );
    let kernel = KernelSet::of(isa).pair(operand).adjoint;
    // The kernel only reads the planes.
    let call = Call::new(pixels.as_mut_ptr(), block, planes.as_ptr().cast_mut(), tile);
    for channel in (0..channels).step_by(isa.width()) {
        let mut call = call.at(channel);
        call.start = start.map_or(std::ptr::null(), |start| start[channel..].as_ptr());
        // SAFETY: as in `transform`; the assert put the start inside its slice.
        unsafe { kernel(&call) };
    }
}

impl Call {
    fn new(pixels: *mut f32, block: Block, planes: *mut f32, tile: Tile) -> Call {
        Call {
            block: pixels.wrapping_add(block.place),
            row: block.row,
            pixel: block.pixel,
            inside: block.inside,
            tile: planes.wrapping_add(tile.place),
            plane: tile.plane,
            start: std::ptr::null(),
        }
    }

    /// The same from a channel on, without a start.
    fn at(&self, channel: usize) -> Call {
        Call {
            block: self.block.wrapping_add(channel),
            tile: self.tile.wrapping_add(channel),
            ..*self
        }
    }
}

/// Panics unless all that the kernels will touch is inside.
fn check(
    isa: Isa,
    operand: Operand,
    channels: usize,
    (pixels, block): (usize, Block),
    (planes, tile): (usize, Tile),
) {
    let width = channels.next_multiple_of(isa.width());
    let side = operand.side();
    let [rows, columns] = block.inside;
    assert!(
        (1..=side).contains(&rows) && (1..=side).contains(&columns),
        "no block of this size"
    );
    let last = [[rows - 1, block.row], [columns - 1, block.pixel]];
    assert!(
        reach([[block.place, 1], last[0], last[1], [width, 1]]) <= pixels,
        "a block leaves the pixels"
    );
    let last = [FREQUENCIES - 1, tile.plane];
    assert!(
        reach([[tile.place, 1], last, [width, 1]]) <= planes,
        "a tile leaves the planes"
    );
}

/// The kernels of an instruction set.
macro_rules! kernel_set {
    ($name:ident, $lanes:ty, $(#[$target_feature:meta])?) => {
        mod $name {
            use super::linear::{ImageTile, KernelBlock, Linear, ResultBlock};
            use super::{Call, KernelSet, Pair, body};

            /// See [`body::transform`].
            ///
            /// # Safety
            /// As [`super::Kernel`].
            $(#[$target_feature])?
            unsafe fn transform<T: Linear<N>, const N: usize>(call: &Call) {
                // SAFETY: the caller keeps the contract.
                unsafe { body::transform::<$lanes, T, N>(call) }
            }

            /// See [`body::adjoint`].
            ///
            /// # Safety
            /// As [`super::Kernel`].
            $(#[$target_feature])?
            unsafe fn adjoint<T: Linear<N>, const N: usize>(call: &Call) {
                // SAFETY: the caller keeps the contract.
                unsafe { body::adjoint::<$lanes, T, N>(call) }
            }

            const fn pair<T: Linear<N>, const N: usize>() -> Pair {
                Pair { transform: transform::<T, N>, adjoint: adjoint::<T, N> }
            }

            pub(super) static KERNELS: KernelSet = KernelSet {
                image: pair::<ImageTile, 8>(),
                kernel: [pair::<KernelBlock, 3>(), pair::<KernelBlock, 4>(), pair::<KernelBlock, 5>()],
                result: [
                    pair::<ResultBlock, 3>(),
                    pair::<ResultBlock, 4>(),
                    pair::<ResultBlock, 5>(),
                    pair::<ResultBlock, 6>(),
                ],
            };
        }
    };
}

kernel_set!(portable, crate::lanes::Array8,);
#[cfg(target_arch = "x86_64")]
kernel_set!(avx2, std::arch::x86_64::__m256, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
kernel_set!(avx512, std::arch::x86_64::__m512, #[target_feature(enable = "avx512f")]);
#[cfg(target_arch = "aarch64")]
kernel_set!(neon, std::arch::aarch64::float32x4_t,);
