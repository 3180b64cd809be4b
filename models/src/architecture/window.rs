//! Windows that slide over feature maps: padding and the size of what they give.

use super::resolve::{Problem, here};
use crate::{Padding, Pair};

/// Top, left, bottom and right padding of a convolution.
pub(super) fn conv_padding(
    padding: Padding,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
) -> [usize; 4] {
    match padding {
        Padding::Valid => [0; 4],
        Padding::Pixels(Pair([height, width])) => [height, width, height, width],
        Padding::Same => {
            let [(top, bottom), (left, right)] =
                [0, 1].map(|axis| same_padding(size[axis], kernel[axis], stride[axis]));
            [top, left, bottom, right]
        }
    }
}

/// Height and width that a kernel spans: `dilation·(kernel - 1) + 1`.
pub(super) fn dilated(kernel: [usize; 2], dilation: [usize; 2]) -> [usize; 2] {
    [0, 1].map(|axis| {
        let gaps = (kernel[axis] - 1).saturating_mul(dilation[axis]);
        gaps.saturating_add(1)
    })
}

/// Padding before and after, for an output of ⌈size / stride⌉:
/// `(⌈size/stride⌉ - 1)·stride + kernel - size`, an odd one more after
/// (ONNX's `SAME_UPPER`).
fn same_padding(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let covered = (size.div_ceil(stride) - 1)
        .saturating_mul(stride)
        .saturating_add(kernel);
    let total = covered.saturating_sub(size);
    (total / 2, total - total / 2)
}

/// Output size of a window: `⌊(size + padding - kernel) / stride⌋ + 1`.
pub(super) fn slide(
    size: [usize; 2],
    padding: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
) -> Result<[usize; 2], Problem> {
    let padded = [0, 1].map(|axis| size[axis].saturating_add(padding[axis]));
    if kernel[0] > padded[0] || kernel[1] > padded[1] {
        return Err(here(format!(
            "a window of {}×{} does not fit into maps of {}×{}{}",
            kernel[0],
            kernel[1],
            size[0],
            size[1],
            if padding == [0, 0] {
                String::new()
            } else {
                format!(" padded to {}×{}", padded[0], padded[1])
            }
        )));
    }
    Ok([0, 1].map(|axis| (padded[axis] - kernel[axis]) / stride[axis] + 1))
}
