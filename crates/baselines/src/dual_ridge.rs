//! Ridge regression of many targets on few wide rows, in its dual form.

use rayon::prelude::*;

use crate::BaselineError;

/// Rows and columns of a block of the factorization.
const BLOCK: usize = 64;

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
    width: usize,
    mean: Vec<f32>,
    /// Rows less the mean, `[rows, width]`.
    centered: Vec<f32>,
    /// Their products, `[rows, rows]`.
    products: Vec<f32>,
}

/// A regression that was fitted to some of the rows.
#[derive(Clone, Debug)]
pub struct DualFit {
    rows: Vec<usize>,
    /// Number of targets.
    targets: usize,
    /// `[rows, targets]`.
    duals: Vec<f32>,
    /// Mean of each target.
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
        let mut products = vec![0.0; count * count];
        let rows = &centered;
        let fill = |(row, products): (usize, &mut [f32])| {
            let own = &rows[row * width..][..width];
            let others = rows.chunks_exact(width).take(row + 1);
            for (product, other) in products.iter_mut().zip(others) {
                *product = dot(own, other);
            }
        };
        products.par_chunks_mut(count).enumerate().for_each(fill);
        for row in 0..count {
            for column in row + 1..count {
                products[row * count + column] = products[column * count + row];
            }
        }
        Ok(Self {
            width,
            mean,
            centered,
            products,
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.centered.len() / self.width
    }

    /// Whether there is none, which [`new`](Self::new) refuses.
    pub fn is_empty(&self) -> bool {
        self.centered.is_empty()
    }

    /// Fits some rows to their targets `[all rows, targets]`, with a penalty on the squared weights of `l2` times the
    /// mean square of a row.
    ///
    /// # Errors
    ///
    /// If there are no rows, the targets do not fit them or are not finite, or the penalty is not positive.
    pub fn fit(&self, rows: &[usize], targets: &[f32], l2: f64) -> Result<DualFit, BaselineError> {
        let count = self.len();
        crate::error::check_setting("l2", l2, 1e-12..=1e12, "[1e-12, 1e12]")?;
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
            right.extend(
                own.iter()
                    .zip(&mean)
                    .map(|(&value, mean)| f64::from(value) - mean),
            );
        }
        let pick = |&row: &usize| {
            rows.iter()
                .map(move |&other| f64::from(self.product(row, other)))
        };
        let mut matrix: Vec<f64> = rows.iter().flat_map(pick).collect();
        let diagonal = rows.iter().map(|&row| f64::from(self.product(row, row)));
        let square = diagonal.sum::<f64>() / rows.len() as f64;
        for at in 0..rows.len() {
            matrix[at * rows.len() + at] += l2 * square.max(f64::MIN_POSITIVE);
        }
        factorize(&mut matrix, rows.len());
        substitute(&matrix, rows.len(), &mut right, width);
        Ok(DualFit {
            rows: rows.to_vec(),
            targets: width,
            duals: right.into_iter().map(|dual| dual as f32).collect(),
            mean,
        })
    }

    /// The predictions of a fit for rows of its own, `[rows, targets]`.
    pub fn predict(&self, fit: &DualFit, rows: &[usize]) -> Vec<f32> {
        let predict = |&row: &usize| {
            let mut sums = fit.mean.clone();
            for (&other, duals) in fit.rows.iter().zip(fit.duals.chunks_exact(fit.targets)) {
                let product = f64::from(self.product(row, other));
                for (sum, &dual) in sums.iter_mut().zip(duals) {
                    *sum += product * f64::from(dual);
                }
            }
            sums.into_iter().map(|sum| sum as f32).collect::<Vec<f32>>()
        };
        rows.par_iter().flat_map_iter(predict).collect()
    }

