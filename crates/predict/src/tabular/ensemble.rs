//! What models say of rows, beside what is true of them.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use super::encoder::Encoded;
use super::error::TabularError;
use super::learner::tensors;
use super::net::TabularNet;
use super::target::{Target, Truth};
use tinderbox_predict::calibration::Temperature;
use tinderbox_predict::decision::DEFAULT_THRESHOLD;
use tinderbox_train::Metrics;
use tinderbox_train::metrics::{
    Estimate, Predictions, Ranking, binary_metrics, regression_metrics,
};

/// Most rows in a batch where no gradient is needed.
const EVAL_BATCH: usize = 1_024;

/// Smallest probability whose logarithm is taken.
const SMALLEST: f32 = 1e-12;

/// Answers for some rows, with the truth.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// Probabilities of classes.
    Classes(Predictions),
    /// Numbers in the target's own unit.
    Numbers {
        /// What was predicted.
        predicted: Vec<f64>,
        /// What is true.
        actual: Vec<f64>,
    },
}

impl Answers {
    /// Pairs probabilities of classes, row after row, or numbers, with the truth.
    pub(crate) fn new(said: &[f32], numbers: impl Fn(f32) -> f64, truth: &Truth) -> Self {
        match truth {
            Truth::Classes(labels) => {
                let mut predictions = Predictions::default();
                let classes = said.len() / labels.len().max(1);
                predictions.extend(classes, said, labels.iter().copied());
                Self::Classes(predictions)
            }
            Truth::Numbers(values) => Self::Numbers {
                predicted: said.iter().map(|&value| numbers(value)).collect(),
                actual: values.clone(),
            },
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(predictions) => predictions.len(),
            Self::Numbers { actual, .. } => actual.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// These rows and others of the same task.
    pub(crate) fn with(mut self, others: Self) -> Self {
        match (&mut self, others) {
            (Self::Classes(own), Self::Classes(others)) => {
                own.extend(others.classes, &others.probabilities, others.labels);
            }
            (
                Self::Numbers { predicted, actual },
                Self::Numbers {
                    predicted: more,
                    actual: truth,
                },
            ) => {
                predicted.extend(more);
                actual.extend(truth);
            }
            // Of one recipe's folds none has another task.
            (Self::Classes(_), Self::Numbers { .. }) | (Self::Numbers { .. }, Self::Classes(_)) => {
            }
        }
        self
    }

    /// The field's metrics by their names.
    ///
    /// Of two classes `f1` is that of the second, of more the mean over the classes.
    pub fn metrics(&self) -> Metrics {
        match self {
            Self::Numbers { predicted, actual } => regression_metrics(predicted, actual),
            Self::Classes(predictions) if predictions.classes == 2 => {
                let (scores, labels) = predictions.of_yes();
                let threshold = predictions.threshold.unwrap_or(DEFAULT_THRESHOLD);
                binary_metrics(&scores, &labels, threshold)
            }
            Self::Classes(predictions) => {
                let mut metrics = predictions.metrics();
                if let Some(auroc) = predictions.auroc() {
                    metrics.insert("auroc".to_owned(), auroc);
                }
                metrics
            }
        }
    }

    /// The same answers, of two classes decided at another threshold.
    #[must_use]
    pub fn decided_at(mut self, threshold: Option<f64>) -> Self {
        if let Self::Classes(predictions) = &mut self {
            predictions.threshold = threshold.filter(|_| predictions.classes == 2);
        }
        self
    }

    /// The metric that the task is first judged by, [`headline`], with how sure it is.
    pub fn estimate(&self) -> Option<Estimate> {
        match self {
            Self::Numbers { predicted, actual } => Estimate::rmse(predicted, actual),
            Self::Classes(predictions) if predictions.classes == 2 => {
                let (scores, labels) = predictions.of_yes();
                Estimate::auroc(&scores, &labels)
            }
            Self::Classes(predictions) => predictions.accuracy_estimate(),
        }
    }

    /// The threshold that two classes are decided at.
    pub fn threshold(&self) -> Option<f64> {
        match self {
            Self::Classes(predictions) if predictions.classes == 2 => {
                Some(predictions.threshold.unwrap_or(DEFAULT_THRESHOLD))
            }
            _ => None,
        }
    }

    /// The threshold that these rows suggest for two classes; see
    /// [`Ranking::decision_threshold`].
    pub(crate) fn tuned_threshold(&self) -> Option<f64> {
        match self {
            Self::Classes(predictions) if predictions.classes == 2 => {
                let (scores, labels) = predictions.of_yes();
                Some(Ranking::new(&scores, &labels).decision_threshold())
            }
            _ => None,
        }
    }
}

/// The metric that a task is first judged by, and whether more of it is better.
pub fn headline(target: &Target) -> (&'static str, bool) {
    match target {
        Target::Number { .. } => ("rmse", false),
        Target::Classes { labels } if labels.len() == 2 => ("auroc", true),
        Target::Classes { .. } => ("accuracy", true),
    }
}

/// Networks that predict together.
#[derive(Clone, Debug)]
pub(crate) struct Committee {
    pub(crate) nets: Vec<TabularNet>,
    pub(crate) target: Target,
    pub(crate) temperature: Temperature,
}

impl Committee {
    /// Probabilities of the classes of each row, or a number on the network's scale.
    pub(crate) fn predict(
        &self,
        rows: &Encoded,
        device: &Device,
    ) -> Result<Vec<f32>, TabularError> {
        let mut said: Vec<f32> = Vec::new();
        for net in &self.nets {
            let one = run(net, &self.target, rows, device)?;
            if said.is_empty() {
                said = one;
            } else {
                said.iter_mut()
                    .zip(one)
                    .for_each(|(sum, value)| *sum += value);
            }
        }
        let count = self.nets.len().max(1) as f32;
        for value in &mut said {
            *value /= count;
        }
        Ok(match &self.target {
            Target::Classes { labels } if self.temperature != Temperature::default() => {
                self.temperature.softmax(&logarithms(&said), labels.len())
            }
            _ => said,
        })
    }

    /// Fits the temperature on rows that were not learned from.
    pub(crate) fn calibrate(
        &mut self,
        rows: &Encoded,
        truth: &Truth,
        device: &Device,
    ) -> Result<(), TabularError> {
        let (Target::Classes { labels }, Truth::Classes(classes)) = (&self.target, truth) else {
            return Ok(());
        };
        let count = labels.len();
        let said = logarithms(&self.predict(rows, device)?);
        // Without rows there is nothing to bring it to.
        self.temperature = Temperature::fit(&said, count, classes).unwrap_or_default();
        Ok(())
    }

    pub(crate) fn answer(
        &self,
        rows: &Encoded,
        truth: &Truth,
        device: &Device,
    ) -> Result<Answers, TabularError> {
        let said = self.predict(rows, device)?;
        Ok(Answers::new(
            &said,
            |score| self.target.unscaled(score),
            truth,
        ))
    }
}

fn logarithms(probabilities: &[f32]) -> Vec<f32> {
    probabilities.iter().map(|p| p.max(SMALLEST).ln()).collect()
}

/// Runs a network over rows: the mean of its members' probabilities, or of their numbers.
fn run(
    net: &TabularNet,
    target: &Target,
    rows: &Encoded,
    device: &Device,
) -> Result<Vec<f32>, TabularError> {
    let mut said = Vec::with_capacity(rows.rows * target.d_output());
    let all: Vec<usize> = (0..rows.rows).collect();
    for batch in all.chunks(EVAL_BATCH) {
        let part = if batch.len() == rows.rows {
            rows.clone()
        } else {
            rows.take(batch)
        };
        let scores = net.forward(tensors(part, device));
        let scores: Tensor<3> = match target {
            Target::Classes { .. } => softmax(scores, 2),
            Target::Number { .. } => scores,
        };
        let mean = if scores.dims()[1] == 1 {
            scores
        } else {
            scores.mean_dim(1)
        };
        let values = mean.try_into_vec_as::<f32>();
        said.extend(values.map_err(|error| TabularError::Device(error.to_string()))?);
    }
    Ok(said)
}
