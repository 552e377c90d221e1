//! Progress for people, as a renderer of burn-train: bars on a terminal, a line per epoch
//! elsewhere.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::train::Interrupter;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricAttributes, MetricDefinition, MetricId, NumericEntry};
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tinderbox_recipes::train::{Silent, metric_name};
use tinderbox_recipes::watch::Options;

use crate::{Failure, TrainArgs, interrupter, note};

/// How fast a running value on the bar follows the batches.
const SMOOTHING: f64 = 0.05;

/// What `--quiet`, `--tui` and the terminal ask for.
pub fn renderer(args: &TrainArgs, interrupter: &Interrupter) -> Box<dyn MetricsRenderer> {
    if args.run.quiet {
        Box::new(Silent)
    } else if args.tui && std::io::stdout().is_terminal() {
        Box::new(TuiMetricsRendererWrapper::new(interrupter.clone(), None))
    } else {
        Box::new(Progress::new(std::io::stderr().is_terminal()))
    }
}

/// Watches a run of several trainings, each with its own progress, until it ends or is interrupted.
///
/// # Errors
///
/// If the signal cannot be caught.
pub fn watch(args: &TrainArgs, dir: &Path, resume: bool) -> Result<Options, Failure> {
    let interrupter = interrupter()?;
    let (args, handle) = (args.clone(), interrupter.clone());
    Ok(Options {
        resume,
        baselines: !args.no_baseline,
        renderer: Box::new(move |stage| {
            if !stage.name.is_empty() && !args.run.quiet {
                note(&stage.name);
            }
            renderer(&args, &handle)
        }),
        interrupter,
        on_damage: |error| note(&format!("{error}; going on from the one before")),
        ..Options::new(dir)
    })
}

/// Bars, or a line per epoch.
pub struct Progress {
    bars: bool,
    bar: Option<ProgressBar>,
    names: HashMap<MetricId, (String, f64)>,
    running: BTreeMap<String, f64>,
    train: BTreeMap<String, f64>,
    valid: BTreeMap<String, f64>,
    epoch: usize,
    epochs: usize,
    started: Instant,
}

impl Progress {
    /// Bars if `bars`, else a line per epoch.
    pub fn new(bars: bool) -> Self {
        Self {
            bars,
            bar: None,
            names: HashMap::new(),
            running: BTreeMap::new(),
            train: BTreeMap::new(),
            valid: BTreeMap::new(),
            epoch: 1,
            epochs: 1,
            started: Instant::now(),
        }
    }

    fn value(&self, state: MetricState) -> Option<(String, f64, bool)> {
        let MetricState::Numeric(entry, Some(value)) = state else {
            return None;
        };
        let (name, scale) = self.names.get(&entry.metric_id)?;
        let last = matches!(value, NumericEntry::Final(_));
        Some((name.clone(), value.current() * scale, last))
    }

    fn epoch_line(&self, epoch: usize) -> String {
        let width = self.epochs.to_string().len();
        let columns = |metrics: &BTreeMap<String, f64>| {
            let shown = metrics.iter().filter(|(name, _)| *name != "learning_rate");
            shown
                .map(|(name, value)| format!("{name} {value:.4}"))
                .collect::<Vec<_>>()
                .join("  ")
        };
        let rate = self.train.get("learning_rate");
        let rate = rate
            .map(|rate| format!("  learning_rate {rate:.2e}"))
            .unwrap_or_default();
        format!(
            "epoch {epoch:>width$}/{}  train  {}{rate}  valid  {}  {:.1} s",
            self.epochs,
            columns(&self.train),
            columns(&self.valid),
            self.started.elapsed().as_secs_f64()
        )
    }

    fn show_running(&self) {
        let Some(bar) = &self.bar else { return };
        let shown = self
            .running
            .iter()
            .filter(|(name, _)| *name != "learning_rate");
        let text: Vec<String> = shown
            .map(|(name, value)| format!("{name} {value:.4}"))
            .collect();
        bar.set_message(text.join("  "));
    }
}

impl TrainingProgressLogger for Progress {
    fn start(&mut self, epochs: usize, first: usize, _: Option<usize>, _: Option<&str>) {
        self.epochs = epochs;
        self.epoch = first;
        self.started = Instant::now();
    }

    fn update_epoch(&mut self, epoch: usize) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        note(&self.epoch_line(epoch));
        self.epoch = epoch + 1;
        self.started = Instant::now();
        self.running.clear();
    }

    fn start_split(&mut self, split: &str, items: usize) {
        if !self.bars {
            return;
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let bar = ProgressBar::with_draw_target(Some(items as u64), ProgressDrawTarget::stderr());
        let template = "{prefix} {bar:24} {pos}/{len}  {rate}  {eta} left  {msg}";
        bar.set_style(
            ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                // indicatif's own has four digits behind the point.
                .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
                    let _ = write!(out, "{:.0}/s", state.per_sec());
                })
                .progress_chars("=> "),
        );
        bar.set_prefix(format!("epoch {}/{} {split:<5}", self.epoch, self.epochs));
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = Some(bar);
    }

    fn update_split(&mut self, items: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(items as u64);
        }
    }

    fn end_split(&mut self) {}

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn log_event_training(&mut self, _: String) {}
}

impl MetricsRendererTraining for Progress {
    fn update_train(&mut self, state: MetricState) {
        let Some((name, value, last)) = self.value(state) else {
            return;
        };
        if name == "learning_rate" {
            // The latest, not the mean of the epoch.
            if !last {
                self.train.insert(name, value);
            }
            return;
        }
        if last {
            self.train.insert(name, value);
            return;
        }
        let running = self.running.entry(name).or_insert(value);
        *running += SMOOTHING * (value - *running);
        self.show_running();
    }

    fn update_valid(&mut self, state: MetricState) {
        if let Some((name, value, true)) = self.value(state) {
            self.valid.insert(name, value);
        }
    }
}

impl MetricsRendererEvaluation for Progress {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}

impl EvaluationProgressLogger for Progress {
    fn start_global_progress(&mut self, _: usize) {}
    fn start_test(&mut self, _: &str, _: usize) {}
    fn update_test_progress(&mut self, _: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _: String) {}
}

impl MetricsRenderer for Progress {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        let percent = matches!(
            &definition.attributes,
            MetricAttributes::Numeric(attributes) if attributes.unit.as_deref() == Some("%")
        );
        let scale = if percent { 0.01 } else { 1.0 };
        self.names
            .insert(definition.metric_id, (metric_name(&definition.name), scale));
    }
}
