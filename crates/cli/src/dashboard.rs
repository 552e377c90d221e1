//! burn-train's dashboard, so that its keys and Ctrl-C stop a run in a way that it can be resumed.
//!
//! The dashboard puts the terminal in raw mode, in which Ctrl-C is a key like any other, and its
//! `k` key panics. Here signals are switched on again, and a panic is a request to stop.

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::sleep;
use std::time::{Duration, Instant};

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::MetricDefinition;
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use burn::train::{Interrupter, LearnerSummary};
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::DisableMouseCapture;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{LeaveAlternateScreen, disable_raw_mode, is_raw_mode_enabled};

/// Longest wait for the dashboard to appear.
const START: Duration = Duration::from_secs(1);

/// The dashboard of one training.
pub(crate) struct Dashboard {
    /// None after it has panicked.
    inner: Option<TuiMetricsRendererWrapper>,
    /// What its keys pull, which it also resets.
    keys: Interrupter,
    /// What the training listens to.
    interrupter: Interrupter,
}

impl Dashboard {
    /// Takes the terminal over; its keys pull `interrupter`.
    pub(crate) fn new(interrupter: Interrupter) -> Self {
        let keys = Interrupter::new();
        let inner = TuiMetricsRendererWrapper::new(keys.clone(), None);
        let started = Instant::now();
        // It is another thread that changes the mode of the terminal.
        while !has_terminal() && started.elapsed() < START {
            sleep(Duration::from_millis(5));
        }
        // Without signals, its own keys still work.
        let _ = enable_signals();
        Self {
            inner: Some(inner),
            keys,
            interrupter,
        }
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut TuiMetricsRendererWrapper) -> T) -> Option<T> {
        let inner = self.inner.as_mut()?;
        let result = catch_unwind(AssertUnwindSafe(|| call(inner)));
        if result.is_err() {
            self.close();
            // All that its panic has not put right.
            let _ = execute!(io::stdout(), Show);
        }
        if result.is_err() || self.keys.should_stop() {
            self.interrupter.stop(Some("dashboard"));
        }
        result.ok()
    }

    fn close(&mut self) {
        let inner = self.inner.take();
        // After one panic there is another for each event, the last one of them included.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(inner)));
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.close();
    }
}

/// Whether a dashboard, or another view of the whole terminal, is shown.
pub(crate) fn has_terminal() -> bool {
    is_raw_mode_enabled().unwrap_or(false)
}

/// Gives the terminal back as it was, before the program ends.
pub(crate) fn restore_terminal() {
    // There is nobody to tell what goes wrong here.
    if has_terminal() {
        let _ = disable_raw_mode();
        let _ = execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen);
    }
    if io::stderr().is_terminal() {
        let _ = execute!(io::stderr(), Show);
    }
}

/// Lets Ctrl-C be a signal in raw mode; Ctrl-Z stays a key, for the terminal would not be restored.
#[cfg(unix)]
fn enable_signals() -> io::Result<()> {
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
    // The same terminal that raw mode was switched on for.
    let file;
    let stdin = io::stdin();
    let terminal = if stdin.is_terminal() {
        rustix::fd::AsFd::as_fd(&stdin)
    } else {
        file = std::fs::File::open("/dev/tty")?;
        rustix::fd::AsFd::as_fd(&file)
    };
    let mut modes = tcgetattr(terminal)?;
    modes.local_modes.insert(LocalModes::ISIG);
    modes.special_codes[SpecialCodeIndex::VSUSP] = 0;
    Ok(tcsetattr(terminal, OptionalActions::Now, &modes)?)
}

#[cfg(not(unix))]
fn enable_signals() -> io::Result<()> {
    Ok(())
}

impl TrainingProgressLogger for Dashboard {
    fn start(&mut self, epochs: usize, first: usize, items: Option<usize>, label: Option<&str>) {
        self.call(|inner| TrainingProgressLogger::start(inner, epochs, first, items, label));
    }
    fn update_epoch(&mut self, epoch: usize) {
        self.call(|inner| inner.update_epoch(epoch));
    }
    fn start_split(&mut self, split: &str, items: usize) {
        self.call(|inner| inner.start_split(split, items));
    }
    fn update_split(&mut self, items: usize) {
        self.call(|inner| inner.update_split(items));
    }
    fn end_split(&mut self) {
        self.call(TrainingProgressLogger::end_split);
    }
    fn end(&mut self) {
        self.call(TrainingProgressLogger::end);
    }
    fn log_event_training(&mut self, event: String) {
        self.call(|inner| inner.log_event_training(event));
    }
}

impl EvaluationProgressLogger for Dashboard {
    fn start_global_progress(&mut self, tests: usize) {
        self.call(|inner| inner.start_global_progress(tests));
    }
    fn start_test(&mut self, name: &str, items: usize) {
        self.call(|inner| inner.start_test(name, items));
    }
    fn update_test_progress(&mut self, items: usize) {
        self.call(|inner| inner.update_test_progress(items));
    }
    fn end_test(&mut self) {
        self.call(EvaluationProgressLogger::end_test);
    }
    fn end_global_progress(&mut self) {
        self.call(EvaluationProgressLogger::end_global_progress);
    }
    fn log_event_evaluation(&mut self, event: String) {
        self.call(|inner| inner.log_event_evaluation(event));
    }
}

impl MetricsRendererTraining for Dashboard {
    fn update_train(&mut self, state: MetricState) {
        self.call(|inner| inner.update_train(state));
    }
    fn update_valid(&mut self, state: MetricState) {
        self.call(|inner| inner.update_valid(state));
    }
    fn on_train_end(&mut self, summary: Option<LearnerSummary>) -> Result<(), Box<dyn Error>> {
        if self.keys.should_stop() {
            // Before the dashboard forgets it.
            self.interrupter.stop(Some("dashboard"));
        }
        self.call(|inner| inner.on_train_end(summary))
            .unwrap_or(Ok(()))
    }
}

impl MetricsRendererEvaluation for Dashboard {
    fn update_test(&mut self, name: EvaluationName, state: MetricState) {
        self.call(|inner| inner.update_test(name, state));
    }
    fn on_test_end(&mut self, summary: Option<LearnerSummary>) -> Result<(), Box<dyn Error>> {
        self.call(|inner| inner.on_test_end(summary))
            .unwrap_or(Ok(()))
    }
}

impl MetricsRenderer for Dashboard {
    fn manual_close(&mut self) {
        self.call(MetricsRenderer::manual_close);
    }
    fn register_metric(&mut self, definition: MetricDefinition) {
        self.call(|inner| inner.register_metric(definition));
    }
}
