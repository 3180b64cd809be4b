//! A network that learns to tell classes apart: what Burn's learner steps.

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use kernels::cross_entropy;
use models::Network;

use crate::Error;
use crate::loader::{Batch, Mixed};

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
        let loss = |targets| cross_entropy(logits.clone(), targets, smoothing);
        let own = loss(batch.targets.clone());
        // Linear in the target: that of the two labels, by their weights.
        let loss = match batch.mixed {
            None => own,
            Some(Mixed { others, weights }) => {
                own * weights.clone() + loss(others) * (-weights + 1.0)
            }
        };
        ClassificationOutput::new(loss, logits, batch.targets)
    }
}

impl Classifier {
    /// Parameters with their numbers, and running statistics, as burnpack.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        // Running statistics lag one step behind until `valid` asks for them.
        let bytes = self.valid().into_record().into_bytes();
        let bytes = bytes.map_err(|error| Error::Burn(error.to_string()))?;
        Ok(bytes.to_vec())
    }

    /// With the parameters of [`Self::to_bytes`].
    pub(crate) fn restore(self, bytes: Vec<u8>) -> Result<Self, Error> {
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes));
        let record = record.map_err(|error| Error::Burn(error.to_string()))?;
        self.try_load_record(record)
            .map_err(|error| Error::Burn(error.to_string()))
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
