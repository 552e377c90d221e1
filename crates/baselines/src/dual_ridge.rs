//! Ridge regression of many targets on few wide rows, in its dual form.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, Slice};

use crate::BaselineError;

/// Rows and columns of a block of the factorization.
const BLOCK: usize = 64;

/// Rows of a product that are computed together; of a symmetric one only those up to the diagonal.
const ROWS: usize = 256;

/// Smallest penalty.
const LEAST_L2: f64 = 1e-6;

/// Ridge regressions on the same rows, of which there are fewer than columns.
///
/// Only the products of rows with each other are needed, so that a fit on a part of the rows, and its predictions
/// for the others, cost no more than the number of rows says.
///
/// Reference: Saunders, Gammerman and Vovk, *Ridge regression learning algorithm in dual variables*, ICML 1998.
///
/// ```
/// use tinderbox_baselines::DualRidge;
///
/// let rows = DualRidge::new(vec![1.0, 0.0, 2.0, 0.0, 3.0, 1.0], 2)?;
/// let fit = rows.fit(&[0, 1, 2], &[5.0, 7.0, 9.0], 1e-6)?;
/// let (weights, bias) = rows.primal(&fit);
/// assert!((weights[0] - 2.0).abs() < 0.01 && (bias[0] - 3.0).abs() < 0.02);
/// # Ok::<(), tinderbox_baselines::BaselineError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DualRidge {
    mean: Vec<f32>,
    /// Rows less the mean, `[rows, width]`.
    centered: Array2<f32>,
    /// Their products, `[rows, rows]`.
    products: Array2<f32>,
}

/// A regression that was fitted to some of the rows.
#[derive(Clone, Debug)]
pub struct DualFit {
    rows: Vec<usize>,
    /// `[rows, targets]`.
    duals: Array2<f32>,
    /// What is added to each target.
    mean: Vec<f64>,
}

