//! Shapes of a convolution block, worked out once.

use crate::region::Window;

/// Side and stride of the pooling windows.
pub(crate) const POOL: usize = 2;

/// Distance of two pixels that hold so many channels, where they are padded: a whole number of
/// the widest vectors.
pub(crate) fn channel_stride(channels: usize) -> usize {
    channels.next_multiple_of(16)
}

/// Sizes of a convolution, and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Images in the batch.
    pub batch: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Channels of the output.
    pub out_channels: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero padding at the top, left, bottom and right.
    pub padding: [usize; 4],
    /// Whether ReLU follows.
    pub relu: bool,
    /// Whether 2×2 max-pooling follows.
    pub pool: bool,
}

impl Geometry {
    /// Whether the sizes make sense and no output is empty.
    pub(crate) fn is_valid(&self) -> bool {
        let [top, left, bottom, right] = self.padding;
        let fits = |size: usize, before, after, kernel, stride| {
            kernel > 0 && stride > 0 && size > 0 && size + before + after >= kernel
        };
        fits(self.input[0], top, bottom, self.kernel[0], self.stride[0])
            && fits(self.input[1], left, right, self.kernel[1], self.stride[1])
            && self.batch > 0
            && self.in_channels > 0
            && self.out_channels > 0
            && self.output().iter().all(|&size| size > 0)
    }

    /// Height and width of the convolution's result.
    fn full(&self) -> [usize; 2] {
        let [top, left, bottom, right] = self.padding;
        let size = |axis: usize, padding| {
            (self.input[axis] + padding - self.kernel[axis]) / self.stride[axis] + 1
        };
        [size(0, top + bottom), size(1, left + right)]
    }

    /// Height and width of the part of the convolution's result that is used: pooling leaves
    /// out the last row and column of an odd size.
    pub(crate) fn used(&self) -> [usize; 2] {
        if self.pool {
            self.full().map(|size| size / POOL * POOL)
        } else {
            self.full()
        }
    }

    /// Height and width of the output.
    pub(crate) fn output(&self) -> [usize; 2] {
        if self.pool {
            self.full().map(|size| size / POOL)
        } else {
            self.full()
        }
    }

    /// Whether images are stored with their padding: cheaper than regions for few channels.
    pub(crate) fn stores_padding(&self) -> bool {
        self.padding != [0; 4] && self.in_channels * self.kernel[1] < 16
    }

    /// Height and width of an image with its padding: all of the image, and all that the used
    /// outputs read.
    pub(crate) fn canvas(&self) -> [usize; 2] {
        let used = self.used();
        [0, 1].map(|axis| {
            let read = (used[axis] - 1) * self.stride[axis] + self.kernel[axis];
            read.max(self.padding[axis] + self.input[axis])
        })
    }

    /// The convolution over packed images.
    pub(crate) fn window(&self) -> Window {
        let [top, left, ..] = self.padding;
        let (size, before) = if self.stores_padding() {
            (self.canvas(), [0, 0])
        } else {
            (self.input, [top.cast_signed(), left.cast_signed()])
        };
        Window {
            size,
            channels: self.in_channels,
            kernel: self.kernel,
            stride: self.stride,
            spread: [1, 1],
            before,
            outputs: self.used(),
        }
    }

    /// Pairs of outputs and taps, along one axis, that meet the image.
    pub(crate) fn meetings(&self, axis: usize) -> usize {
        let window = self.window();
        let taps = |output| window.taps_at(axis, output).0.count;
        (0..window.outputs[axis]).map(taps).sum()
    }

    /// Values of one image.
    pub(crate) fn image_len(&self) -> usize {
        self.in_channels * self.input[0] * self.input[1]
    }

    /// Values of one output.
    pub(crate) fn output_len(&self) -> usize {
        self.out_channels * self.output()[0] * self.output()[1]
    }

    /// Places of the pooled maxima of one image: `[height, width, channel_stride]`.
    pub(crate) fn sources_len(&self) -> usize {
        self.output()[0] * self.output()[1] * channel_stride(self.out_channels)
    }

    /// Taps of the kernel over all input channels.
    pub(crate) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.in_channels
    }
}
