//! Which taps of a kernel meet the image, and where.
//!
//! A convolution over an image with zero padding multiplies many zeros. Outputs whose windows
//! are cut off by the border in the same way form a region, and are computed with the taps that
//! are left; the padding itself is never stored.

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
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Padding at the top and left; negative where the first windows begin inside the image.
    pub before: [isize; 2],
    /// Height and width of the result.
    pub outputs: [usize; 2],
}

/// Outputs that see the same taps.
pub(crate) struct Region {
    /// Where the outputs' windows begin in the images.
    pub rows: Vec<usize>,
    /// Indices of the outputs: (image · height + y) · width + x.
    pub outputs: Vec<usize>,
    /// First vertical and horizontal tap.
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
            first: [y.taps.start, x.taps.start],
            count: [y.taps.len(), x.taps.len()],
        };
        let empty = region.count.contains(&0);
        for image in 0..images {
            for row in y.outputs.clone() {
                for column in x.outputs.clone() {
                    let place = self.place([row, column], region.first);
                    region.rows.push(if empty {
                        0
                    } else {
                        image * self.image_len() + place
                    });
                    let [height, width] = self.outputs;
                    region.outputs.push((image * height + row) * width + column);
                }
            }
        }
        region
    }

    /// Where a tap of an output's window lies in the image.
    fn place(&self, output: [usize; 2], tap: [usize; 2]) -> usize {
        let at = |axis: usize| {
            let place = (output[axis] * self.stride[axis] + tap[axis])
                .checked_add_signed(-self.before[axis]);
            place.unwrap_or(0)
        };
        (at(0) * self.size[1] + at(1)) * self.channels
    }

    /// Runs of outputs along an axis that see the same taps.
    fn spans(&self, axis: usize) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for output in 0..self.outputs[axis] {
            let taps = self.taps_at(axis, output);
            match spans.last_mut() {
                Some(span) if span.taps == taps => span.outputs.end = output + 1,
                _ => spans.push(Span {
                    outputs: output..output + 1,
                    taps,
                }),
            }
        }
        spans
    }

    /// The taps of an output that meet the image.
    fn taps_at(&self, axis: usize, output: usize) -> Range<usize> {
        let start = (output * self.stride[axis]).cast_signed() - self.before[axis];
        let (kernel, size) = (
            self.kernel[axis].cast_signed(),
            self.size[axis].cast_signed(),
        );
        let first = (-start).clamp(0, kernel);
        let end = (size - start).clamp(first, kernel);
        first.cast_unsigned()..end.cast_unsigned()
    }

    /// The outputs at which a tap meets the image.
    fn outputs_at(&self, axis: usize, tap: usize) -> Range<usize> {
        let meets = |&output: &usize| self.taps_at(axis, output).contains(&tap);
        let first = (0..self.outputs[axis]).find(meets).unwrap_or(0);
        let count = (first..self.outputs[axis]).take_while(meets).count();
        first..first + count
    }

    /// The regions of the taps.
    pub(crate) fn tap_regions(&self) -> Vec<TapRegion> {
        let mut regions: Vec<TapRegion> = Vec::new();
        let [kernel_height, kernel_width] = self.kernel;
        for tap in 0..kernel_height * kernel_width {
            let at = [tap / kernel_width, tap % kernel_width];
            let ranges = [0, 1].map(|axis| self.outputs_at(axis, at[axis]));
            let first = [ranges[0].start, ranges[1].start];
            let count = [ranges[0].len(), ranges[1].len()];
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
            let empty = count.contains(&0);
            let place = if empty { 0 } else { self.place(first, at) };
            regions[index].rows.extend(place..place + self.channels);
            regions[index]
                .taps
                .extend(tap * self.channels..(tap + 1) * self.channels);
        }
        regions
    }
}

/// Outputs along one axis that see the same taps.
struct Span {
    outputs: Range<usize>,
    taps: Range<usize>,
}
