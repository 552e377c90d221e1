//! Ridge regression on sparse rows.

use serde::{Deserialize, Serialize};

use crate::error::{check_counts, check_setting, check_targets};
use crate::lbfgs::{add, dot};
use crate::{BaselineError, SparseRows};

/// How a [`Ridge`] regression is fitted.
///
/// Minimises the sum of squared errors plus `l2` times the squared weights, without the intercept,
/// as scikit-learn's `Ridge(alpha=l2)` does.
///
/// Reference: Hoerl and Kennard, *Ridge regression: biased estimation for nonorthogonal problems*,
/// 1970, <https://doi.org/10.1080/00401706.1970.10488634>. The normal equations are solved by
/// conjugate gradients without being formed, so that ten thousand categories take no more memory
/// than their rows.
///
/// ```
/// use tinderbox_baselines::{RidgeConfig, SparseRows, Table};
///
/// let rows = SparseRows::from_table(&Table::new(vec![1.0, 2.0, 3.0, 4.0], 1)?)?;
/// let model = RidgeConfig { l2: 0.0 }.fit(&rows, &[5.0, 7.0, 9.0, 11.0])?;
/// assert!((model.predict(&rows)?[3] - 11.0).abs() < 1e-9);
/// # Ok::<(), tinderbox_baselines::BaselineError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeConfig {
    /// Strength of the penalty on the squared weights, 0 or more.
    pub l2: f64,
}

impl Default for RidgeConfig {
    fn default() -> Self {
        Self { l2: 1.0 }
    }
}

/// A ridge regression that was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ridge {
    weights: Vec<f64>,
    intercept: f64,
}

impl RidgeConfig {
    /// Fits `rows` to their targets.
    ///
    /// # Errors
    ///
    /// If there are no rows, a target is not a finite number, or the penalty is out of range.
    pub fn fit(&self, rows: &SparseRows, targets: &[f64]) -> Result<Ridge, BaselineError> {
        check_setting("l2", self.l2, 0.0..=1e12, "[0, 1e12]")?;
        check_counts(rows.len(), targets.len())?;
        check_targets(targets)?;
        let count = rows.len() as f64;
        let mean = targets.iter().sum::<f64>() / count;
        let errors: Vec<f64> = targets.iter().map(|target| target - mean).collect();
        let mut means = transposed(rows, &vec![1.0; rows.len()]);
        for mean in &mut means {
            *mean /= count;
        }
        let centred = Centred { rows, means };
        let weights = self.solve(&centred, centred.transposed(&errors));
        let intercept = mean - dot(&centred.means, &weights);
        Ok(Ridge { weights, intercept })
    }

    /// Conjugate gradients on `(X'X + l2) w = right`.
    fn solve(self, rows: &Centred<'_>, right: Vec<f64>) -> Vec<f64> {
        let mut weights = vec![0.0; right.len()];
        let mut residual = right;
        let mut direction = residual.clone();
        let mut square = dot(&residual, &residual);
        let enough = square * 1e-24;
        // Exact after as many steps as there are columns, but for rounding.
        for _ in 0..4 * weights.len() + 20 {
            if square <= enough {
                break;
            }
            let mut image = rows.transposed(&rows.times(&direction));
            add(&mut image, self.l2, &direction);
            let curvature = dot(&direction, &image);
            if curvature <= 0.0 {
                break;
            }
            add(&mut weights, square / curvature, &direction);
            add(&mut residual, -square / curvature, &image);
            let next = dot(&residual, &residual);
            for (d, r) in direction.iter_mut().zip(&residual) {
                *d = r + next / square * *d;
            }
            square = next;
        }
        weights
    }
}

/// Rows less their column means, which would not be sparse.
struct Centred<'a> {
    rows: &'a SparseRows,
    means: Vec<f64>,
}

