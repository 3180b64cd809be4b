//! Pooling by itself, as models use it.

use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

use crate::attach::pools::{fused_avg, fused_max};
use crate::pooling::PoolWindow;
use crate::switch::enabled;

/// The largest value of each window.
///
/// - `x`: `[batch, channels, height, width]`
/// - result: `[batch, channels, output height, output width]`, where an output size is
///   ⌊(size + 2·padding − kernel) / stride⌋ + 1
///
/// Fused, or Burn's own operation, as [`crate::conv2d_block`].
///
/// # Panics
/// As [`max_pool2d`] does: when the window does not fit.
pub fn max_pool(x: Tensor<4>, window: PoolWindow) -> Tensor<4> {
    if enabled()
        && let Some(out) = fused_max(&x, window)
    {
        return out;
    }
    max_pool2d(
        x,
        MaxPoolOptions::new(window.kernel)
            .with_stride(window.stride)
            .with_padding(window.padding),
    )
}

/// The mean of each window; padding does not count.
///
/// Shapes, fusing and panics as [`max_pool`].
pub fn avg_pool(x: Tensor<4>, window: PoolWindow) -> Tensor<4> {
    if enabled()
        && let Some(out) = fused_avg(&x, window)
    {
        return out;
    }
    avg_pool2d(
        x,
        AvgPoolOptions::new(window.kernel)
            .with_stride(window.stride)
            .with_padding(window.padding)
            .with_count_include_pad(false),
    )
}
