//! A recipe as hyperparameters.

use std::collections::BTreeMap;

use prost::Message as _;

use super::message::{
    Experiment, Hparam, HparamInfo, HparamValue, HparamsContent, HparamsData, MetricInfo,
    MetricName, SessionEnd, SessionStart,
};
use crate::log::Metrics;

/// The tag of a metric of the test split.
pub(super) fn tag_of(metric: &str) -> String {
    format!("test/{metric}")
}

/// The tags and contents that the plugin reads.
pub(super) fn summaries(
    recipe: &toml::Table,
    test: &Metrics,
    time: f64,
) -> [(&'static str, Vec<u8>); 3] {
    let mut values = BTreeMap::new();
    flatten("", recipe, &mut values);
    let infos = values.iter().map(|(name, value)| HparamInfo {
        name: name.clone(),
        kind: match value {
            HparamValue::Text(_) => 1,
            HparamValue::Truth(_) => 2,
            HparamValue::Number(_) => 3,
        },
    });
    let metrics = test.keys().map(|metric| MetricInfo {
        name: Some(MetricName {
            tag: tag_of(metric),
        }),
    });
    let experiment = Experiment {
        hparams: infos.collect(),
        metrics: metrics.collect(),
    };
    let values = values
        .into_iter()
        .map(|(name, value)| (name, Hparam { value: Some(value) }));
    let start = SessionStart {
        hparams: values.collect(),
        start_time: time,
    };
    let end = SessionEnd {
        status: 1,
        end_time: time,
    };
    let data = |content| {
        let content = Some(content);
        HparamsData {
            version: 0,
            content,
        }
        .encode_to_vec()
    };
    [
        (
            "_hparams_/experiment",
            data(HparamsContent::Experiment(experiment)),
        ),
        (
            "_hparams_/session_start_info",
            data(HparamsContent::Start(start)),
        ),
        ("_hparams_/session_end_info", data(HparamsContent::End(end))),
    ]
}

/// The values of a table by their whole keys; lists are text.
fn flatten(prefix: &str, table: &toml::Table, into: &mut BTreeMap<String, HparamValue>) {
    for (key, value) in table {
        let key = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        let value = match value {
            toml::Value::Table(table) => {
                flatten(&key, table, into);
                continue;
            }
            toml::Value::Boolean(value) => HparamValue::Truth(*value),
            toml::Value::Integer(value) => HparamValue::Number(*value as f64),
            toml::Value::Float(value) => HparamValue::Number(*value),
            toml::Value::String(value) => HparamValue::Text(value.clone()),
            other => HparamValue::Text(other.to_string()),
        };
        into.insert(key, value);
    }
}
