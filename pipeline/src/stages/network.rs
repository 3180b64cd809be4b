//! The trained network, answering in Burn.

use std::path::PathBuf;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::tensor::Device;
use dataset::{Normalization, Split};
use models::Network;
use trainer::{Batches, DeviceName};

use crate::config::Weights;
use crate::plan::ExportPlan;

/// Images that Burn evaluates at once.
const BATCH: usize = 256;

impl ExportPlan {
    /// The file of the weights.
    pub(crate) fn weights_file(&self) -> PathBuf {
        self.train.folder.join(match self.weights {
            Weights::Best => trainer::BEST,
            Weights::Last => trainer::LAST,
        })
    }

    /// The trained network on the CPU, ready for inference.
    pub(crate) fn network(&self) -> anyhow::Result<(Network, Device)> {
        let (_, device) = trainer::resolve_device(DeviceName::Cpu)?;
        let network = self.train.architecture.init(&device);
        let network = trainer::load_weights(network, &self.weights_file())?;
        Ok((network.valid(), device))
    }
}

/// Logits of all images, `[images, classes]`, row-major.
pub(super) fn logits(
    network: &Network,
    device: &Device,
    normalization: &Normalization,
    split: &Arc<Split>,
) -> anyhow::Result<Vec<f32>> {
    let members = (0..split.images().len() as u32).collect();
    let batches = Batches::new(
        Arc::clone(split),
        members,
        normalization.clone(),
        BATCH,
        device.clone(),
    );
    let mut logits = Vec::new();
    for batch in batches.iter() {
        let answer = network.forward(batch?.images).into_data();
        let answer = answer
            .try_to_vec::<f32>()
            .map_err(|error| anyhow::anyhow!("the logits are no 32-bit floats: {error:?}"))?;
        logits.extend(answer);
    }
    Ok(logits)
}

/// Position of the largest logit, the first of equals.
pub(super) fn label(logits: &[f32]) -> usize {
    let first_largest = |best: usize, index: usize| {
        if logits[index] > logits[best] {
            index
        } else {
            best
        }
    };
    (0..logits.len()).fold(0, first_largest)
}
