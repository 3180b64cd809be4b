//! Which taps of a kernel meet the image, and where.
//!
//! A convolution over an image with zero padding multiplies many zeros, and so does the input
//! gradient of a convolution with strides. Outputs whose windows meet the image with the same taps
//! form a region and are computed with these taps alone, and no zero is stored. Few channels
//! ([`crate::geometry::Geometry::stores_padding`]) are quicker with their zeros, as one region.

use std::ops::Range;

/// A convolution over images of pixels, `[height, width, channels]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Height and width of the image.
    pub size: [usize; 2],
    /// Channels of a pixel.
    pub channels: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Vertical and horizontal distance of two windows.
    pub stride: [usize; 2],
    /// Vertical and horizontal distance of two pixels as the kernel sees them: more than 1 for the
    /// input gradient of a convolution with strides.
    pub spread: [usize; 2],
    /// Padding at the top and left; negative where the first windows begin inside the image.
    pub before: [isize; 2],
    /// Height and width of the result.
    pub outputs: [usize; 2],
}

/// Outputs that see the same taps.
pub(crate) struct Region {
    /// Where in the images the outputs' first taps are.
    pub rows: Vec<usize>,
    /// Indices of the outputs: (image · height + y) · width + x.
    pub outputs: Vec<usize>,
    /// First vertical and horizontal tap; from one to the next it is the spread.
    pub first: [usize; 2],
    /// Number of vertical and horizontal taps.
    pub count: [usize; 2],
}

/// Taps that meet the image at the same outputs.
pub(crate) struct TapRegion {
    /// Where the taps, channel by channel, lie in the image at the first of these outputs.
    pub rows: Vec<usize>,
    /// Indices of the taps: (y · kernel width + x) · channels + channel.
    pub taps: Vec<usize>,
    /// First row and column of these outputs.
    pub first: [usize; 2],
    /// Number of rows and columns of these outputs.
    pub count: [usize; 2],
}

/// The taps of one output, along one axis, that meet the image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taps {
    /// The first of them.
    pub first: usize,
    /// Their number.
    pub count: usize,
}

/// Outputs along one axis that see the same taps, with the pixel that the first tap meets.
struct Span {
    taps: Taps,
    outputs: Vec<(usize, usize)>,
}

impl Window {
    /// Values of an image.
    pub(crate) fn image_len(&self) -> usize {
        self.size[0] * self.size[1] * self.channels
    }

    /// Distance in an image of two rows and of two pixels.
    pub(crate) fn steps(&self) -> [usize; 2] {
        [self.size[1] * self.channels, self.channels]
    }

    /// The regions of `images` results.
    pub(crate) fn regions(&self, images: usize) -> Vec<Region> {
        let [rows, columns] = [0, 1].map(|axis| self.spans(axis));
        let pairs = rows
            .iter()
            .flat_map(|y| columns.iter().map(move |x| (y, x)));
        pairs.map(|(y, x)| self.region(images, y, x)).collect()
    }

    fn region(&self, images: usize, y: &Span, x: &Span) -> Region {
        let mut region = Region {
            rows: Vec::new(),
            outputs: Vec::new(),
            first: [y.taps.first, x.taps.first],
            count: [y.taps.count, x.taps.count],
        };
        let [height, width] = self.outputs;
        for image in 0..images {
            for &(row, pixel_row) in &y.outputs {
                for &(column, pixel) in &x.outputs {
                    let place = (pixel_row * self.size[1] + pixel) * self.channels;
                    region.rows.push(image * self.image_len() + place);
                    region.outputs.push((image * height + row) * width + column);
                }
            }
        }
        region
    }

