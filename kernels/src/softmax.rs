//! Cross-entropy of softmax and its gradient, row by row.

use burn::tensor::{Int, Tensor};
use burn_flex::FlexTensor;
use rayon::prelude::*;

/// Samples that one task takes.
const TASK_ROWS: usize = 64;

/// The class of each sample, and how much of the target it is.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    classes: Vec<usize>,
    /// Number of classes.
    count: usize,
    /// ε of the label smoothing.
    smoothing: f32,
}

impl Targets {
    /// Those of logits `[samples, classes]`; `None` where they don't fit, which Burn's own
    /// operations report.
    pub(crate) fn new(
        logits: &FlexTensor,
        targets: &Tensor<1, Int>,
        smoothing: f64,
    ) -> Option<Targets> {
        let [samples, count] = logits.layout().shape().dims();
        let classes: Vec<usize> = targets
            .to_data()
            .iter::<i64>()
            .map(|class| usize::try_from(class).ok().filter(|&class| class < count))
            .collect::<Option<_>>()?;
        (samples > 0 && classes.len() == samples).then_some(Targets {
            classes,
            count,
            smoothing: smoothing as f32,
        })
    }

    pub(crate) fn samples(&self) -> usize {
        self.classes.len()
    }

    pub(crate) fn classes(&self) -> usize {
        self.count
    }
}

/// The loss of each sample, and the probabilities `[samples, classes]`.
pub(crate) fn losses(logits: &[f32], targets: &Targets) -> (Vec<f32>, Vec<f32>) {
    let count = targets.count;
    let mut probabilities = logits.to_vec();
    let mut losses = vec![0.0; targets.samples()];
    probabilities
        .par_chunks_mut(count * TASK_ROWS)
        .zip(losses.par_chunks_mut(TASK_ROWS))
        .zip(targets.classes.par_chunks(TASK_ROWS))
        .for_each(|((rows, losses), classes)| {
            let rows = rows.chunks_exact_mut(count);
            for ((row, loss), &class) in rows.zip(losses).zip(classes) {
                *loss = softmax(row, class, targets.smoothing);
            }
        });
    (losses, probabilities)
}

/// Turns logits into probabilities; the loss of the sample.
///
/// log p is z - max - log Σ exp(z - max): no exponential overflows.
fn softmax(row: &mut [f32], class: usize, smoothing: f32) -> f32 {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut shifted_sum = 0.0;
    let mut sum = 0.0;
    let target = row[class] - max;
    for value in row.iter_mut() {
        let shifted = *value - max;
        shifted_sum += shifted;
        *value = shifted.exp();
        sum += *value;
    }
    let count = row.len() as f32;
    for value in row {
        *value /= sum;
    }
    let log_sum = sum.ln();
    let own = target - log_sum;
    if smoothing == 0.0 {
        return -own;
    }
    -(own * (1.0 - smoothing) + (shifted_sum / count - log_sum) * smoothing)
}

/// The gradient of the logits, for `grad` of each loss:
/// g · (p - (1 - ε)·[class is the target] - ε / classes).
pub(crate) fn gradient(mut probabilities: Vec<f32>, targets: &Targets, grad: &[f32]) -> Vec<f32> {
    let Targets {
        classes,
        count,
        smoothing,
    } = targets;
    let share = smoothing / *count as f32;
    let rows = probabilities.chunks_exact_mut(*count);
    for ((row, &class), grad) in rows.zip(classes).zip(grad) {
        row[class] -= 1.0 - smoothing;
        for value in row {
            *value = (*value - share) * grad;
        }
    }
    probabilities
}
