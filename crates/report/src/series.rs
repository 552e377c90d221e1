//! Metrics over the training.

use std::collections::BTreeMap;

use serde_json::Value;
use tinderbox_train::MetricLine;
use tinderbox_train::metrics::thin;

use crate::Run;

/// Most points of a line.
const MAX_POINTS: usize = 240;

/// The metrics of a run over its training.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Training {
    /// `epoch` or `step`.
    pub(crate) axis: &'static str,
    /// The loss first, the learning rate last.
    pub(crate) metrics: Vec<MetricSeries>,
    /// Place of the best weights on the axis.
    pub(crate) best: Option<f64>,
}

/// A metric over the training.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MetricSeries {
    pub(crate) name: String,
    /// Empty if it was not logged for the training split.
    pub(crate) train: Vec<[f64; 2]>,
    /// Empty if it was not logged for the validation split.
    pub(crate) valid: Vec<[f64; 2]>,
}

impl MetricSeries {
    fn has_line(&self) -> bool {
        self.train.len() > 1 || self.valid.len() > 1
    }
}

/// The metrics of a run over its training; `None` if none were stored.
pub(crate) fn training(run: &Run) -> Option<Training> {
    let lines = run.metrics.as_deref().filter(|lines| !lines.is_empty())?;
    let summary = run.summary.as_ref();
    let (epochs, steps) = summary.map_or((0, 0), |summary| (summary.epochs, summary.steps));
    let best_step = run.detail("best_step").and_then(Value::as_f64);
    let by_epoch = best_step.is_none() && epochs > 1 && steps > 0;
    let scale = if by_epoch {
        epochs as f64 / steps as f64
    } else {
        1.0
    };
    let best_epoch = summary.map_or(0, |summary| summary.best_epoch) as f64;
    let best = if by_epoch && best_epoch > 0.0 {
        Some(best_epoch)
    } else {
        best_step
    };
    let mut metrics = collect(lines, scale);
    metrics.retain(MetricSeries::has_line);
    metrics.sort_by_key(|metric| match metric.name.as_str() {
        "loss" => 0,
        "learning_rate" => 2,
        _ => 1,
    });
    Some(Training {
        axis: if by_epoch { "epoch" } else { "step" },
        metrics,
        best,
    })
}

/// Points of a split by the names of their metrics.
type Points = BTreeMap<String, Vec<[f64; 2]>>;

fn collect(lines: &[MetricLine], scale: f64) -> Vec<MetricSeries> {
    let (mut steps, mut epochs, mut valid) = (Points::new(), Points::new(), Points::new());
    for line in lines {
        let Some(value) = line.value else { continue };
        let (points, name) = match (line.split.as_str(), line.name.strip_prefix("epoch_")) {
            ("train", Some(name)) => (&mut epochs, name),
            ("train", None) => (&mut steps, line.name.as_str()),
            ("valid", _) => (&mut valid, line.name.as_str()),
            _ => continue,
        };
        let point = [line.step as f64 * scale, value];
        points.entry(name.to_owned()).or_default().push(point);
    }
    let mut names: Vec<&String> = steps
        .keys()
        .chain(epochs.keys())
        .chain(valid.keys())
        .collect();
    names.sort();
    names.dedup();
    let of = |points: &Points, name: &String| {
        let points = points.get(name).cloned().unwrap_or_default();
        thin(&points, MAX_POINTS)
    };
    names
        .into_iter()
        .map(|name| {
            let by_epoch = of(&epochs, name);
            MetricSeries {
                name: name.clone(),
                // The mean of an epoch is comparable with the validation; steps are where there is one epoch.
                train: if by_epoch.len() > 1 {
                    by_epoch
                } else {
                    of(&steps, name)
                },
                valid: of(&valid, name),
            }
        })
        .collect()
}

/// A sentence about the losses after the best epoch, if the training went on to overfit.
pub(crate) fn overfitting(training: &Training) -> Option<String> {
    let best = training.best.filter(|_| training.axis == "epoch")?;
    let loss = training
        .metrics
        .iter()
        .find(|metric| metric.name == "loss")?;
    let at = |points: &[[f64; 2]]| {
        let point = points.iter().find(|[x, _]| (x - best).abs() < 0.5);
        Some([point?[1], points.last()?[1]])
    };
    let ([train, train_last], [valid, valid_last]) = (at(&loss.train)?, at(&loss.valid)?);
    (train_last < train && valid_last > valid * 1.02).then(|| {
        format!(
            "After epoch {best:.0} the validation loss rose from {} to {} while the training loss fell from \
             {} to {}: the network began to overfit. The model has the weights of epoch {best:.0}.",
            crate::number::number(valid),
            crate::number::number(valid_last),
            crate::number::number(train),
            crate::number::number(train_last),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: usize, split: &str, name: &str, value: f64) -> MetricLine {
        MetricLine {
            step,
            epoch: 1,
            split: split.to_owned(),
            name: name.to_owned(),
            value: Some(value),
            wall_s: 0.0,
        }
    }

    #[test]
    fn epochs_are_compared_where_there_are_several() {
        let mut lines = Vec::new();
        for epoch in 1..=3 {
            for step in 0..10 {
                let at = (epoch - 1) * 10 + step + 1;
                lines.push(line(at, "train", "loss", 1.0 / at as f64));
            }
            lines.push(line(epoch * 10, "train", "epoch_loss", 1.0 / epoch as f64));
            lines.push(line(epoch * 10, "valid", "loss", 0.5 + 0.1 * epoch as f64));
        }
        let metrics = collect(&lines, 0.1);
        assert_eq!(metrics.len(), 1);
        assert_eq!(metrics[0].train.len(), 3);
        assert!((metrics[0].valid[2][0] - 3.0).abs() < 1e-9);
        let training = Training {
            axis: "epoch",
            metrics: metrics.clone(),
            best: Some(1.0),
        };
        let message = overfitting(&training).unwrap();
        assert!(
            message.contains("validation loss rose from 0.6000 to 0.8000"),
            "{message}"
        );
        let training = Training {
            best: Some(3.0),
            ..training
        };
        assert_eq!(overfitting(&training), None);
        // One epoch: the steps.
        let metrics = collect(&lines[..12], 1.0);
        assert_eq!(metrics[0].train.len(), 10);
    }
}
