//! The search for columns that together give the target away: it is their sum, difference, product
//! or ratio.
//!
//! Every pair of columns is tried, and up to five columns chosen one after the other (orthogonal
//! matching pursuit: Pati, Rezaiifar and Krishnaprasad 1993,
//! <https://doi.org/10.1109/ACSSC.1993.342465>), by least squares; the same on logarithms finds
//! products and ratios.

use super::finding::Finding;
use crate::table::column::{Cells, Column};
use crate::table::schema::Kind;

/// Share of the target's variance from which on columns give it away.
const LIMIT: f64 = 0.999;

/// Rows that are looked at.
const MAX_ROWS: usize = 4_000;

/// Fewest rows.
const MIN_ROWS: usize = 40;

/// Most columns that are looked at: pairs cost their square.
const MAX_COLUMNS: usize = 200;

/// Most columns of a formula.
const MAX_TERMS: usize = 5;

/// The formulas that give `target` away, by two columns or more.
pub(super) fn find(columns: &[&Column], target: &Column) -> Vec<Finding> {
    let Cells::Numbers(truth) = target.cells() else {
        return Vec::new();
    };
    let every = truth.len().div_ceil(MAX_ROWS).max(1);
    let rows: Vec<usize> = (0..truth.len())
        .step_by(every)
        .filter(|&row| !truth.get(row).is_nan())
        .collect();
    if rows.len() < MIN_ROWS {
        return Vec::new();
    }
    let truth: Vec<f64> = rows.iter().map(|&row| truth.get(row)).collect();
    let takes = |column: &&&Column| matches!(column.kind(), Kind::Numeric | Kind::Boolean);
    let inputs: Vec<(&str, Vec<f64>)> = columns
        .iter()
        .filter(takes)
        .take(MAX_COLUMNS)
        .filter_map(|column| {
            let Cells::Numbers(numbers) = column.cells() else {
                return None;
            };
            let values = rows.iter().map(|&row| numbers.get(row)).collect();
            Some((column.name(), values))
        })
        .collect();
    let mut findings = Vec::new();
    for product in [false, true] {
        if product && target.kind() == Kind::Boolean {
            continue;
        }
        let scale = |values: &[f64]| {
            if product {
                logarithms(values)
            } else {
                Some(values.to_vec())
            }
        };
        let Some(truth) = scale(&truth).as_deref().and_then(standardized) else {
            continue;
        };
        let of = |(name, values): &(&str, Vec<f64>)| {
            let scaled = scale(values)?;
            Some(((*name).to_owned(), standardized(&scaled)?))
        };
        let (names, inputs): (Vec<String>, Vec<Vec<f64>>) = inputs.iter().filter_map(of).unzip();
        let Some((terms, r2)) = Fit::new(&inputs, &truth).search() else {
            continue;
        };
        let columns = terms.into_iter().map(|term| names[term].clone()).collect();
        findings.push(Finding::Formula {
            columns,
            product,
            r2,
        });
        // What is linear is often nearly linear in the logarithms too.
        break;
    }
    findings
}

/// Logarithms of the sizes; `None` if more than one in a hundred has none.
fn logarithms(values: &[f64]) -> Option<Vec<f64>> {
    let zeros = values.iter().filter(|&&value| value == 0.0).count();
    let log = |&value: &f64| {
        if value == 0.0 {
            f64::NAN
        } else {
            value.abs().ln()
        }
    };
    (zeros * 100 <= values.len()).then(|| values.iter().map(log).collect())
}

/// Mean 0 and mean square 1, with 0 for what is missing; `None` if the values do not vary, overflow,
/// or more than one in twenty is missing.
fn standardized(values: &[f64]) -> Option<Vec<f64>> {
    let known = || values.iter().copied().filter(|value| !value.is_nan());
    let count = known().count() as f64;
    if count * 20.0 < values.len() as f64 * 19.0 {
        return None;
    }
    let mean = known().sum::<f64>() / count;
    let square = known().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let deviation = square.sqrt();
    let varies = deviation.is_finite() && deviation > 1e-12 * mean.abs() && deviation > 0.0;
    let scale = |&value: &f64| {
        if value.is_nan() {
            0.0
        } else {
            (value - mean) / deviation
        }
    };
    varies.then(|| values.iter().map(scale).collect())
}

/// Least squares on standardized columns, by their products with each other and with the target.
struct Fit {
    /// Mean products of each pair of columns.
    products: Vec<Vec<f64>>,
    /// Mean products with the target.
    right: Vec<f64>,
}

impl Fit {
    fn new(inputs: &[Vec<f64>], truth: &[f64]) -> Self {
        let rows = truth.len() as f64;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / rows;
        Self {
            products: inputs
                .iter()
                .map(|a| inputs.iter().map(|b| dot(a, b)).collect())
                .collect(),
            right: inputs.iter().map(|a| dot(a, truth)).collect(),
        }
    }

    /// The fewest columns that reach the limit, at least two of them, and the share that they reach.
    fn search(&self) -> Option<(Vec<usize>, f64)> {
        self.best_pair()
            .filter(|(_, r2)| *r2 >= LIMIT)
            .or_else(|| self.pursue())
            .map(|(terms, r2)| self.pruned(terms, r2))
            .filter(|(terms, _)| terms.len() > 1)
    }

