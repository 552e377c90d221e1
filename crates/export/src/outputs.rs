//! From scores to the predictions that `predict --json` prints.

use serde_json::Value as Json;
use tinderbox_predict::calibration::Temperature;

use crate::graph::{Graph, Value};

/// What is before the names of the weights of a network that is one of several.
pub(crate) fn member_prefix(member: usize, members: usize) -> String {
    if members > 1 {
        format!("member.{member}.")
    } else {
        String::new()
    }
}

/// Probabilities `[batch, classes]` after calibration; `smallest` is the least of which the logarithm is taken.
pub(crate) fn calibrated(
    graph: &mut Graph,
    probabilities: &Value,
    temperature: Temperature,
    smallest: f32,
) -> Value {
    if temperature == Temperature::default() {
        return probabilities.clone();
    }
    let smallest = graph.scalar(smallest);
    let x = graph.op("Max", &[probabilities, &smallest]);
    let x = graph.op("Log", &[&x]);
    let temperature = graph.scalar(f64::from(temperature) as f32);
    let x = graph.div(&x, &temperature);
    graph.softmax(&x, 1)
}

/// Names of classes as a JSON list.
pub(crate) fn describe_labels(graph: &mut Graph, labels: &[String]) {
    graph.describe("labels", Json::from(labels).to_string());
}
