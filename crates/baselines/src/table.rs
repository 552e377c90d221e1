//! Tables of numbers, and their standardisation.

use crate::BaselineError;

/// Rows of numbers, all of one width. NaN stands for a missing value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    values: Vec<f64>,
    columns: usize,
}

impl Table {
    /// Takes `values` row after row, `columns` of them a row.
    ///
    /// # Errors
    ///
    /// If the last row is short, or a value is infinite.
    pub fn new(values: Vec<f64>, columns: usize) -> Result<Self, BaselineError> {
        let short = values.len() % columns.max(1);
        if short != 0 || (columns == 0 && !values.is_empty()) {
            return Err(BaselineError::Width {
                found: short,
                expected: columns,
            });
        }
        match values.iter().position(|value| value.is_infinite()) {
            Some(at) => Err(BaselineError::NotFinite {
                row: at / columns,
                column: at % columns,
                value: values[at],
            }),
            None => Ok(Self { values, columns }),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns.max(1)
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The values of a row.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// Copies `rows` in the order given, as the part of a split.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut values = Vec::with_capacity(rows.len() * self.columns);
        for &row in rows {
            values.extend_from_slice(self.row(row));
        }
        Self {
            values,
            columns: self.columns,
        }
    }

    /// Refuses missing values, for the methods that cannot have them.
    pub(crate) fn check_complete(&self) -> Result<(), BaselineError> {
        match self.values.iter().position(|value| value.is_nan()) {
            Some(at) => Err(BaselineError::NotFinite {
                row: at / self.columns,
                column: at % self.columns,
                value: f64::NAN,
            }),
            None => Ok(()),
        }
    }
}

/// Brings every column to mean 0 and deviation 1, as measured on the training rows.
///
/// ```
/// use tinderbox_baselines::{Standardizer, Table};
///
/// let train = Table::new(vec![1.0, 7.0, 3.0, 7.0], 2)?;
/// let scale = Standardizer::fit(&train)?;
/// let test = scale.apply(&Table::new(vec![4.0, 8.0], 2)?)?;
/// // The second column was constant: it is moved, not stretched.
/// assert_eq!(test.values(), [2.0, 1.0]);
/// # Ok::<(), tinderbox_baselines::BaselineError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Standardizer {
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl Standardizer {
    /// Measures mean and (population) standard deviation of every column.
    ///
    /// # Errors
    ///
    /// If there are no rows or a value is missing.
    pub fn fit(table: &Table) -> Result<Self, BaselineError> {
        table.check_complete()?;
        if table.rows() == 0 {
            return Err(BaselineError::NoRows);
        }
        let means = column_means(table, |_, value| value);
        let variances = column_means(table, |column, value| (value - means[column]).powi(2));
        let deviation = |(variance, mean): (f64, &f64)| {
            // What rounding leaves of a constant column is no deviation.
            let deviation = variance.sqrt();
            if deviation > 1e-12 * mean.abs() {
                deviation
            } else {
                1.0
            }
        };
        let deviations = variances.into_iter().zip(&means).map(deviation).collect();
        Ok(Self { means, deviations })
    }

    /// Standardises the rows of `table`.
    ///
    /// # Errors
    ///
    /// If a value is missing, or the table has another number of columns.
    pub fn apply(&self, table: &Table) -> Result<Table, BaselineError> {
        table.check_complete()?;
        if table.columns != self.means.len() {
            return Err(BaselineError::Width {
                found: table.columns,
                expected: self.means.len(),
            });
        }
        let scaled = table.values.iter().enumerate().map(|(at, value)| {
            let column = at % table.columns;
            (value - self.means[column]) / self.deviations[column]
        });
        Ok(Table {
            values: scaled.collect(),
            columns: table.columns,
        })
    }
}

fn column_means(table: &Table, of: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; table.columns];
    for row in table.values.chunks_exact(table.columns.max(1)) {
        for (column, (sum, &value)) in sums.iter_mut().zip(row).enumerate() {
            *sum += of(column, value);
        }
    }
    let rows = table.rows() as f64;
    for sum in &mut sums {
        *sum /= rows;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_no_numbers_are_named_by_row_and_column() {
        let error = Table::new(vec![0.0, 1.0, 2.0, f64::INFINITY], 2).unwrap_err();
        assert_eq!(
            error,
            BaselineError::NotFinite {
                row: 1,
                column: 1,
                value: f64::INFINITY
            }
        );
        let holes = Table::new(vec![0.0, 1.0, f64::NAN, 3.0], 2).unwrap();
        let error = Standardizer::fit(&holes).unwrap_err().to_string();
        assert!(error.contains("row 1, column 0 is NaN"), "{error}");
    }

    #[test]
    fn a_short_row_and_another_width_are_refused() {
        assert!(Table::new(vec![0.0; 5], 2).is_err());
        assert!(Table::new(vec![0.0], 0).is_err());
        let scale = Standardizer::fit(&Table::new(vec![0.0, 1.0], 1).unwrap()).unwrap();
        let error = scale.apply(&Table::new(vec![0.0, 1.0], 2).unwrap());
        assert_eq!(
            error,
            Err(BaselineError::Width {
                found: 2,
                expected: 1
            })
        );
        let none = Table::new(Vec::new(), 3).unwrap();
        assert_eq!(Standardizer::fit(&none), Err(BaselineError::NoRows));
    }

    #[test]
    fn standardised_columns_have_mean_0_and_deviation_1() {
        let values = (0..60).map(|at| f64::from(at * at % 17) + f64::from(at % 3) * 1e6);
        let table = Table::new(values.collect(), 3).unwrap();
        let scaled = Standardizer::fit(&table).unwrap().apply(&table).unwrap();
        let means = column_means(&scaled, |_, value| value);
        let variances = column_means(&scaled, |_, value| value * value);
        for (mean, variance) in means.iter().zip(variances) {
            assert!(mean.abs() < 1e-9 && (variance - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn selected_rows_come_in_the_order_asked_for() {
        let table = Table::new(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 2).unwrap();
        assert_eq!(table.select(&[2, 0]).values(), [4.0, 5.0, 0.0, 1.0]);
    }
}