    fn best_pair(&self) -> Option<(Vec<usize>, f64)> {
        let count = self.right.len();
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| [a, b]));
        let scored = pairs.map(|[a, b]| {
            let together = self.products[a][b];
            let (own_a, own_b) = (self.products[a][a], self.products[b][b]);
            let (y_a, y_b) = (self.right[a], self.right[b]);
            let determinant = own_a * own_b - together * together;
            // Columns that repeat each other are one.
            let r2 = if determinant > 1e-9 {
                (y_a * y_a * own_b - 2.0 * y_a * y_b * together + y_b * y_b * own_a) / determinant
            } else {
                0.0
            };
            (vec![a, b], r2.min(1.0))
        });
        scored.reduce(|best, next| if next.1 > best.1 { next } else { best })
    }

    /// Adds the column that explains most of what is left, until the limit is reached.
    fn pursue(&self) -> Option<(Vec<usize>, f64)> {
        let mut terms: Vec<usize> = Vec::new();
        while terms.len() < MAX_TERMS {
            let weights = self.solve(&terms)?;
            let left = |column: usize| {
                let told = terms.iter().zip(&weights);
                let told: f64 = told.map(|(&t, w)| w * self.products[column][t]).sum();
                (self.right[column] - told).abs()
            };
            let rest = (0..self.right.len()).filter(|column| !terms.contains(column));
            let next = rest.max_by(|&a, &b| left(a).total_cmp(&left(b)))?;
            terms.push(next);
            let r2 = self.r2(&terms)?;
            if r2 >= LIMIT {
                return Some((terms, r2));
            }
        }
        None
    }

    /// Leaves out what is not needed for the limit.
    fn pruned(&self, mut terms: Vec<usize>, mut r2: f64) -> (Vec<usize>, f64) {
        let mut at = 0;
        while at < terms.len() {
            let mut fewer = terms.clone();
            fewer.remove(at);
            match self.r2(&fewer) {
                Some(value) if value >= LIMIT => (terms, r2) = (fewer, value),
                _ => at += 1,
            }
        }
        terms.sort_unstable();
        (terms, r2)
    }

    fn r2(&self, terms: &[usize]) -> Option<f64> {
        let weights = self.solve(terms)?;
        let parts = terms.iter().zip(&weights);
        Some(parts.map(|(&term, weight)| weight * self.right[term]).sum())
    }

    /// Solves the normal equations by Cholesky's decomposition; `None` if columns repeat each other.
    fn solve(&self, terms: &[usize]) -> Option<Vec<f64>> {
        let count = terms.len();
        let mut lower = vec![vec![0.0; count]; count];
        let mut solved = vec![0.0; count];
        for (row, &term) in terms.iter().enumerate() {
            for column in 0..=row {
                let sum: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
                let rest = self.products[term][terms[column]] - sum;
                lower[row][column] = if row == column {
                    (rest > 1e-9).then(|| rest.sqrt())?
                } else {
                    rest / lower[column][column]
                };
            }
            let sum: f64 = (0..row).map(|k| lower[row][k] * solved[k]).sum();
            solved[row] = (self.right[term] - sum) / lower[row][row];
        }
        for row in (0..count).rev() {
            let sum: f64 = (row + 1..count).map(|k| lower[k][row] * solved[k]).sum();
            solved[row] = (solved[row] - sum) / lower[row][row];
        }
        Some(solved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number in `[0, 1)`, in no order.
    fn spread(at: usize, step: usize) -> f64 {
        ((at * step + 7) % 1009) as f64 / 1009.0
    }

    fn formula(of: impl Fn([f64; 4]) -> f64) -> Option<(Vec<String>, bool)> {
        let names = ["a", "b", "c", "d"];
        let steps = [389, 613, 71, 911];
        let value = |at: usize, step: usize| 1.0 + 10.0 * spread(at, step);
        let inputs: Vec<Column> = names
            .iter()
            .zip(steps)
            .map(|(name, step)| {
                Column::numeric(*name, (0..500).map(|at| value(at, step)).collect())
            })
            .collect();
        let truth = (0..500).map(|at| of(steps.map(|step| value(at, step))));
        let target = Column::numeric("y", truth.collect());
        let found = find(&inputs.iter().collect::<Vec<_>>(), &target);
        found.into_iter().find_map(|finding| match finding {
            Finding::Formula {
                columns, product, ..
            } => Some((columns, product)),
            _ => None,
        })
    }

    #[test]
    fn sums_differences_products_and_ratios_are_found() {
        let found = |names: &[&str], product| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Some((names, product))
        };
        assert_eq!(formula(|[a, b, ..]| a + b), found(&["a", "b"], false));
        assert_eq!(formula(|[a, _, c, _]| a - c), found(&["a", "c"], false));
        let three = formula(|[a, b, c, _]| 2.0 * a - b + 0.5 * c + 3.0);
        assert_eq!(three, found(&["a", "b", "c"], false));
        assert_eq!(formula(|[a, b, ..]| a * b), found(&["a", "b"], true));
        assert_eq!(formula(|[_, b, _, d]| -b / d), found(&["b", "d"], true));
    }

    #[test]
    fn what_is_only_near_or_of_one_column_is_not_a_formula() {
        let noise = |a: f64, b: f64| ((a * 7919.0 + b * 104_729.0) % 1.0) * 4.0;
        assert_eq!(formula(|[a, b, ..]| a + b + noise(a, b)), None);
        // One column alone is found elsewhere.
        assert_eq!(formula(|[a, ..]| 3.0 * a), None);
        assert_eq!(formula(|[a, b, c, d]| (a * b + c * d).sin()), None);
        assert_eq!(formula(|_| 7.0), None);
    }
}