    /// The weights `[width, targets]` and biases of a fit, for other rows.
    pub fn primal(&self, fit: &DualFit) -> (Vec<f32>, Vec<f32>) {
        let mut weights = vec![0.0; self.width * fit.targets];
        let weigh = |(column, weights): (usize, &mut [f32])| {
            for (&row, duals) in fit.rows.iter().zip(fit.duals.chunks_exact(fit.targets)) {
                let value = self.centered[row * self.width + column];
                for (weight, dual) in weights.iter_mut().zip(duals) {
                    *weight += value * dual;
                }
            }
        };
        let columns = weights.par_chunks_mut(fit.targets).enumerate();
        columns.for_each(weigh);
        let mut bias = fit.mean.clone();
        for (weights, &mean) in weights.chunks_exact(fit.targets).zip(&self.mean) {
            for (bias, &weight) in bias.iter_mut().zip(weights) {
                *bias -= f64::from(weight) * f64::from(mean);
            }
        }
        (weights, bias.into_iter().map(|bias| bias as f32).collect())
    }

    fn product(&self, row: usize, other: usize) -> f32 {
        self.products[row * self.len() + other]
    }
}

/// The product of two rows, in eight sums that do not wait for each other.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (a, b) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: f32 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

fn dot_f64(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The lower Cholesky factor of a positive definite matrix, block by block, in its place.
fn factorize(matrix: &mut [f64], size: usize) {
    for start in (0..size).step_by(BLOCK) {
        let end = (start + BLOCK).min(size);
        for row in start..end {
            for column in start..=row {
                let sum = dot_f64(
                    &matrix[row * size + start..row * size + column],
                    &matrix[column * size + start..column * size + column],
                );
                let rest = matrix[row * size + column] - sum;
                matrix[row * size + column] = if row == column {
                    rest.max(f64::MIN_POSITIVE).sqrt()
                } else {
                    rest / matrix[column * size + column]
                };
            }
        }
        let (done, below) = matrix.split_at_mut(end * size);
        below.par_chunks_mut(size).for_each(|row| {
            for column in start..end {
                let factor = &done[column * size..][..size];
                let sum = dot_f64(&row[start..column], &factor[start..column]);
                row[column] = (row[column] - sum) / factor[column];
            }
        });
        // The panel is read by all rows while they are updated.
        let panel: Vec<f64> = below
            .chunks_exact(size)
            .flat_map(|row| row[start..end].iter().copied())
            .collect();
        let width = end - start;
        below
            .par_chunks_mut(size)
            .enumerate()
            .for_each(|(at, row)| {
                let own = row[start..end].to_vec();
                let others = panel.chunks_exact(width).take(at + 1);
                for (value, other) in row[end..].iter_mut().zip(others) {
                    *value -= dot_f64(&own, other);
                }
            });
    }
}

/// Solves for the right sides `[size, width]`, in their place.
fn substitute(factor: &[f64], size: usize, right: &mut [f64], width: usize) {
    for row in 0..size {
        let (done, rest) = right.split_at_mut(row * width);
        let own = &mut rest[..width];
        for (column, solved) in done.chunks_exact(width).enumerate() {
            let weight = factor[row * size + column];
            for (own, solved) in own.iter_mut().zip(solved) {
                *own -= weight * solved;
            }
        }
        own.iter_mut()
            .for_each(|own| *own /= factor[row * size + row]);
    }
    for row in (0..size).rev() {
        let (rest, done) = right.split_at_mut((row + 1) * width);
        let own = &mut rest[row * width..];
        for (column, solved) in (row + 1..size).zip(done.chunks_exact(width)) {
            let weight = factor[column * size + row];
            for (own, solved) in own.iter_mut().zip(solved) {
                *own -= weight * solved;
            }
        }
        own.iter_mut()
            .for_each(|own| *own /= factor[row * size + row]);
    }
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
        let diagonal: f32 = (0..rows).map(|row| dual.product(row, row)).sum();
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
        let fit = rows.fit(&part, &targets, 1e-9).unwrap();
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
