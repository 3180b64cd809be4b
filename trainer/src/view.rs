//! What a person sees while a network trains: a live line on a terminal, else
//! one line an epoch, and one every so many batches on request. All on stderr.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::train::LearnerSummary;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::history::{EpochRecord, EpochTiming};
use crate::progress::Totals;

/// Names that Burn gives its metrics.
const LOSS: &str = "Loss";
const ACCURACY: &str = "Accuracy";

/// Where the training stands; clones show the same line.
#[derive(Clone)]
pub(crate) struct View {
    bar: ProgressBar,
    epochs: usize,
    /// Images of one epoch, training and validation.
    images_per_epoch: u64,
    /// Of the split that is under way.
    totals: Arc<Mutex<Totals>>,
}

impl View {
    pub(crate) fn new(epochs: usize, images_per_epoch: usize) -> Self {
        let images_per_epoch = images_per_epoch as u64;
        // Draws on stderr, and nothing where that is no terminal.
        let bar = ProgressBar::new(images_per_epoch * epochs as u64).with_style(style());
        Self {
            bar,
            epochs,
            images_per_epoch,
            totals: Arc::default(),
        }
    }

    /// Loss and accuracy over the split that is under way. Complete when
    /// Burn's events are flushed.
    pub(crate) fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line that stays.
    pub(crate) fn note(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// The head of the table of epochs.
    pub(crate) fn head(&self) {
        self.note("   epoch   train: loss  accuracy   val: loss  accuracy         lr  images/s");
    }

    /// The row of a finished epoch.
    pub(crate) fn epoch(&self, record: &EpochRecord, timing: EpochTiming, best: bool) {
        let epoch = format!("{}/{}", record.epoch, self.epochs);
        self.note(&format!(
            "{epoch:>8}   {:>11.4}  {:>7.2}%   {:>9.4}  {:>7.2}%{}  {:>8.2e}  {:>8.0}",
            record.train_loss,
            100.0 * record.train_accuracy,
            record.validation_loss,
            100.0 * record.validation_accuracy,
            if best { " *" } else { "  " },
            record.learning_rate,
            timing.images_per_second,
        ));
    }

    /// Takes the live line away.
    pub(crate) fn close(&self) {
        self.bar.finish_and_clear();
    }

    /// The renderer that Burn's metrics report to, from this epoch on.
    pub(crate) fn renderer(&self, epoch: usize, log_every: Option<usize>) -> Renderer {
        Renderer {
            view: self.clone(),
            log_every,
            names: HashMap::new(),
            epoch,
            split: Split::Train,
            split_start: self.images_per_epoch * (epoch as u64 - 1),
            batches: 0,
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{msg} [{wide_bar}] {percent:>3}%  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[derive(Clone, Copy, PartialEq)]
enum Split {
    Train,
    Validation,
}

/// Follows Burn's events.
pub(crate) struct Renderer {
    view: View,
    log_every: Option<usize>,
    names: HashMap<MetricId, String>,
    epoch: usize,
    split: Split,
    /// Images before this split, over the whole training.
    split_start: u64,
    batches: usize,
}

impl Renderer {
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
        let mut totals = self.view.totals();
        match name.as_str() {
            LOSS => totals.loss.add(value, count),
            ACCURACY => totals.accuracy.add(value, count),
            _ => {}
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

    fn start_split(&mut self, split: &str, _: usize) {
        self.split = if split == "train" {
            Split::Train
        } else {
            Split::Validation
        };
        self.batches = 0;
        *self.view.totals() = Totals::default();
    }

    fn update_split(&mut self, images: usize) {
        self.batches += 1;
        self.view.bar.set_position(self.split_start + images as u64);
        if !self.view.bar.is_hidden() {
            self.view.bar.set_message(self.message());
        }
        let logged = self.split == Split::Train
            && self
                .log_every
                .is_some_and(|every| self.batches.is_multiple_of(every));
        if logged {
            self.view
                .note(&format!("{}  batch {}", self.message(), self.batches));
        }
    }

    fn end_split(&mut self) {
        self.split_start = self.view.bar.position();
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
