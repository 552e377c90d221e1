//! Logistic regression on many dense columns, such as the pixels of images, by `linfa`.
//!
//! Its matrix products are several times as fast as adding up sparse rows.

use linfa::traits::Fit as _;
use linfa_logistic::MultiLogisticRegression;
use ndarray::{Array1, Array2};

use crate::BaselineError;
use crate::error::present_classes;

/// Most values that a method is fitted on, so that it costs less memory than a training run.
pub const MAX_VALUES: usize = 24_000_000;

/// Iterations of L-BFGS.
const ITERATIONS: u64 = 60;

/// Rows of features with their classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Features, row after row.
    ///
    /// In double precision: with many rows the line search of L-BFGS fails in single.
    pub features: Vec<f64>,
    /// Class of each row.
    pub labels: Vec<usize>,
}

/// Fits a multinomial logistic regression with an L2 penalty of 1 on `train`, and gives the
/// probability of each of `classes` classes for each row of `test`, row after row.
///
/// # Errors
///
/// If it cannot be fitted, as on a single class.
pub fn logistic_regression(
    train: Rows,
    test: Rows,
    classes: usize,
) -> Result<Vec<f32>, BaselineError> {
    // With one class linfa divides by nothing and says nothing.
    present_classes(&train.labels, classes)?;
    let features = matrix(&train.labels, train.features)?;
    let train = linfa::Dataset::new(features, Array1::from(train.labels));
    let model = MultiLogisticRegression::default()
        .max_iterations(ITERATIONS)
        .fit(&train)
        .map_err(|error| BaselineError::Library(error.to_string()))?;
    drop(train);
    let scores = model.predict_probabilities(&matrix(&test.labels, test.features)?);
    let mut probabilities = vec![0.0; scores.nrows() * classes];
    for (row, scores) in probabilities.chunks_exact_mut(classes).zip(scores.rows()) {
        // A class that the training rows lack keeps 0.
        for (&class, &score) in model.classes().iter().zip(scores) {
            row[class] = score as f32;
        }
    }
    Ok(probabilities)
}

fn matrix(labels: &[usize], features: Vec<f64>) -> Result<Array2<f64>, BaselineError> {
    let columns = features.len() / labels.len().max(1);
    Array2::from_shape_vec((labels.len(), columns), features)
        .map_err(|error| BaselineError::Library(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(offset: usize) -> Rows {
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
    }

    #[test]
    fn two_blobs_are_told_apart() {
        let test = rows(1);
        let truth = test.labels.clone();
        let probabilities = logistic_regression(rows(0), test, 3).unwrap();
        for (row, label) in probabilities.chunks_exact(3).zip(truth) {
            assert!(row[label] > 0.5, "{row:?} is not {label}");
            assert!(
                row[2].abs() < f32::EPSILON,
                "a class without rows has no probability"
            );
        }
    }

    #[test]
    fn a_single_class_is_an_error() {
        let single = Rows {
            features: vec![0.0, 1.0],
            labels: vec![0, 0],
        };
        assert!(logistic_regression(single.clone(), single, 1).is_err());
    }
}
