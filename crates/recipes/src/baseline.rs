//! A classical method on the same split, so that the gain of a deep one is seen and not claimed.

use linfa::traits::Fit as _;
use linfa_logistic::MultiLogisticRegression;
use ndarray::{Array1, Array2};

use crate::metrics::Predictions;
use crate::train::Metrics;

/// Most values that the regression is fitted on, so that it never costs more memory than training.
pub const MAX_VALUES: usize = 24_000_000;

/// Iterations of L-BFGS.
const ITERATIONS: u64 = 60;

/// The regression could not be fitted.
#[derive(Debug, thiserror::Error)]
#[error("the baseline could not be fitted: {0}")]
pub struct BaselineError(String);

/// Rows of features with their classes.
pub struct Rows {
    /// Features, row after row.
    ///
    /// In double precision: with many rows the line search of L-BFGS fails in single.
    pub features: Vec<f64>,
    /// Class of each row.
    pub labels: Vec<usize>,
}

/// Fits a multinomial logistic regression and measures it.
///
/// # Errors
///
/// If it cannot be fitted, as on a single class.
pub fn logistic_regression(train: Rows, test: Rows) -> Result<Metrics, BaselineError> {
    let fail = |error: &dyn std::fmt::Display| BaselineError(error.to_string());
    let classes = train
        .labels
        .iter()
        .chain(&test.labels)
        .max()
        .map_or(0, |label| label + 1);
    let truth = test.labels.clone();
    let train = linfa::Dataset::new(
        matrix(&train.labels, train.features)?,
        Array1::from(train.labels),
    );
    let model = MultiLogisticRegression::default()
        .max_iterations(ITERATIONS)
        .fit(&train)
        .map_err(|error| fail(&error))?;
    drop(train);
    let features = matrix(&test.labels, test.features)?;
    let known = model.classes().to_vec();
    let scores = model.predict_probabilities(&features);
    let mut predictions = Predictions::default();
    for (row, label) in scores.rows().into_iter().zip(truth) {
        let mut whole = vec![0.0; classes];
        for (&class, &score) in known.iter().zip(row) {
            whole[class] = score as f32;
        }
        predictions.extend(classes, &whole, [label]);
    }
    Ok(predictions.metrics())
}

fn matrix(labels: &[usize], features: Vec<f64>) -> Result<Array2<f64>, BaselineError> {
    let columns = features.len() / labels.len().max(1);
    Array2::from_shape_vec((labels.len(), columns), features)
        .map_err(|error| BaselineError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blobs_are_told_apart() {
        let rows = |offset: usize| {
            let point = |at: usize| {
                let class = (at + offset) % 2;
                let x = if class == 0 { -1.0 } else { 1.0 };
                (
                    vec![x + (at % 5) as f64 * 0.1, 0.3 * (at % 3) as f64],
                    class,
                )
            };
            let (features, labels): (Vec<_>, Vec<_>) = (0..40).map(point).unzip();
            Rows {
                features: features.concat(),
                labels,
            }
        };
        let metrics = logistic_regression(rows(0), rows(1)).unwrap();
        assert!(metrics["accuracy"] > 0.99, "{metrics:?}");
    }
}
