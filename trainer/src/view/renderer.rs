//! What Burn's events tell the view.

use std::collections::HashMap;

use burn::train::LearnerSummary;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};

use super::View;
use crate::progress::Totals;

/// Names that Burn gives its metrics.
const LOSS: &str = "Loss";
const ACCURACY: &str = "Accuracy";

#[derive(Clone, Copy, PartialEq)]
enum Split {
    Train,
    Validation,
}

/// Follows Burn's events.
pub(crate) struct Renderer {
    view: View,
    log: Log,
    names: HashMap<MetricId, String>,
    epoch: usize,
    split: Split,
    /// Images of the split.
    split_images: usize,
    /// Images before this split, over the whole training.
    split_start: u64,
}

/// When lines are printed within an epoch.
#[derive(Clone, Copy)]
pub(crate) struct Log {
    /// Batches from one line to the next.
    pub(crate) every: Option<usize>,
    /// Images of a batch.
    pub(crate) batch_size: usize,
}

impl Renderer {
    pub(super) fn new(view: View, epoch: usize, log: Log) -> Self {
        Self {
            split_start: view.images_per_epoch * (epoch as u64 - 1),
            view,
            log,
            names: HashMap::new(),
            epoch,
            split: Split::Train,
            split_images: 0,
        }
    }

    fn add(&self, state: MetricState) {
        let MetricState::Numeric(entry, Some(value)) = state else {
            return;
        };
        let Some(name) = self.names.get(&entry.metric_id) else {
            return;
        };
        // What Burn sums up over the split is left out: it knows nothing of the
        // steps before an interruption.
        let NumericEntry::Aggregated {
            aggregated_value: value,
            count,
        } = value
        else {
            return;
        };
        let add = |totals: &mut Totals| match name.as_str() {
            LOSS => totals.loss.add(value, count),
            ACCURACY => totals.accuracy.add(value, count),
            _ => {}
        };
        add(&mut self.view.totals());
        if let Some(mut dashboard) = self.view.dashboard() {
            add(&mut dashboard.curves.window);
        }
    }

    /// Adds what the batch brought to the curves.
    fn follow(&self, images: usize) {
        if let Some(mut dashboard) = self.view.dashboard()
            && self.split == Split::Train
        {
            let curves = &mut dashboard.curves;
            curves.trained(self.epoch, images, self.split_images);
        }
    }

    fn message(&self) -> String {
        let split = match self.split {
            Split::Train => "train",
            Split::Validation => "val",
        };
        let totals = *self.view.totals();
        format!(
            "epoch {}/{}  {split} loss {:.4}  {:.2}%",
            self.epoch,
            self.view.epochs,
            totals.loss.value(),
            totals.accuracy.value(),
        )
    }
}

impl MetricsRendererTraining for Renderer {
    fn update_train(&mut self, state: MetricState) {
        self.add(state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.add(state);
    }

    fn on_train_end(
        &mut self,
        _: Option<LearnerSummary>,
    ) -> Result<(), Box<dyn core::error::Error>> {
        Ok(())
    }
}

impl TrainingProgressLogger for Renderer {
    // Burn counts from the first epoch, also where the training goes on.
    fn start(&mut self, _: usize, _: usize, _: Option<usize>, _: Option<&str>) {}

    fn update_epoch(&mut self, epoch: usize) {
        self.epoch = epoch + 1;
        self.split_start = self.view.images_per_epoch * epoch as u64;
    }

    fn start_split(&mut self, split: &str, images: usize) {
        self.split = if split == "train" {
            Split::Train
        } else {
            Split::Validation
        };
        self.split_images = images;
        *self.view.totals() = Totals::default();
        if let Some(mut dashboard) = self.view.dashboard() {
            dashboard.curves.window = Totals::default();
        }
    }

    fn update_split(&mut self, images: usize) {
        self.follow(images);
        let shown = self.split_start + images as u64;
        self.view.show(shown, || self.message());
        // Of the whole epoch, whose beginning may have run before an interruption.
        let batch = images.div_ceil(self.log.batch_size);
        let is_due = |every| batch.is_multiple_of(every);
        if self.split == Split::Train && self.log.every.is_some_and(is_due) {
            self.view
                .note(&format!("{}  batch {batch}", self.message()));
        }
    }

    fn end_split(&mut self) {
        self.split_start = self.view.bar.position();
        let totals = *self.view.totals();
        if let Some(mut dashboard) = self.view.dashboard()
            && self.split == Split::Validation
        {
            dashboard.curves.validated(self.epoch, totals);
        }
    }

    fn end(&mut self) {}

    fn log_event_training(&mut self, _: String) {}
}

// Burn's trait asks for these too; nothing here evaluates.
impl EvaluationProgressLogger for Renderer {
    fn start_global_progress(&mut self, _: usize) {}
    fn start_test(&mut self, _: &str, _: usize) {}
    fn update_test_progress(&mut self, _: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _: String) {}
}

impl MetricsRendererEvaluation for Renderer {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}

impl MetricsRenderer for Renderer {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names
            .insert(definition.metric_id, definition.name.to_string());
    }
}
