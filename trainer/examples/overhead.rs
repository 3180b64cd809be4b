//! What Burn's learner, metrics and view cost, against a bare loop over the
//! same batches: both train one epoch of a built-in network on MNIST in
//! `data/mnist`, in turn, and the medians are compared.
//!
//!     cargo run --release -p trainer --example overhead [NETWORK] [ROUNDS]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use artifact::Sha256;
use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use dataset::{DatasetName, Normalization, Part, Split};
use kernels::cross_entropy;
use models::Architecture;
use trainer::{Batches, DeviceName, Job, Optimizer, Settings, Validation, resolve_device};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let network = arguments.next().unwrap_or_else(|| "cnn-32-64".to_owned());
    let rounds: usize = arguments.next().map_or(Ok(3), |rounds| rounds.parse())?;

    let name = DatasetName::Mnist;
    let split = Arc::new(name.load(Path::new("data/mnist"), Part::Train)?);
    let architecture = models::built_in(&network)
        .ok_or("no such network")?
        .resolve([1, 28, 28])?;

    let mut seconds = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        seconds[0].push(bare(&architecture, &split)?);
        seconds[1].push(learner(&architecture, &split)?);
    }
    let [bare, learner] = seconds.map(median);
    println!("{network}, one epoch of 59,000 images, validation on 1,000");
    println!("bare loop  {bare:.2} s");
    println!(
        "learner    {learner:.2} s  ({:+.1}%)",
        100.0 * (learner / bare - 1.0)
    );
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn learner(architecture: &Architecture, split: &Arc<Split>) -> Result<f64, Box<dyn Error>> {
    let settings = Settings {
        device: DeviceName::Cpu,
        epochs: 1,
        optimizer: Optimizer::Sgd(Default::default()),
        learning_rate: 0.01,
        validation: Validation::HoldOut(1000),
        ..Settings::default()
    };
    let folder = std::env::temp_dir().join("burnish-overhead");
    let (_, timing) = trainer::train(&Job {
        architecture,
        train: Arc::clone(split),
        test: Arc::clone(split),
        normalization: Normalization::unit(1),
        dataset: Sha256::of_bytes(b""),
        settings: &settings,
        description: serde_json::Value::Null,
        folder: &folder,
        fresh: true,
        stop: Arc::default(),
    })?;
    std::fs::remove_dir_all(&folder)?;
    Ok(timing.seconds)
}

fn bare(architecture: &Architecture, split: &Arc<Split>) -> Result<f64, Box<dyn Error>> {
    let started = Instant::now();
    let (_, device) = resolve_device(DeviceName::Cpu)?;
    device.seed(1);
    let autodiff = device.clone().autodiff();
    let mut network = architecture.init(&autodiff).materialize();
    let mut optimizer = SgdConfig::new().init();
    let make = |members, device| {
        let normalization = Normalization::unit(1);
        Batches::new(Arc::clone(split), members, normalization, 64, device)
    };

    for batch in make((0..59_000).collect(), autodiff).shuffled(1).iter() {
        let batch = batch?;
        let logits = network.forward(batch.images);
        let loss = cross_entropy(logits, batch.targets, 0.0).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(0.01, network, gradients);
    }
    let trained = network.valid();
    let mut loss = 0.0;
    for batch in make((59_000..60_000).collect(), device).iter() {
        let batch = batch?;
        let logits = trained.forward(batch.images);
        loss += cross_entropy(logits, batch.targets, 0.0)
            .sum()
            .into_scalar::<f32>();
    }
    eprintln!("bare loop: validation loss {:.4}", loss / 1000.0);
    Ok(started.elapsed().as_secs_f64())
}