impl DualRidge {
    /// Takes rows `[rows, width]`.
    ///
    /// # Errors
    ///
    /// If there are none, they are not full, or a value is not a finite number.
    pub fn new(values: Vec<f32>, width: usize) -> Result<Self, BaselineError> {
        if values.is_empty() || width == 0 || !values.len().is_multiple_of(width) {
            return Err(BaselineError::NoRows);
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(BaselineError::NotFinite {
                row: at / width,
                column: at % width,
                value: f64::from(values[at]),
            });
        }
        let count = values.len() / width;
        let mut sums = vec![0.0; width];
        for row in values.chunks_exact(width) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
        let mean: Vec<f32> = sums.iter().map(|sum| (sum / count as f64) as f32).collect();
        let mut centered = values;
        for row in centered.chunks_exact_mut(width) {
            for (value, mean) in row.iter_mut().zip(&mean) {
                *value -= mean;
            }
        }
        let centered = array(centered, count, width)?;
        let mut products = Array2::zeros((count, count));
        for start in (0..count).step_by(ROWS) {
            let end = (start + ROWS).min(count);
            let rows = part(&centered, start..end, 0..width);
            let others = part(&centered, 0..end, 0..width);
            let mut target = part_mut(&mut products, start..end, 0..end);
            general_mat_mul(1.0, &rows, &others.t(), 0.0, &mut target);
        }
        for row in 0..count {
            for column in row + 1..count {
                products[[row, column]] = products[[column, row]];
            }
        }
        Ok(Self {
            mean,
            centered,
            products,
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.centered.nrows()
    }

    /// Whether there is none, which [`new`](Self::new) refuses.
    pub fn is_empty(&self) -> bool {
        self.centered.is_empty()
    }

    /// Fits some rows to their targets `[all rows, targets]`, with a penalty on the squared weights of `l2` times the
    /// mean square of a row, from 1e-6 on: products of rows are in single precision, whose rounding a smaller penalty
    /// would amplify.
    ///
    /// # Errors
    ///
    /// If there are no rows, the targets do not fit them or are not finite, or the penalty is out of range.
    pub fn fit(&self, rows: &[usize], targets: &[f32], l2: f64) -> Result<DualFit, BaselineError> {
        let count = self.len();
        crate::error::check_setting("l2", l2, LEAST_L2..=1e12, "[1e-6, 1e12]")?;
        if rows.is_empty() {
            return Err(BaselineError::NoRows);
        }
        if targets.is_empty() || !targets.len().is_multiple_of(count) {
            let targets = targets.len();
            return Err(BaselineError::Count {
                rows: count,
                targets,
            });
        }
        if let Some(at) = targets.iter().position(|value| !value.is_finite()) {
            return Err(BaselineError::Target {
                row: at / (targets.len() / count),
                value: f64::from(targets[at]),
            });
        }
        let width = targets.len() / count;
        let mut mean = vec![0.0; width];
        for &row in rows {
            for (mean, &value) in mean.iter_mut().zip(&targets[row * width..][..width]) {
                *mean += f64::from(value) / rows.len() as f64;
            }
        }
        let mut right = Vec::with_capacity(rows.len() * width);
        for &row in rows {
            let own = &targets[row * width..][..width];
            let own = own.iter().zip(&mean);
            right.extend(own.map(|(&value, mean)| f64::from(value) - mean));
        }
        let mut right = array(right, rows.len(), width)?;
        let pick = self.products.select(Axis(0), rows).select(Axis(1), rows);
        let mut matrix = pick.mapv(f64::from);
        let shifts = center(&mut matrix);
        let square = matrix.diag().sum() / rows.len() as f64;
        matrix
            .diag_mut()
            .mapv_inplace(|value| value + l2 * square.max(f64::MIN_POSITIVE));
        factorize(&mut matrix);
        substitute(&matrix, &mut right);
        // Duals that sum to 0 give the products less the mean of the rows that are fitted, but for a constant.
        for (mut duals, mean) in right.columns_mut().into_iter().zip(&mut mean) {
            let average = duals.sum() / rows.len() as f64;
            duals.mapv_inplace(|dual| dual - average);
            let shifted = duals.iter().zip(&shifts);
            *mean -= shifted.map(|(dual, shift)| dual * shift).sum::<f64>();
        }
        Ok(DualFit {
            rows: rows.to_vec(),
            duals: right.mapv(|dual| dual as f32),
            mean,
        })
    }

    /// Predicts rows of this data, `[rows, targets]`.
    pub fn predict(&self, fit: &DualFit, rows: &[usize]) -> Vec<f32> {
        let products = self
            .products
            .select(Axis(0), rows)
            .select(Axis(1), &fit.rows);
        let moved = products.dot(&fit.duals);
        let rows = moved.rows();
        let rows = rows.into_iter().flat_map(|row| {
            let values = row.into_iter().zip(&fit.mean);
            values
                .map(|(&value, &mean)| (f64::from(value) + mean) as f32)
                .collect::<Vec<_>>()
        });
        rows.collect()
    }

    /// The weights `[width, targets]` and biases of a fit, for other rows.
    pub fn primal(&self, fit: &DualFit) -> (Vec<f32>, Vec<f32>) {
        let weights = self.centered.select(Axis(0), &fit.rows).t().dot(&fit.duals);
        let mut bias = fit.mean.clone();
        for (weights, &mean) in weights.rows().into_iter().zip(&self.mean) {
            for (bias, &weight) in bias.iter_mut().zip(weights) {
                *bias -= f64::from(weight) * f64::from(mean);
            }
        }
        let weights = weights.as_standard_layout().iter().copied().collect();
        (weights, bias.into_iter().map(|bias| bias as f32).collect())
    }
}

fn array<T>(values: Vec<T>, rows: usize, width: usize) -> Result<Array2<T>, BaselineError> {
    Array2::from_shape_vec((rows, width), values)
        .map_err(|error| BaselineError::Library(error.to_string()))
}

/// Turns products of rows into those of rows less their mean; the mean of each row of products before.
fn center(products: &mut Array2<f64>) -> Vec<f64> {
    let count = products.nrows() as f64;
    let means: Vec<f64> = products
        .rows()
        .into_iter()
        .map(|row| row.sum() / count)
        .collect();
    let all = means.iter().sum::<f64>() / count;
    for (mut row, own) in products.rows_mut().into_iter().zip(&means) {
        for (value, other) in row.iter_mut().zip(&means) {
            *value -= own + other - all;
        }
    }
    means
}

/// The lower Cholesky factor of a positive definite matrix, block by block, in its place.
fn factorize(matrix: &mut Array2<f64>) {
    let size = matrix.nrows();
    for start in (0..size).step_by(BLOCK) {
        let end = (start + BLOCK).min(size);
        for row in start..size {
            for column in start..end.min(row + 1) {
                let sum: f64 = (start..column)
                    .map(|at| matrix[[row, at]] * matrix[[column, at]])
                    .sum();
                let rest = matrix[[row, column]] - sum;
                matrix[[row, column]] = if row == column {
                    rest.max(f64::MIN_POSITIVE).sqrt()
                } else {
                    rest / matrix[[column, column]]
                };
            }
        }
        let panel = part(matrix, end..size, start..end).to_owned();
        for from in (0..panel.nrows()).step_by(ROWS) {
            let to = (from + ROWS).min(panel.nrows());
            let own = part(&panel, from..to, 0..end - start);
            let others = part(&panel, 0..to, 0..end - start);
            let mut rest = part_mut(matrix, end + from..end + to, end..end + to);
            general_mat_mul(-1.0, &own, &others.t(), 1.0, &mut rest);
        }
    }
}

/// Solves for the right sides `[size, targets]`, in their place.
fn substitute(factor: &Array2<f64>, right: &mut Array2<f64>) {
    let (size, targets) = right.dim();
    let starts: Vec<usize> = (0..size).step_by(BLOCK).collect();
    for &start in &starts {
        let end = (start + BLOCK).min(size);
        for row in start..end {
            for column in start..row {
                subtract(right, row, column, factor[[row, column]]);
            }
            let diagonal = factor[[row, row]];
            right.row_mut(row).mapv_inplace(|value| value / diagonal);
        }
        let solved = part(right, start..end, 0..targets).to_owned();
        let below = part(factor, end..size, start..end);
        general_mat_mul(
            -1.0,
            &below,
            &solved,
            1.0,
            &mut part_mut(right, end..size, 0..targets),
        );
    }
    for &start in starts.iter().rev() {
        let end = (start + BLOCK).min(size);
        for row in (start..end).rev() {
            for column in row + 1..end {
                subtract(right, row, column, factor[[column, row]]);
            }
            let diagonal = factor[[row, row]];
            right.row_mut(row).mapv_inplace(|value| value / diagonal);
        }
        let solved = part(right, start..end, 0..targets).to_owned();
        let left = part(factor, start..end, 0..start);
        general_mat_mul(
            -1.0,
            &left.t(),
            &solved,
            1.0,
            &mut part_mut(right, 0..start, 0..targets),
        );
    }
}

fn part<T>(matrix: &Array2<T>, rows: Range<usize>, columns: Range<usize>) -> ArrayView2<'_, T> {
    let mut view = matrix.view();
    view.slice_axis_inplace(Axis(0), Slice::from(rows));
    view.slice_axis_inplace(Axis(1), Slice::from(columns));
    view
}

fn part_mut<T>(
    matrix: &mut Array2<T>,
    rows: Range<usize>,
    columns: Range<usize>,
) -> ArrayViewMut2<'_, T> {
    let mut view = matrix.view_mut();
    view.slice_axis_inplace(Axis(0), Slice::from(rows));
    view.slice_axis_inplace(Axis(1), Slice::from(columns));
    view
}

