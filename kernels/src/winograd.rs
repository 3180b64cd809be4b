//! Convolutions by Winograd's minimal filtering: fewer products than taps.
//!
//! A tile of 8×8 pixels gives 4×4 results of a 5×5 kernel with 64 products instead of 400. A
//! convolution is three steps: transform, products frequency by frequency, transform back; its
//! gradients are the adjoint of these. Results differ from the direct method's by some 1e-5 of
//! their scale at most. Values that are not finite would spread over whole tiles: they are left to the
//! direct method.

mod gradients;
mod spectrum;
mod transform;

pub(crate) use gradients::WinogradGradients;
pub(crate) use spectrum::Spectrum;

use self::spectrum::multiply;
use self::transform::{Block, Operand, TILE, adjoint, transform};
use crate::geometry::{Geometry, channel_stride};
use crate::isa::Isa;
use crate::magnitude::all_below;
use crate::pack::{Canvas, pack_image, pack_weights};
use crate::scratch::Buffer;
use crate::tile::Start;

/// Fewest channels, in and out, for which the products outweigh the transforms.
const MIN_CHANNELS: usize = 8;

/// Fewest tiles that are multiplied together: rows enough for the products, few enough for the
/// caches. More where there are more channels: their weights, which are read once for each group,
/// would outgrow the tiles.
const GROUP_TILES: usize = 32;

/// Values from here on could overflow between the transforms.
const TOO_LARGE: f32 = (1_u64 << 40) as f32;

/// Whether values may be transformed.
pub(crate) fn are_moderate(isa: Isa, values: &[&[f32]]) -> bool {
    values
        .iter()
        .all(|values| all_below(isa, values, TOO_LARGE))
}

/// A convolution that was planned for a geometry.
#[derive(Clone, Copy)]
pub(crate) struct Winograd {
    isa: Isa,
    g: Geometry,
    /// Rows and columns of a tile's results.
    step: usize,
    /// Rows and columns of an image's tiles.
    tiles: [usize; 2],
}

impl Winograd {
    /// A plan, where this method is faster than the direct one.
    pub(crate) fn plan(isa: Isa, g: &Geometry) -> Option<Winograd> {
        let [side, width] = g.kernel;
        let fits = side == width && (3..=5).contains(&side) && g.stride == [1, 1];
        if !fits || g.in_channels.min(g.out_channels) < MIN_CHANNELS {
            return None;
        }
        let step = TILE + 1 - side;
        let tiles = g.used().map(|size| size.div_ceil(step));
        let products = (tiles[0] * TILE) * (tiles[1] * TILE);
        (2 * products < g.meetings(0) * g.meetings(1)).then_some(Winograd {
            isa,
            g: *g,
            step,
            tiles,
        })
    }

    /// Images computed together.
    pub(crate) fn group(&self) -> usize {
        let tiles = GROUP_TILES.max(self.g.in_channels.min(self.g.out_channels));
        (tiles / self.tiles_len()).clamp(1, self.g.batch)
    }

    /// Tiles of an image.
    fn tiles_len(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Row and column of each tile of an image.
    fn places(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let [rows, columns] = self.tiles;
        (0..rows).flat_map(move |y| (0..columns).map(move |x| [y, x]))
    }

    /// An image with its padding: all of it, and all that the last tiles read.
    fn canvas(&self) -> Canvas {
        let image = self.g.canvas();
        let size = |axis: usize| image[axis].max((self.tiles[axis] - 1) * self.step + TILE);
        Canvas {
            size: [size(0), size(1)],
            pixel: channel_stride(self.g.in_channels),
        }
    }

    /// A tile of a canvas.
    fn image_block(&self, [y, x]: [usize; 2]) -> Block {
        let Canvas { size, pixel } = self.canvas();
        let row = size[1] * pixel;
        Block {
            place: (y * row + x * pixel) * self.step,
            row,
            pixel,
            inside: [TILE; 2],
        }
    }

    /// A tile's results among all of an image, whose pixels are `pixel` values apart.
    fn result_block(&self, [y, x]: [usize; 2], pixel: usize) -> Block {
        let [height, width] = self.g.used();
        let row = width * pixel;
        let [y, x] = [y * self.step, x * self.step];
        Block {
            place: y * row + x * pixel,
            row,
            pixel,
            inside: [height - y, width - x].map(|size| size.min(self.step)),
        }
    }

    /// The taps of a kernel in `[kernel height, kernel width, rows, channel_stride]`.
    fn kernel_block(&self, row: usize, rows: usize, stride: usize) -> Block {
        let side = self.g.kernel[0];
        Block {
            place: row * stride,
            row: side * rows * stride,
            pixel: rows * stride,
            inside: [side; 2],
        }
    }

    /// The frequencies of kernels in `[kernel height, kernel width, rows, channel_stride]`.
    fn kernel_spectrum(&self, kernels: &[f32], rows: usize, channels: usize) -> Spectrum {
        let operand = Operand::Kernel(self.g.kernel[0]);
        let mut spectrum = Spectrum::new(rows, channels);
        for row in 0..rows {
            let block = self.kernel_block(row, rows, channel_stride(channels));
            let tile = spectrum.tile(row);
            let to = (&mut spectrum.values[..], tile);
            transform(self.isa, operand, channels, (kernels, block), to);
        }
        spectrum
    }

    /// The frequencies of the weights: `[in, out]`.
    pub(crate) fn weights(&self, weights: &[f32]) -> Spectrum {
        let g = &self.g;
        let packed = pack_weights(self.isa, g, weights);
        self.kernel_spectrum(&packed, g.in_channels, g.out_channels)
    }

    /// The frequencies of some images: `[tiles, in]`.
    fn images(&self, images: &[f32]) -> Spectrum {
        let (g, canvas) = (&self.g, self.canvas());
        let count = images.len() / g.image_len();
        let mut spectrum = Spectrum::new(count * self.tiles_len(), g.in_channels);
        // What is around an image stays zero.
        let mut pixels = Buffer::zeroed(canvas.len());
        let mut row = 0;
        for image in images.chunks_exact(g.image_len()) {
            pack_image(self.isa, g, canvas, image, &mut pixels);
            for place in self.places() {
                let (block, tile) = (self.image_block(place), spectrum.tile(row));
                let to = (&mut spectrum.values[..], tile);
                transform(
                    self.isa,
                    Operand::Image,
                    g.in_channels,
                    (&pixels, block),
                    to,
                );
                row += 1;
            }
        }
        spectrum
    }

    /// The sums of some images with their bias: `[image, height, width, channel_stride]`.
    pub(crate) fn sums(&self, images: &[f32], weights: &Spectrum, bias: &[f32]) -> Buffer {
        let (g, stride) = (&self.g, channel_stride(self.g.out_channels));
        let count = images.len() / g.image_len();
        let rows = count * self.tiles_len();
        let images = self.images(images);
        let mut products = Spectrum::new(rows, g.out_channels);
        let sizes = [rows, g.in_channels, g.out_channels];
        multiply(
            self.isa,
            sizes,
            images.rows(),
            weights,
            Start::Zero,
            &mut products.values,
        );

        let [height, width] = g.used();
        let len = height * width * stride;
        let mut sums = Buffer::take(count * len);
        let mut row = 0;
        for sums in sums.chunks_exact_mut(len) {
            for place in self.places() {
                let from = (&products.values[..], products.tile(row));
                let to = (&mut sums[..], self.result_block(place, stride));
                let operand = Operand::Result(self.step);
                adjoint(self.isa, operand, g.out_channels, from, Some(bias), to);
                row += 1;
            }
        }
        sums
    }
}
