//! The progress of a training as events of a burn-train renderer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::train::metric::{
    MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry,
};
use burn::train::renderer::{MetricState, MetricsRenderer};

use crate::train::Progress;

const METRICS: [&str; 5] = [
    "return_mean",
    "return_std",
    "loss",
    "epsilon",
    "learning_rate",
];

/// How often the number of steps is shown between two points of the curve.
const STEPS_EVERY: Duration = Duration::from_millis(100);

/// Hands the progress of a training to a renderer: an epoch is the time between two evaluations, and
/// its items are environment steps.
pub(crate) struct RendererFeed {
    renderer: Box<dyn MetricsRenderer>,
    evaluations: usize,
    is_started: bool,
    /// When the number of steps was shown.
    shown: Instant,
}

impl RendererFeed {
    pub(crate) fn new(renderer: Box<dyn MetricsRenderer>) -> Self {
        Self {
            renderer,
            evaluations: 0,
            is_started: false,
            shown: Instant::now(),
        }
    }

    /// Shows the number of steps, as often as a person can see it.
    pub(crate) fn step(&mut self, steps: [u64; 2]) {
        let [step, total] = steps.map(|steps| steps as usize);
        if self.is_started && self.shown.elapsed() < STEPS_EVERY {
            return;
        }
        if !self.is_started {
            self.start(total);
        }
        self.shown = Instant::now();
        self.renderer.update_split(step);
    }

    pub(crate) fn show(&mut self, progress: &Progress) {
        let [step, total] = progress.steps.map(|steps| steps as usize);
        if !self.is_started {
            self.start(total);
        }
        self.renderer.update_split(step);
        if let Some([mean, std]) = progress.evaluation {
            self.renderer.update_valid(state("return_mean", mean));
            self.renderer.update_valid(state("return_std", std));
            self.evaluations += 1;
            self.renderer.update_epoch(self.evaluations);
            self.renderer.start_split("train", total);
            self.renderer.update_split(step);
        } else {
            self.train("return_mean", Some(progress.return_mean));
            self.train("loss", Some(progress.loss));
            self.train("epsilon", progress.epsilon);
            let rate = NumericEntry::Value(progress.learning_rate);
            self.renderer.update_train(entry("learning_rate", rate));
        }
    }

    fn start(&mut self, total: usize) {
        self.is_started = true;
        for name in METRICS {
            self.renderer.register_metric(MetricDefinition {
                metric_id: id(name),
                name: Arc::new(name.to_owned()),
                description: None,
                attributes: NumericAttributes {
                    unit: None,
                    higher_is_better: name == "return_mean",
                }
                .into(),
            });
        }
        self.renderer.start(0, 1, Some(total), None);
        self.renderer.start_split("train", total);
    }

    fn train(&mut self, name: &str, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.renderer.update_train(state(name, value));
        }
    }
}

impl Drop for RendererFeed {
    fn drop(&mut self) {
        if self.is_started {
            self.renderer.end();
        }
    }
}

fn id(name: &str) -> MetricId {
    MetricId::new(Arc::new(name.to_owned()))
}

pub(crate) fn state(name: &str, value: f64) -> MetricState {
    entry(name, NumericEntry::Final(value))
}

fn entry(name: &str, value: NumericEntry) -> MetricState {
    let text = format!("{:.4}", value.current());
    let entry = MetricEntry::new(id(name), SerializedEntry::new(text.clone(), text));
    MetricState::Numeric(entry, Some(value))
}

/// The name and the value of a metric that [`RendererFeed`] has handed over.
#[cfg(feature = "render")]
pub(crate) fn metric(state: &MetricState) -> Option<(&'static str, f64)> {
    let MetricState::Numeric(entry, Some(value)) = state else {
        return None;
    };
    let mut names = METRICS.into_iter();
    let name = names.find(|name| id(name) == entry.metric_id)?;
    Some((name, value.current()))
}
