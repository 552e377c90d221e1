//! Metrics as burn-train's renderers get them, with the names and the scale that Tinderbox has for them.

use std::collections::HashMap;

use burn::train::metric::{MetricAttributes, MetricDefinition, MetricId, NumericEntry};
use burn::train::renderer::MetricState;
use tinderbox_train::metric_name;

/// The metrics of a training.
#[derive(Debug, Default)]
pub(crate) struct MetricNames(HashMap<MetricId, (String, f64)>);

/// A value of a metric.
pub(crate) struct Entry {
    /// Name of the metric.
    pub(crate) name: String,
    /// The value; shares between 0 and 1.
    pub(crate) value: f64,
    /// Whether it is that of a whole epoch.
    pub(crate) is_final: bool,
}

impl MetricNames {
    /// Learns of a metric.
    pub(crate) fn register(&mut self, definition: MetricDefinition) {
        let percent = matches!(
            &definition.attributes,
            MetricAttributes::Numeric(attributes) if attributes.unit.as_deref() == Some("%")
        );
        let scale = if percent { 0.01 } else { 1.0 };
        let name = metric_name(&definition.name);
        self.0.insert(definition.metric_id, (name, scale));
    }

    /// The value of a state, if it has one.
    pub(crate) fn value(&self, state: MetricState) -> Option<Entry> {
        let MetricState::Numeric(entry, Some(value)) = state else {
            return None;
        };
        let (name, scale) = self.0.get(&entry.metric_id)?;
        Some(Entry {
            name: name.clone(),
            value: value.current() * scale,
            is_final: matches!(value, NumericEntry::Final(_)),
        })
    }
}
