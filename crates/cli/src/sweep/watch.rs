//! Watches the training of a trial: stops it when it is behind, and says that it is alive.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use burn::train::Interrupter;
use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::MetricDefinition;
use burn::train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};
use tinderbox_sweep::{Search, SweepDir};
use tinderbox_train::{METRICS_FILE, MetricLinesError, MonitorMode, read_running_metrics};

use crate::metric_names::MetricNames;
use crate::note;

/// Longest silence about a trial.
const SILENCE: Duration = Duration::from_secs(30);

/// What a trial has reported, and what was decided.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// The monitored metric after each epoch, or each evaluation of an agent.
    pub(super) values: Vec<(u64, f64)>,
    /// Whether it was stopped.
    pub(super) is_pruned: bool,
}

/// Shared by the training and the sweep.
pub(super) type Shared = Arc<Mutex<Reports>>;

pub(super) fn locked(reports: &Shared) -> MutexGuard<'_, Reports> {
    reports.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The validation metric by which a trial is judged while it is trained.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Monitor {
    pub(super) metric: String,
    pub(super) mode: MonitorMode,
    /// Most epochs, or evaluations of an agent.
    pub(super) steps: u64,
}

/// Draws nothing, and asks after each epoch whether the trial goes on.
pub(super) struct Watch {
    pub(super) number: usize,
    pub(super) monitor: Monitor,
    pub(super) search: Search,
    pub(super) sweep: SweepDir,
    pub(super) reports: Shared,
    pub(super) interrupter: Interrupter,
    pub(super) quiet: bool,
    pub(super) names: MetricNames,
    pub(super) latest: Option<f64>,
    pub(super) told: Instant,
}

impl Watch {
    fn report(&mut self, value: f64) {
        let mut reports = locked(&self.reports);
        let step = reports.values.last().map_or(0, |(step, _)| *step) + 1;
        reports.values.push((step, value));
        // A folder that cannot be read now is reported when the trial ends.
        let finished = self.sweep.finished().unwrap_or_default();
        let monitor = &self.monitor;
        if self.search.stops(
            self.number,
            &reports.values,
            monitor.steps,
            monitor.mode,
            &finished,
        ) {
            reports.is_pruned = true;
            self.interrupter.stop(Some("behind other trials"));
        }
        if !self.quiet && self.told.elapsed() >= SILENCE {
            self.told = Instant::now();
            note(&format!(
                "trial {}: {step} of {} epochs, {} {value:.4}",
                self.number + 1,
                monitor.steps,
                monitor.metric
            ));
        }
    }
}

impl TrainingProgressLogger for Watch {
    fn start(&mut self, _: usize, _: usize, _: Option<usize>, _: Option<&str>) {}
    fn update_epoch(&mut self, _: usize) {
        if let Some(value) = self.latest.take().filter(|value| value.is_finite()) {
            self.report(value);
        }
    }
    fn start_split(&mut self, _: &str, _: usize) {}
    fn update_split(&mut self, _: usize) {}
    fn end_split(&mut self) {}
    fn end(&mut self) {}
    fn log_event_training(&mut self, _: String) {}
}

tinderbox_train::without_evaluation!(Watch);

impl MetricsRendererTraining for Watch {
    fn update_train(&mut self, _: MetricState) {}

    fn update_valid(&mut self, state: MetricState) {
        let entry = self.names.value(state);
        if let Some(entry) =
            entry.filter(|entry| entry.is_final && entry.name == self.monitor.metric)
        {
            self.latest = Some(entry.value);
        }
    }
}

impl MetricsRenderer for Watch {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names.register(definition);
    }
}

/// What a trial had reported before its process ended, maybe in the middle of a line.
///
/// # Errors
///
/// If the metrics of the training cannot be read; there may be none.
pub(super) fn earlier(training: &Path, metric: &str) -> Result<Vec<(u64, f64)>, MetricLinesError> {
    let path = training.join(METRICS_FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let lines = read_running_metrics(&path)?.into_iter();
    let own = lines.filter(|line| line.split == "valid" && line.name == metric);
    let finite = own.filter_map(|line| line.value);
    Ok((1..).zip(finite).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_trial_reported_what_stands_in_its_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(earlier(dir.path(), "loss").unwrap(), []);
        let line = |split: &str, name: &str, value: &str| {
            format!(r#"{{"step":1,"epoch":1,"split":"{split}","name":"{name}","value":{value}}}"#)
        };
        let lines = [
            line("train", "loss", "0.1"),
            line("valid", "loss", "0.5"),
            line("valid", "loss", "null"),
            line("valid", "accuracy", "0.9"),
            line("valid", "loss", "0.25"),
            r#"{"step":1,"epo"#.to_owned(),
        ];
        let path = dir.path().join(METRICS_FILE);
        fs::write(&path, lines.join("\n")).unwrap();
        assert_eq!(earlier(dir.path(), "loss").unwrap(), [(1, 0.5), (2, 0.25)]);
        fs::write(&path, "?\n").unwrap();
        let error = earlier(dir.path(), "loss").unwrap_err().to_string();
        assert!(error.contains("line 1 is damaged"), "{error}");
    }
}
