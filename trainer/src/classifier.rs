//! A network that learns to tell classes apart: what Burn's learner steps.

use burn::module::Module;
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use models::Network;

use crate::loader::Batch;
use crate::loss::cross_entropy;

/// A network with its loss.
#[derive(Module, Debug)]
#[module(custom_display)]
pub(crate) struct Classifier {
    pub(crate) network: Network,
    /// ε of the label smoothing.
    pub(crate) smoothing: f64,
}

impl burn::module::ModuleDisplay for Classifier {}

impl Classifier {
    /// Logits `[batch, classes]` and the loss of each sample `[batch]`.
    fn classify(&self, batch: Batch, smoothing: f64) -> ClassificationOutput {
        let logits = self.network.forward(batch.images);
        let loss = cross_entropy(logits.clone(), batch.targets.clone(), smoothing);
        ClassificationOutput::new(loss, logits, batch.targets)
    }
}

impl TrainStep for Classifier {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(batch, self.smoothing);
        let gradients = output.loss.clone().mean().backward();
        TrainOutput::new(self, gradients, output)
    }
}

impl InferenceStep for Classifier {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        // Smoothing is a regulariser; validation measures the plain loss.
        self.classify(batch, 0.0)
    }
}
