//! Curves below the table of epochs, in the last lines of the terminal: what
//! has been printed stays above them, and nothing of the terminal's state has to
//! be restored when the process is killed.

use std::io::{IsTerminal, Stderr, stderr};
use std::time::{Duration, Instant};

use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, LineGauge, Paragraph};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

use super::curves::{Curves, Points};

/// Lines of the dashboard.
const HEIGHT: u16 = 14;
/// Below this, the table of epochs and the curves do not fit.
const LEAST: (u16, u16) = (80, 20);
/// The least time between two drawings.
const PAUSE: Duration = Duration::from_millis(100);

const TRAIN: Color = Color::Cyan;
const VALIDATION: Color = Color::Magenta;

/// What stands above the curves.
pub(super) struct Status {
    pub(super) message: String,
    /// Of the whole training, in [0, 1].
    pub(super) done: f64,
    pub(super) left: Duration,
    pub(super) epochs: usize,
}

/// The lines at the bottom of a terminal.
pub(super) struct Dashboard {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    pub(super) curves: Curves,
    drawn: Option<Instant>,
}

impl Dashboard {
    /// On stderr, where that is a terminal that is large enough.
    pub(super) fn open(curves: Curves) -> Option<Self> {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if dumb || !stderr().is_terminal() {
            return None;
        }
        let (width, height) = ratatui::crossterm::terminal::size().ok()?;
        if width < LEAST.0 || height < LEAST.1 {
            return None;
        }
        let viewport = Viewport::Inline(HEIGHT);
        let options = TerminalOptions { viewport };
        let terminal = Terminal::with_options(CrosstermBackend::new(stderr()), options).ok()?;
        Some(Self {
            terminal,
            curves,
            drawn: None,
        })
    }

    /// Draws, if the last time is long enough ago. A terminal that fails does
    /// not stop a training.
    pub(super) fn draw(&mut self, status: &Status) {
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < PAUSE) {
            return;
        }
        self.drawn = Some(Instant::now());
        let curves = &self.curves;
        let _ = self.terminal.draw(|frame| {
            draw(frame, status, curves);
            // A visible cursor, on the last line.
            let area = frame.area();
            frame.set_cursor_position(Position::new(area.x, area.bottom().saturating_sub(1)));
        });
    }

    /// A line that stays, above the dashboard.
    pub(super) fn note(&mut self, line: &str) {
        let _ = self.terminal.insert_before(1, |buffer| {
            buffer.set_string(0, 0, line, Style::default());
        });
    }

    /// Takes the dashboard away; what is printed next stands in its place.
    pub(super) fn close(&mut self) {
        let place = self.terminal.get_frame().area().as_position();
        let _ = self.terminal.clear();
        let _ = self.terminal.set_cursor_position(place);
    }
}

fn draw(frame: &mut Frame, status: &Status, curves: &Curves) {
    let rows = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
    ];
    let [head, gauge, charts] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Paragraph::new(status.message.as_str()), head);
    draw_gauge(frame, gauge, status);
    let halves = [Constraint::Fill(1), Constraint::Fill(1)];
    let [left, right] = Layout::horizontal(halves).spacing(1).areas(charts);
    let logarithm = |points: &Points| points.iter().map(|(x, y)| (*x, y.log10())).collect();
    Curve {
        title: "loss, log scale",
        train: logarithm(&curves.train.loss),
        validation: logarithm(&curves.validation.loss),
        label: |y| format!("{:.2}", 10f64.powf(y)),
        limits: (f64::NEG_INFINITY, f64::INFINITY),
    }
    .draw(frame, left, status.epochs);
    Curve {
        title: "accuracy, %",
        train: curves.train.accuracy.clone(),
        validation: curves.validation.accuracy.clone(),
        label: |y| format!("{y:.1}"),
        limits: (0.0, 100.0),
    }
    .draw(frame, right, status.epochs);
}

fn draw_gauge(frame: &mut Frame, area: Rect, status: &Status) {
    let seconds = status.left.as_secs();
    let left = format!("{}:{:02} left", seconds / 60, seconds % 60);
    let widths = [Constraint::Min(1), Constraint::Length(left.len() as u16)];
    let [bar, text] = Layout::horizontal(widths).spacing(1).areas(area);
    let gauge = LineGauge::default()
        .ratio(status.done.clamp(0.0, 1.0))
        .filled_style(Style::new().fg(TRAIN));
    frame.render_widget(gauge, bar);
    frame.render_widget(Paragraph::new(left), text);
}

