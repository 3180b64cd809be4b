//! Cross-entropy with label smoothing.

use burn::tensor::{Int, Tensor, activation::log_softmax};

/// The loss of each sample, `[batch]`, for logits `[batch, classes]` and
/// class numbers `[batch]`.
///
/// -(1 - ε)·log p(target) - ε·mean over classes of log p, with p = softmax of
/// the logits and ε = `smoothing` (Szegedy et al., 2016, section 7).
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn loss_matches_the_formula_per_sample() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_data([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], &device);
        let targets = Tensor::<1, Int>::from_data([2, 0], &device);

        let loss = cross_entropy(logits, targets, 0.1);

        let log_p = [1.0_f64, 2.0, 3.0].map(|z| z - (1f64.exp() + 2f64.exp() + 3f64.exp()).ln());
        let first = -(0.9 * log_p[2] + 0.1 * log_p.iter().sum::<f64>() / 3.0);
        let second = 3f64.ln();
        let loss = loss.into_data().try_to_vec::<f32>().unwrap();
        assert!((f64::from(loss[0]) - first).abs() < 1e-6);
        assert!((f64::from(loss[1]) - second).abs() < 1e-6);
    }
}