    /// The outputs along an axis, grouped by their taps.
    fn spans(&self, axis: usize) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for output in 0..self.outputs[axis] {
            let (taps, pixel) = self.taps_at(axis, output);
            match spans.iter_mut().find(|span| span.taps == taps) {
                Some(span) => span.outputs.push((output, pixel)),
                None => spans.push(Span {
                    taps,
                    outputs: vec![(output, pixel)],
                }),
            }
        }
        spans
    }

    /// The taps of an output that meet the image, and the pixel that the first of them meets.
    pub(crate) fn taps_at(&self, axis: usize, output: usize) -> (Taps, usize) {
        let start = (output * self.stride[axis]).cast_signed() - self.before[axis];
        let spread = self.spread[axis];
        let pixel = start.max(0).cast_unsigned().div_ceil(spread);
        let first = (pixel * spread).cast_signed() - start;
        let first = first.cast_unsigned();
        if first >= self.kernel[axis] || pixel >= self.size[axis] {
            return (Taps { first: 0, count: 0 }, 0);
        }
        let count = (self.kernel[axis] - first)
            .div_ceil(spread)
            .min(self.size[axis] - pixel);
        (Taps { first, count }, pixel)
    }

    /// The outputs at which a tap meets the image, and the pixel that it meets at the first of
    /// them. For a spread of 1.
    fn outputs_at(&self, axis: usize, tap: usize) -> (Range<usize>, usize) {
        let meets = |&output: &usize| {
            let (taps, _) = self.taps_at(axis, output);
            (taps.first..taps.first + taps.count).contains(&tap)
        };
        let Some(first) = (0..self.outputs[axis]).find(meets) else {
            return (0..0, 0);
        };
        let count = (first..self.outputs[axis]).take_while(meets).count();
        let (taps, pixel) = self.taps_at(axis, first);
        (first..first + count, pixel + tap - taps.first)
    }

    /// The regions of the taps. For a spread of 1.
    pub(crate) fn tap_regions(&self) -> Vec<TapRegion> {
        let mut regions: Vec<TapRegion> = Vec::new();
        for tap in 0..self.kernel[0] * self.kernel[1] {
            let (rows, pixel_row) = self.outputs_at(0, tap / self.kernel[1]);
            let (columns, pixel) = self.outputs_at(1, tap % self.kernel[1]);
            let first = [rows.start, columns.start];
            let count = [rows.len(), columns.len()];
            let known = regions
                .iter()
                .position(|region| region.first == first && region.count == count);
            let index = known.unwrap_or_else(|| {
                regions.push(TapRegion {
                    rows: Vec::new(),
                    taps: Vec::new(),
                    first,
                    count,
                });
                regions.len() - 1
            });
            let place = (pixel_row * self.size[1] + pixel) * self.channels;
            regions[index].rows.extend(place..place + self.channels);
            regions[index]
                .taps
                .extend(tap * self.channels..(tap + 1) * self.channels);
        }
        regions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PADDED: Window = Window {
        size: [7, 7],
        channels: 3,
        kernel: [5, 5],
        stride: [1, 1],
        spread: [1, 1],
        before: [2, 2],
        outputs: [7, 7],
    };

    #[test]
    fn border_outputs_see_fewer_taps() {
        let taps: Vec<_> = (0..7).map(|output| PADDED.taps_at(0, output)).collect();
        let seen: Vec<_> = taps
            .iter()
            .map(|(taps, pixel)| (taps.first, taps.count, *pixel))
            .collect();
        assert_eq!(
            seen,
            [
                (2, 3, 0),
                (1, 4, 0),
                (0, 5, 0),
                (0, 5, 1),
                (0, 5, 2),
                (0, 4, 3),
                (0, 3, 4)
            ]
        );
    }

    #[test]
    fn a_spread_leaves_out_the_taps_between_pixels() {
        let window = Window {
            spread: [2, 2],
            before: [1, 1],
            size: [3, 3],
            ..PADDED
        };
        let (taps, pixel) = window.taps_at(0, 0);
        assert_eq!((taps.first, taps.count, pixel), (1, 2, 0));
        let (taps, pixel) = window.taps_at(0, 1);
        assert_eq!((taps.first, taps.count, pixel), (0, 3, 0));
    }

    #[test]
    fn a_window_of_padding_alone_has_no_taps() {
        let window = Window {
            before: [9, 9],
            ..PADDED
        };
        assert_eq!(window.taps_at(0, 0).0.count, 0);
    }

    #[test]
    fn regions_cover_each_output_once() {
        let mut outputs: Vec<_> = PADDED
            .regions(2)
            .into_iter()
            .flat_map(|region| region.outputs)
            .collect();
        outputs.sort_unstable();
        assert!(outputs.into_iter().eq(0..2 * 49));
    }
}
