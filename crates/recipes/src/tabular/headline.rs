//! The metric of the validation rows that decides between two models, of each epoch.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorReadError};
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use tinderbox_predict::tabular::Target;
use tinderbox_train::MonitorMode;
use tinderbox_train::metrics::{Estimate, Ranking};

use super::targets::headline;

/// AUROC of two classes, accuracy of more, or the root mean squared error of numbers in their unit.
#[derive(Clone, Debug)]
pub(crate) struct HeadlineMetric {
    name: MetricName,
    mode: MonitorMode,
    target: Target,
    predicted: Vec<f32>,
    actual: Vec<f32>,
    value: f64,
}

/// The input of a [`HeadlineMetric`], as a step of the validation gives it.
#[derive(Clone, Debug)]
pub(crate) struct HeadlineInput {
    /// Probability of the second class of two, index of the class of more, or scaled number, `[batch]`.
    pub(crate) predicted: Tensor<1>,
    /// Index of the class, or scaled number, `[batch]`.
    pub(crate) actual: Tensor<1>,
}

impl HeadlineMetric {
    /// For validation rows of these classes, empty for numbers; `None` if only one of two classes is there, of which
    /// there is no AUROC.
    pub(super) fn new(target: &Target, classes: &[usize]) -> Option<Self> {
        let is_single = classes.iter().all(|class| *class == classes[0]);
        if target.labels().len() == 2 && is_single {
            return None;
        }
        let (name, mode) = headline(target);
        Some(Self {
            name: Arc::new(name.to_owned()),
            mode,
            target: target.clone(),
            predicted: Vec::new(),
            actual: Vec::new(),
            value: f64::NAN,
        })
    }

    fn measure(&self) -> Option<f64> {
        match &self.target {
            Target::Number { .. } => {
                let unscaled = |values: &[f32]| -> Vec<f64> {
                    let values = values.iter().copied();
                    values.map(|value| self.target.unscaled(value)).collect()
                };
                let [predicted, actual] = [&self.predicted, &self.actual].map(|all| unscaled(all));
                Some(Estimate::rmse(&predicted, &actual)?.value)
            }
            Target::Classes { labels } if labels.len() == 2 => {
                let scores: Vec<f64> = self.predicted.iter().map(|&p| f64::from(p)).collect();
                let labels: Vec<bool> = self.actual.iter().map(|&label| label > 0.5).collect();
                Ranking::new(&scores, &labels).auroc()
            }
            Target::Classes { .. } => {
                let pairs = self.predicted.iter().zip(&self.actual);
                let right = pairs.filter(|(a, b)| (**a - **b).abs() < 0.5).count();
                Some(right as f64 / self.actual.len().max(1) as f64)
            }
        }
    }

    fn entry(value: f64) -> SerializedEntry {
        SerializedEntry::new(format!("{value:.4}"), value.to_string())
    }
}

impl Metric for HeadlineMetric {
    type Input = HeadlineInput;

    fn update(
        &mut self,
        input: &HeadlineInput,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let values = |tensor: &Tensor<1>| tensor.clone().try_into_vec_as::<f32>();
        self.predicted.extend(values(&input.predicted)?);
        self.actual.extend(values(&input.actual)?);
        // All rows count together: a value for a part of them would take as long, and mean little.
        Ok(Self::entry(f64::NAN))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        self.value = self.measure().unwrap_or(f64::NAN);
        Ok(Self::entry(self.value))
    }

    fn clear(&mut self) {
        self.predicted.clear();
        self.actual.clear();
    }

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: None,
            higher_is_better: self.mode == MonitorMode::Max,
        }
        .into()
    }
}

impl Numeric for HeadlineMetric {
    fn value(&self) -> Option<NumericEntry> {
        None
    }

    fn running_value(&self) -> Option<NumericEntry> {
        None
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.value)
    }
}

#[cfg(test)]
mod tests {
    use burn::data::dataloader::Progress;
    use burn::tensor::Device;

    use super::*;
    use crate::tabular::Targets;

    fn classes(count: usize) -> Target {
        let labels = (0..count).map(|class| format!("c{class}")).collect();
        Target::Classes { labels }
    }

    /// The value after two batches of the rows.
    fn value(metric: &mut HeadlineMetric, predicted: &[f32], actual: &[f32]) -> f64 {
        let device = Device::flex();
        let metadata = MetricMetadata {
            progress: Progress::new(0, 1, None),
            iteration: None,
            lr: None,
        };
        let middle = predicted.len() / 2;
        for rows in [0..middle, middle..predicted.len()] {
            let input = HeadlineInput {
                predicted: Tensor::from_floats(&predicted[rows.clone()], &device),
                actual: Tensor::from_floats(&actual[rows], &device),
            };
            metric.update(&input, &metadata).unwrap();
        }
        metric.compute().unwrap();
        let value = metric.final_value().current();
        metric.clear();
        value
    }

    #[test]
    fn each_kind_of_target_has_the_metric_of_its_test() {
        let mut auroc = HeadlineMetric::new(&classes(2), &[0, 1]).unwrap();
        let (scores, labels) = ([0.1, 0.4, 0.35, 0.8], [0.0, 0.0, 1.0, 1.0]);
        // scikit-learn's example of `roc_auc_score`; an epoch does not remember the one before.
        for _ in 0..2 {
            let found = value(&mut auroc, &scores, &labels);
            assert!((found - 0.75).abs() < 1e-12, "{found}");
        }
        let probabilities: Vec<f64> = scores
            .iter()
            .flat_map(|&p| [1.0 - f64::from(p), f64::from(p)])
            .collect();
        let test = Targets::Classes(vec![0, 0, 1, 1]).evaluation(&probabilities);
        assert_eq!(test.headline().0, &**auroc.name());
        assert!((test.metrics()["auroc"] - 0.75).abs() < 1e-12);

        let mut accuracy = HeadlineMetric::new(&classes(3), &[0, 1, 1]).unwrap();
        assert_eq!(&**accuracy.name(), "accuracy");
        let found = value(&mut accuracy, &[0.0, 2.0, 1.0, 1.0], &[0.0, 1.0, 1.0, 1.0]);
        assert!((found - 0.75).abs() < 1e-12, "{found}");
    }

    #[test]
    fn numbers_are_measured_in_their_unit() {
        for (log, expected) in [
            (false, 5.0),
            (true, (100.0_f64.exp2() - 1.0) / 2.0_f64.sqrt()),
        ] {
            let target = Target::Number {
                log,
                mean: 0.0,
                deviation: if log { 100.0 * 2.0_f64.ln() } else { 10.0 },
            };
            let mut metric = HeadlineMetric::new(&target, &[]).unwrap();
            assert_eq!(&**metric.name(), "rmse");
            let found = if log {
                value(&mut metric, &[1.0, 0.0], &[0.0, 0.0])
            } else {
                value(&mut metric, &[1.0, 0.5], &[0.5, 1.0])
            };
            assert!(
                (found / expected - 1.0).abs() < 1e-9,
                "{found} is not {expected}"
            );
        }
    }

    #[test]
    fn one_class_alone_has_no_auroc() {
        assert!(HeadlineMetric::new(&classes(2), &[1, 1]).is_none());
        assert!(HeadlineMetric::new(&classes(3), &[1, 1]).is_some());
    }
}
