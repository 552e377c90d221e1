//! A renderer that draws nothing, for tests and for callers with their own display.

use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::MetricDefinition;
use burn::train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};

/// Implements the part of a renderer that concerns burn-train's evaluator, which Tinderbox does not use.
#[macro_export]
macro_rules! without_evaluation {
    ($renderer:ty) => {
        impl ::burn::train::logger::EvaluationProgressLogger for $renderer {
            fn start_global_progress(&mut self, _: usize) {}
            fn start_test(&mut self, _: &str, _: usize) {}
            fn update_test_progress(&mut self, _: usize) {}
            fn end_test(&mut self) {}
            fn end_global_progress(&mut self) {}
            fn log_event_evaluation(&mut self, _: String) {}
        }

        impl ::burn::train::renderer::MetricsRendererEvaluation for $renderer {
            fn update_test(
                &mut self,
                _: ::burn::train::renderer::EvaluationName,
                _: ::burn::train::renderer::MetricState,
            ) {
            }
        }
    };
}

/// Draws nothing. Burn's own default writes a line per batch or takes the terminal over.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl TrainingProgressLogger for Silent {
    fn start(&mut self, _: usize, _: usize, _: Option<usize>, _: Option<&str>) {}
    fn update_epoch(&mut self, _: usize) {}
    fn start_split(&mut self, _: &str, _: usize) {}
    fn update_split(&mut self, _: usize) {}
    fn end_split(&mut self) {}
    fn end(&mut self) {}
    fn log_event_training(&mut self, _: String) {}
}

crate::without_evaluation!(Silent);

impl MetricsRendererTraining for Silent {
    fn update_train(&mut self, _: MetricState) {}
    fn update_valid(&mut self, _: MetricState) {}
}

impl MetricsRenderer for Silent {
    fn manual_close(&mut self) {}
    fn register_metric(&mut self, _: MetricDefinition) {}
}
