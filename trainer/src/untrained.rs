//! `epochs: 0`: weights that were trained elsewhere, measured as they are and
//! written as the results of a training without steps.

use std::time::Instant;

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::tensor::Device;
use burn::train::InferenceStep;

use crate::Error;
use crate::classifier::Classifier;
use crate::history::{EpochRecord, Timing};
use crate::loader::Batches;
use crate::progress::{Progress, Totals};
use crate::strategy::Trained;
use crate::train::{Job, initial_network};
use crate::weights::weights;

/// One record, of epoch 0: loss and accuracy on the training and the validation
/// images before any step.
pub(crate) fn measure(
    job: &Job<'_>,
    device: &Device,
    train: &Batches,
    validation: &Batches,
) -> Result<Trained, Error> {
    let started = Instant::now();
    let classifier = Classifier {
        network: initial_network(job, device)?.valid(),
        smoothing: 0.0,
    };
    let train = totals(&classifier, &train.plain().on(device))?;
    let validation = totals(&classifier, validation)?;
    let record = EpochRecord {
        epoch: 0,
        train_loss: train.loss.value(),
        train_accuracy: train.right(),
        validation_loss: validation.loss.value(),
        validation_accuracy: validation.right(),
        learning_rate: 0.0,
    };
    let weights = weights(&classifier.network)?;
    Ok(Trained {
        progress: Progress {
            epochs: vec![record],
            best: Some(0),
            finished: true,
            timing: Timing {
                seconds: started.elapsed().as_secs_f64(),
                epochs: Vec::new(),
            },
            ..Progress::default()
        },
        best: weights.clone(),
        last: weights,
    })
}

fn totals(classifier: &Classifier, batches: &Batches) -> Result<Totals, Error> {
    let mut totals = Totals::default();
    for batch in batches.iter() {
        let batch = batch.map_err(|error| Error::Burn(error.to_string()))?;
        let images = batch.targets.dims()[0];
        let output = InferenceStep::step(classifier, batch);
        let answers = output.output.argmax(1).squeeze_dim::<1>(1);
        let correct = answers
            .equal(output.targets)
            .int()
            .sum()
            .into_scalar::<i64>();
        let loss = output.loss.mean().into_scalar::<f32>();
        totals.loss.add(f64::from(loss), images);
        totals
            .accuracy
            .add(100.0 * correct as f64 / images as f64, images);
    }
    Ok(totals)
}