/// A quantity over the epochs.
struct Curve {
    title: &'static str,
    train: Points,
    validation: Points,
    /// The text at a place of the vertical axis.
    label: fn(f64) -> String,
    /// The vertical axis ends here at the latest.
    limits: (f64, f64),
}

impl Curve {
    fn draw(&self, frame: &mut Frame, area: Rect, epochs: usize) {
        let [low, high] = self.bounds();
        let labels = [low, (low + high) / 2.0, high].map(self.label);
        let width = epochs.max(1) as f64;
        let ticks = [0.0, width / 2.0, width].map(|epoch| format!("{epoch}"));
        let chart = Chart::new(vec![
            dataset(&self.train, TRAIN).graph_type(GraphType::Line),
            dataset(&self.validation, VALIDATION).graph_type(GraphType::Line),
        ])
        .block(Block::new().title(self.head()))
        .x_axis(
            Axis::default()
                .title("epoch")
                .bounds([0.0, width])
                .labels(ticks),
        )
        .y_axis(Axis::default().bounds([low, high]).labels(labels));
        frame.render_widget(chart, area);
    }

    fn head(&self) -> Line<'_> {
        Line::from(vec![
            Span::raw(self.title),
            Span::styled("  ─ train", Style::new().fg(TRAIN)),
            Span::styled("  ─ validation", Style::new().fg(VALIDATION)),
        ])
    }

    /// What the points span, without the first half epoch once there is more:
    /// next to where a training starts, nothing else could be told apart.
    fn bounds(&self) -> [f64; 2] {
        let points = || self.train.iter().chain(&self.validation);
        let late = points().any(|(epochs, _)| *epochs > 1.0);
        let shown = points().filter(|(epochs, _)| !late || *epochs > 0.5);
        let (low, high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (_, y)| {
            (low.min(*y), high.max(*y))
        });
        if low > high {
            return [0.0, 1.0];
        }
        let margin = (0.05 * (high - low)).max(0.01);
        [
            (low - margin).max(self.limits.0),
            (high + margin).min(self.limits.1),
        ]
    }
}

fn dataset(points: &Points, color: Color) -> Dataset<'_> {
    Dataset::default()
        .marker(Marker::Braille)
        .style(Style::new().fg(color))
        .data(points)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::history::EpochRecord;

    fn screen(curves: &Curves) -> String {
        let mut terminal = Terminal::new(TestBackend::new(80, HEIGHT)).unwrap();
        let status = Status {
            message: "epoch 3/8  train loss 0.0421  98.71%".to_owned(),
            done: 0.25,
            left: Duration::from_secs(83),
            epochs: 8,
        };
        terminal.draw(|frame| draw(frame, &status, curves)).unwrap();
        terminal.backend().to_string()
    }

    fn record(epoch: usize, loss: f64, accuracy: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            train_loss: loss,
            train_accuracy: accuracy,
            validation_loss: loss,
            validation_accuracy: accuracy,
            ..EpochRecord::default()
        }
    }

    #[test]
    fn curves_have_names_units_and_bounds() {
        let screen = screen(&Curves::of(&[record(1, 0.1, 0.97), record(2, 0.01, 0.99)]));
        for text in [
            "epoch 3/8  train loss 0.0421  98.71%",
            "25%",
            "1:23 left",
            "loss, log scale  ─ train  ─ validation",
            "accuracy, %  ─ train  ─ validation",
            "epoch",
            "0.11",
            "0.03",
            "0.01",
            "99.1",
            "98.0",
            "96.9",
        ] {
            assert!(screen.contains(text), "{text:?} is not in\n{screen}");
        }
        let drawn = |c: char| ('\u{2801}'..='\u{28ff}').contains(&c);
        assert!(screen.contains(drawn), "no curve in\n{screen}");
    }

    #[test]
    fn a_training_that_starts_has_axes_and_no_curves() {
        let screen = screen(&Curves::default());
        assert!(screen.contains("loss, log scale"), "{screen}");
    }

    #[test]
    fn the_start_does_not_flatten_what_follows() {
        let mut curves = Curves::of(&[record(1, 0.1, 0.97), record(2, 0.01, 0.99)]);
        curves.train.accuracy.insert(0, (0.1, 11.0));
        assert!(screen(&curves).contains("96.9"));
    }
}