impl Centred<'_> {
    fn times(&self, weights: &[f64]) -> Vec<f64> {
        let offset = dot(&self.means, weights);
        times(self.rows, weights, -offset)
    }

    fn transposed(&self, errors: &[f64]) -> Vec<f64> {
        let mut sums = transposed(self.rows, errors);
        add(&mut sums, -errors.iter().sum::<f64>(), &self.means);
        sums
    }
}

fn times(rows: &SparseRows, weights: &[f64], offset: f64) -> Vec<f64> {
    let product = |row| rows.row(row).map(|(column, value)| value * weights[column]);
    (0..rows.len())
        .map(|row| offset + product(row).sum::<f64>())
        .collect()
}

fn transposed(rows: &SparseRows, errors: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; rows.width()];
    for (row, error) in errors.iter().enumerate() {
        for (column, value) in rows.row(row) {
            sums[column] += value * error;
        }
    }
    sums
}

impl Ridge {
    /// Whether the model takes rows of `width` columns, which a stored one may not.
    pub fn is_sound(&self, width: usize) -> bool {
        self.weights.len() == width
    }

    /// Weight of each column.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// What is predicted for a row of zeros.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// Predicts the target of each row.
    ///
    /// # Errors
    ///
    /// If the rows are not as wide as those of the fit.
    pub fn predict(&self, rows: &SparseRows) -> Result<Vec<f64>, BaselineError> {
        rows.check_width(self.weights.len())?;
        Ok(times(rows, &self.weights, self.intercept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    fn rows() -> SparseRows {
        let values = vec![
            0.5, 1.0, 0.0, -0.25, 0.0, 1.0, 1.5, 1.0, 0.0, -1.0, 0.0, 0.0, 0.75, 0.0, 1.0, 2.0,
            1.0, 0.0,
        ];
        SparseRows::from_table(&Table::new(values, 3).unwrap()).unwrap()
    }

    const TARGETS: [f64; 6] = [3.0, 1.5, 4.5, -0.5, 2.0, 7.0];

    /// Expected: scikit-learn 1.9.1, `Ridge(alpha=0.5)`.
    #[test]
    fn weights_agree_with_scikit_learn() {
        let model = RidgeConfig { l2: 0.5 }.fit(&rows(), &TARGETS).unwrap();
        let expected = [1.800_401_204, 0.743_229_689, -0.212_637_914];
        for (found, expected) in model.weights().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-8, "{:?}", model.weights());
        }
        assert!((model.intercept() - 1.565_697_091).abs() < 1e-8);
    }

    #[test]
    fn columns_that_repeat_each_other_do_not_hinder() {
        let twice = rows().hstack(&rows()).unwrap();
        let model = RidgeConfig { l2: 0.0 }.fit(&twice, &TARGETS).unwrap();
        let once = RidgeConfig { l2: 0.0 }.fit(&rows(), &TARGETS).unwrap();
        let pairs = model.predict(&twice).unwrap().into_iter();
        for (twice, once) in pairs.zip(once.predict(&rows()).unwrap()) {
            assert!((twice - once).abs() < 1e-8);
        }
    }

    #[test]
    fn a_constant_target_is_predicted_by_the_intercept() {
        let model = RidgeConfig::default().fit(&rows(), &[4.0; 6]).unwrap();
        assert!(model.weights().iter().all(|w| w.abs() < 1e-12));
        assert!((model.intercept() - 4.0).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        let fit = |targets: &[f64]| RidgeConfig::default().fit(&rows(), targets);
        let error = fit(&[0.0, 1.0, f64::NAN, 0.0, 0.0, 0.0]).unwrap_err();
        assert!(
            error.to_string().contains("target of row 2 is NaN"),
            "{error}"
        );
        assert!(matches!(fit(&[0.0]), Err(BaselineError::Count { .. })));
        let none = RidgeConfig::default().fit(&SparseRows::new(1), &[]);
        assert_eq!(none, Err(BaselineError::NoRows));
        let model = fit(&TARGETS).unwrap();
        assert!(model.predict(&SparseRows::new(9)).is_err());
    }
}
