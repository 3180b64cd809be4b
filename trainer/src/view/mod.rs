//! What a person sees while a network trains: one line an epoch, and one every
//! so many batches on request; on a terminal also curves below these lines, or
//! a line of progress where the terminal is small. All on stderr.

mod curves;
mod dashboard;
mod renderer;

use std::io::{IsTerminal, stderr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use output::message;

use crate::history::{EpochRecord, EpochTiming};
use crate::progress::Totals;
use curves::Curves;
use dashboard::{Dashboard, Status};
pub(crate) use renderer::Log;
use renderer::Renderer;

/// Where the training stands; clones show the same line.
#[derive(Clone)]
pub(crate) struct View {
    /// How far it is and how long it will take; drawn where nothing else is.
    bar: ProgressBar,
    dashboard: Option<Arc<Mutex<Dashboard>>>,
    /// The table has no learning rates and speeds.
    narrow: bool,
    epochs: usize,
    /// Images of one epoch, training and validation.
    images_per_epoch: u64,
    /// Of the split that is under way.
    totals: Arc<Mutex<Totals>>,
}

impl View {
    /// A view of a training of which the epochs in `history` are done.
    pub(crate) fn new(epochs: usize, images_per_epoch: usize, history: &[EpochRecord]) -> Self {
        let images_per_epoch = images_per_epoch as u64;
        // Draws on stderr, and nothing where that is no terminal.
        let bar = ProgressBar::new(images_per_epoch * epochs as u64).with_style(style());
        let dashboard = Dashboard::open(Curves::of(history));
        if dashboard.is_some() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self {
            bar,
            dashboard: dashboard.map(|dashboard| Arc::new(Mutex::new(dashboard))),
            narrow: is_narrow(),
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

    fn dashboard(&self) -> Option<MutexGuard<'_, Dashboard>> {
        let dashboard = self.dashboard.as_ref()?;
        Some(dashboard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A line that stays.
    pub(crate) fn note(&self, line: &str) {
        match self.dashboard() {
            Some(mut dashboard) => dashboard.note(line),
            None => self.bar.suspend(|| message!("{line}")),
        }
    }

    /// The head of the table of epochs.
    pub(crate) fn head(&self) {
        let rest = if self.narrow {
            ""
        } else {
            "         lr  images/s"
        };
        let head = "   epoch   train: loss  accuracy   val: loss  accuracy";
        self.note(&format!("{head}{rest}"));
    }

    /// The row of a finished epoch.
    pub(crate) fn epoch(&self, record: &EpochRecord, timing: EpochTiming, best: bool) {
        let epoch = format!("{}/{}", record.epoch, self.epochs);
        let (rate, speed) = (record.learning_rate, timing.images_per_second);
        let rest = match self.narrow {
            true => String::new(),
            false => format!("  {rate:>8.2e}  {speed:>8.0}"),
        };
        self.note(&format!(
            "{epoch:>8}   {:>11.4}  {:>7.2}%   {:>9.4}  {:>7.2}%{}{rest}",
            record.train_loss,
            100.0 * record.train_accuracy,
            record.validation_loss,
            100.0 * record.validation_accuracy,
            if best { " *" } else { "  " },
        ));
    }

    /// Shows how far the training is; `message` is what it is doing.
    fn show(&self, images: u64, message: impl Fn() -> String) {
        self.bar.set_position(images);
        if let Some(mut dashboard) = self.dashboard() {
            dashboard.draw(&Status {
                message: message(),
                done: images as f64 / self.bar.length().unwrap_or(1) as f64,
                left: self.bar.eta(),
                epochs: self.epochs,
            });
        } else if !self.bar.is_hidden() {
            self.bar.set_message(message());
        }
    }

    /// Takes away what does not stay.
    pub(crate) fn close(&self) {
        if let Some(mut dashboard) = self.dashboard() {
            dashboard.close();
        }
        self.bar.finish_and_clear();
    }

    /// The renderer that Burn's metrics report to, from this epoch on.
    pub(crate) fn renderer(&self, epoch: usize, log: Log) -> Renderer {
        Renderer::new(self.clone(), epoch, log)
    }
}

/// Columns of a row of the table of epochs.
const ROW: u16 = 76;

/// Whether stderr is a terminal that is too narrow for [`ROW`].
fn is_narrow() -> bool {
    let size = ratatui::crossterm::terminal::size();
    stderr().is_terminal() && size.is_ok_and(|(columns, _)| columns < ROW)
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{msg} [{wide_bar}] {percent:>3}%  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
