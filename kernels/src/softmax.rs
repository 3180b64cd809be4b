//! Cross-entropy of softmax and its gradient, row by row.

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
    /// Those of logits `[samples, classes]`; `None` where they don't fit.
    pub(crate) fn new(
        classes: impl Iterator<Item = i64>,
        [samples, count]: [usize; 2],
        smoothing: f64,
    ) -> Option<Targets> {
        let classes: Vec<usize> = classes
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CLASSES: usize = 7;

    /// The losses' formula, in `f64`.
    fn formula(logits: &[f64], targets: &Targets) -> Vec<f64> {
        let rows = logits.chunks_exact(CLASSES).zip(&targets.classes);
        rows.map(|(row, &class)| {
            let sum: f64 = row.iter().map(|z| z.exp()).sum();
            let log_p: Vec<f64> = row.iter().map(|z| z - sum.ln()).collect();
            let mean = log_p.iter().sum::<f64>() / CLASSES as f64;
            let smoothing = f64::from(targets.smoothing);
            -(1.0 - smoothing) * log_p[class] - smoothing * mean
        })
        .collect()
    }

    #[test]
    fn losses_are_the_formula_and_gradients_its_differences() {
        const STEP: f64 = 1e-5;
        // More samples than one task takes.
        let samples = TASK_ROWS + 3;
        let logits: Vec<f32> = (0..samples * CLASSES)
            .map(|i| (i * i % 31) as f32 / 4.0 - 4.0)
            .collect();
        let exact: Vec<f64> = logits.iter().map(|&z| z.into()).collect();
        let grad: Vec<f32> = (0..samples).map(|i| i as f32 / 8.0 - 3.0).collect();
        for smoothing in [0.0, 0.1] {
            let classes = (0..samples).map(|i| (i * 3 % CLASSES) as i64);
            let targets = Targets::new(classes, [samples, CLASSES], smoothing).unwrap();
            let (losses, probabilities) = losses(&logits, &targets);
            for (loss, expected) in losses.iter().zip(formula(&exact, &targets)) {
                assert!((f64::from(*loss) - expected).abs() < 1e-5);
            }
            let gradient = gradient(probabilities, &targets, &grad);
            for (i, &slope) in gradient.iter().enumerate() {
                let sample = i / CLASSES;
                let at = |step: f64| {
                    let mut logits = exact.clone();
                    logits[i] += step;
                    formula(&logits, &targets)[sample]
                };
                let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP) * f64::from(grad[sample]);
                assert!(
                    (f64::from(slope) - difference).abs() < 1e-5,
                    "{slope}, {difference}"
                );
            }
        }
    }

    #[test]
    fn classes_that_do_not_fit_are_refused() {
        let targets = |classes: &[i64], shape| Targets::new(classes.iter().copied(), shape, 0.0);
        assert!(targets(&[0, 2], [2, 3]).is_some());
        assert!(targets(&[0, 3], [2, 3]).is_none());
        assert!(targets(&[0, -1], [2, 3]).is_none());
        assert!(targets(&[0], [2, 3]).is_none());
        assert!(targets(&[], [0, 3]).is_none());
    }
}
