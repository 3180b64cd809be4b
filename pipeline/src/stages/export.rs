//! `export`: the trained network as ONNX, with what it takes to use it.

use std::sync::Arc;

use artifact::Sha256;
use burn::tensor::{Tensor, activation};
use dataset::{Normalization, Part, Split};
use exporter::{Exporter, OnnxModel, dims};
use models::Network;
use output::message;
use runtime::metadata::keys;
use runtime::{ModelMetadata, Sources};

use crate::plan::ExportPlan;
use crate::stages::network::{label, logits};

pub(super) fn run(plan: &ExportPlan) -> anyhow::Result<()> {
    let (network, device) = plan.network()?;
    let dataset = &plan.train.dataset;
    let normalization = plan.train.normalization(&dataset.load(Part::Train)?);
    let test = Arc::new(dataset.load(Part::Test)?);
    let answers = logits(&network, &device, &normalization, &test)?;

    let metadata = metadata(plan, normalization, accuracy(&answers, &test))?;
    let model = export(plan, &network, &metadata)?;
    let digest = onnx::initializers_digest(model.model())?;
    let model = model.with_metadata(keys::INITIALIZERS, digest);
    for warning in model.warnings() {
        message!("  warning: {warning}");
    }
    model.save(&plan.file)?;
    message!("  {}", plan.file.display());
    Ok(())
}

fn metadata(
    plan: &ExportPlan,
    normalization: Normalization,
    accuracy: f64,
) -> anyhow::Result<ModelMetadata> {
    let dataset = &plan.train.dataset;
    Ok(ModelMetadata {
        dataset: dataset.name.clone(),
        input: dataset.image_shape,
        normalization,
        classes: dataset.classes.clone(),
        pictures: dataset.pictures().map(|folder| *folder.options()),
        accuracy: Some(accuracy),
        sources: Sources {
            // Known when the model is there.
            initializers: None,
            weights: Some(Sha256::of_file(&plan.weights_file())?),
            dataset: Some(dataset.digest()?),
            settings: Some(plan.train.settings_digest()),
        },
    })
}

/// The part of the images whose class Burn finds, 0 to 1.
fn accuracy(logits: &[f32], split: &Split) -> f64 {
    let labels = split.labels();
    let classes = logits.len() / labels.len();
    let answers = logits.chunks_exact(classes).zip(labels);
    let correct = answers.filter(|(logits, wanted)| label(logits) == usize::from(**wanted));
    correct.count() as f64 / labels.len() as f64
}

/// The network with the input `image` and the output `logits`, and
/// `probabilities` on request.
fn export(
    plan: &ExportPlan,
    network: &Network,
    metadata: &ModelMetadata,
) -> anyhow::Result<OnnxModel> {
    let [channels, height, width] = plan.train.dataset.image_shape;
    let properties = metadata.to_props().into_iter();
    let exporter = properties.fold(
        Exporter::new()
            .opset(plan.opset)
            .input("image", dims!["batch", channels, height, width])
            .output("logits"),
        |exporter, (key, value)| exporter.metadata(key, value),
    );
    let model = if plan.probabilities {
        exporter
            .output("probabilities")
            .export(network, |network, images: Tensor<4>| {
                let logits = network.forward(images);
                let probabilities = activation::softmax(logits.clone(), 1);
                (logits, probabilities)
            })
    } else {
        exporter.export(network, |network, images: Tensor<4>| {
            network.forward(images)
        })
    };
    Ok(model?)
}
