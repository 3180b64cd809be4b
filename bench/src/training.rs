//! A network, its optimizer and its batches.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use artifact::Sha256;
use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use dataset::{DatasetName, Normalization, Part, Split};
use kernels::cross_entropy;
use models::{Architecture, LayerSpec, ModelSpec, Network};
use serde_saphyr::Spanned;
use trainer::{Batch, Batches, DeviceName, Settings, Validation};

use crate::Job;

/// Batches that the steps go round in.
const BATCHES: usize = 32;

/// A training that goes on step by step.
pub(crate) struct Training {
    job: Job,
    architecture: Architecture,
    train: Arc<Split>,
    test: Arc<Split>,
    /// With autodiff.
    device: Device,
    network: Network,
    optimizer: ModuleOptimizer,
    batches: Vec<Batch>,
    step: usize,
    /// Convolutions of the network, each of which should take the fused kernels.
    convolutions: usize,
}

impl Training {
    /// Reads the images and makes a network with weights that are always the same.
    pub(crate) fn new(job: Job) -> Result<Self> {
        let load = |part| DatasetName::Mnist.load(&job.data, part).map(Arc::new);
        let (train, test) = (load(Part::Train)?, load(Part::Test)?);
        let spec: ModelSpec = serde_saphyr::from_str(&job.network)?;
        let architecture = spec.resolve(train.images().image_shape())?;
        let device = Device::flex();
        device.seed(1);
        let device = device.autodiff();
        let members = (0..(BATCHES * job.batch) as u32).collect();
        let normalization = Normalization::unit(1);
        let batches = Batches::new(
            Arc::clone(&train),
            members,
            normalization,
            job.batch,
            device.clone(),
        );
        Ok(Self {
            network: architecture.init(&device).materialize(),
            optimizer: job.optimizer.init(),
            batches: batches.iter().collect::<Result<_, _>>()?,
            step: 0,
            convolutions: convolutions(&spec.layers),
            job,
            architecture,
            train,
            test,
            device,
        })
    }

    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        Ok(trainer::save_weights(&self.network.valid(), file)?)
    }

    /// Starts anew from the weights of a file.
    pub(crate) fn load(&mut self, file: &Path) -> Result<()> {
        let network = self.architecture.init(&self.device).materialize();
        self.network = trainer::load_weights(network, file)?;
        self.optimizer = self.job.optimizer.init();
        self.step = 0;
        Ok(())
    }

    /// Milliseconds and loss of each of the next steps.
    pub(crate) fn steps(&mut self, count: usize) -> Result<(Vec<f64>, Vec<f32>)> {
        let before = kernels::fused_calls(kernels::Operation::Conv2d);
        let mut network = self.network.clone();
        let mut steps = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            let batch = self.batches[self.step % BATCHES].clone();
            let started = Instant::now();
            let loss;
            // On the threads of the kernels, where `trainer` runs its steps.
            (network, loss) = kernels::awake(|| self.next_step(network, batch));
            steps.0.push(started.elapsed().as_secs_f64() * 1e3);
            steps.1.push(loss);
            self.step += 1;
        }
        self.network = network;
        let fused = kernels::fused_calls(kernels::Operation::Conv2d) - before;
        let expected = (count * self.convolutions) as u64;
        ensure!(
            fused == expected || !kernels::enabled(),
            "{fused} of {expected} convolutions took the fused kernels"
        );
        Ok(steps)
    }

    fn next_step(&mut self, network: Network, batch: Batch) -> (Network, f32) {
        let logits = network.forward(batch.images);
        let loss = cross_entropy(logits, batch.targets, 0.0).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let network = self.optimizer.step(self.job.rate, network, gradients);
        (network, loss.into_scalar())
    }

    /// Seconds of an epoch with its validation, from new weights, and the accuracy it reached.
    pub(crate) fn epoch(&self) -> Result<(f64, f64)> {
        let settings = Settings {
            device: DeviceName::Cpu,
            epochs: 1,
            batch_size: self.job.batch,
            optimizer: self.job.optimizer,
            learning_rate: self.job.rate,
            validation: Validation::Test,
            ..Settings::default()
        };
        let folder = std::env::temp_dir().join(format!("burnish-bench-{}", std::process::id()));
        let started = Instant::now();
        let (summary, _) = trainer::train(&trainer::Job {
            architecture: &self.architecture,
            train: Arc::clone(&self.train),
            test: Arc::clone(&self.test),
            normalization: Normalization::unit(1),
            dataset: Sha256::of_bytes(b""),
            settings: &settings,
            description: serde_json::Value::Null,
            folder: &folder,
            fresh: true,
            stop: Arc::default(),
        })?;
        let seconds = started.elapsed().as_secs_f64();
        std::fs::remove_dir_all(&folder).context("removing the weights of the epoch")?;
        Ok((seconds, summary.last.validation_accuracy))
    }
}

/// Convolutions among the layers, also those within blocks.
fn convolutions(layers: &[Spanned<LayerSpec>]) -> usize {
    let count = |layer: &Spanned<LayerSpec>| match &layer.value {
        LayerSpec::Conv2d(_) => 1,
        LayerSpec::Residual(block) => convolutions(&block.body) + convolutions(&block.shortcut),
        _ => 0,
    };
    layers.iter().map(count).sum()
}
