//! Cross-entropy with label smoothing.

use burn::tensor::{Int, Tensor, activation::log_softmax};

use crate::attach::cross_entropy::fused;
use crate::switch::enabled;

/// The loss of each sample, `[batch]`, for logits `[batch, classes]` and class numbers `[batch]`.
///
/// -(1 - ε)·log p(target) - ε·mean over classes of log p, with p = softmax of the logits and
/// ε = `smoothing` (Szegedy et al., 2016, section 7).
///
/// Fused, or Burn's separate operations, as [`crate::conv2d_block`].
///
/// # Panics
/// As Burn's operations do: when the shapes don't fit, or a class number is out of range.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    if enabled()
        && let Some(losses) = fused(&logits, &targets, smoothing)
    {
        return losses;
    }
    separate(logits, targets, smoothing)
}

/// The losses as Burn's own operations.
fn separate(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let log_p = log_softmax(logits, 1);
    let target_log_p: Tensor<1> = log_p
        .clone()
        .gather(1, targets.unsqueeze_dim(1))
        .squeeze_dim(1);
    if smoothing == 0.0 {
        return -target_log_p;
    }
    let mean_log_p: Tensor<1> = log_p.mean_dim(1).squeeze_dim(1);
    -(target_log_p * (1.0 - smoothing) + mean_log_p * smoothing)
}