/// Subtracts a multiple of one row from another.
fn subtract(rows: &mut Array2<f64>, row: usize, other: usize, weight: f64) {
    let other = rows.row(other).to_owned();
    rows.row_mut(row).scaled_add(-weight, &other);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RidgeConfig, SparseRows, Table};

    fn values(count: usize, seed: usize) -> Vec<f32> {
        let value = |at: usize| ((at * 7919 + seed * 104_729) % 1000) as f32 / 500.0 - 1.0;
        (0..count).map(|at| value(at * at + 3 * at)).collect()
    }

    #[test]
    fn the_solution_is_that_of_the_primal_form() {
        // More rows than a block.
        let (rows, width) = (150, 20);
        let features = values(rows * width, 1);
        let targets = values(rows, 2);
        let dual = DualRidge::new(features.clone(), width).unwrap();
        let all: Vec<usize> = (0..rows).collect();
        let fit = dual.fit(&all, &targets, 0.1).unwrap();
        let (weights, bias) = dual.primal(&fit);
        let diagonal: f32 = dual.products.diag().sum();
        let l2 = 0.1 * f64::from(diagonal) / rows as f64;
        let table = Table::new(
            features.iter().map(|&value| f64::from(value)).collect(),
            width,
        );
        let sparse = SparseRows::from_table(&table.unwrap()).unwrap();
        let wide: Vec<f64> = targets.iter().map(|&value| f64::from(value)).collect();
        let expected = RidgeConfig { l2 }.fit(&sparse, &wide).unwrap();
        let expected = expected.predict(&sparse).unwrap();
        let own = dual.predict(&fit, &all);
        for row in 0..rows {
            let sum: f32 = (0..width)
                .map(|at| features[row * width + at] * weights[at])
                .sum();
            assert!((f64::from(sum + bias[0]) - expected[row]).abs() < 1e-4);
            assert!((f64::from(own[row]) - expected[row]).abs() < 1e-4);
        }
    }

    #[test]
    fn a_fit_on_a_part_predicts_the_other_rows() {
        let features: Vec<f32> = (0..20).map(|at| at as f32).collect();
        let targets: Vec<f32> = features.iter().flat_map(|x| [2.0 * x + 1.0, -x]).collect();
        let rows = DualRidge::new(features, 1).unwrap();
        let part: Vec<usize> = (0..10).collect();
        let fit = rows.fit(&part, &targets, 1e-5).unwrap();
        let found = rows.predict(&fit, &[15]);
        assert!(
            (found[0] - 31.0).abs() < 0.01 && (found[1] + 15.0).abs() < 0.01,
            "{found:?}"
        );
    }

    #[test]
    fn bad_rows_and_targets_are_refused() {
        assert_eq!(
            DualRidge::new(Vec::new(), 2).unwrap_err(),
            BaselineError::NoRows
        );
        let error = DualRidge::new(vec![1.0, f32::INFINITY], 1).unwrap_err();
        assert!(matches!(error, BaselineError::NotFinite { row: 1, .. }));
        let rows = DualRidge::new(vec![1.0, 2.0], 1).unwrap();
        assert!(rows.fit(&[0, 1], &[1.0], 1.0).is_err());
        assert!(rows.fit(&[0, 1], &[1.0, 2.0], 0.0).is_err());
        assert!(rows.fit(&[0, 1], &[1.0, f32::NAN], 1.0).is_err());
    }
}
