//! Rows that are mostly zero, such as one-hot categories and the terms of a text.

use crate::{BaselineError, Table};

/// Rows of which only the values other than zero are stored.
///
/// A value takes 8 bytes, in single precision. One-hot categories cost one value a row, however
/// many categories there are.
///
/// ```
/// use tinderbox_baselines::{SparseRows, Table};
///
/// // A standardized number, followed by a category of five as one-hot.
/// let numbers = SparseRows::from_table(&Table::new(vec![0.5, -0.5], 1)?)?;
/// let mut categories = SparseRows::new(5);
/// categories.push([(3, 1.0)])?;
/// categories.push([(0, 1.0)])?;
/// let rows = numbers.hstack(&categories)?;
/// assert_eq!(rows.row(0).collect::<Vec<_>>(), [(0, 0.5), (4, 1.0)]);
/// assert_eq!(rows.width(), 6);
/// # Ok::<(), tinderbox_baselines::BaselineError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SparseRows {
    /// Where each row starts, and where the last one ends.
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
    width: usize,
}

impl SparseRows {
    /// No rows yet, of `width` columns.
    pub fn new(width: usize) -> Self {
        Self {
            starts: vec![0],
            columns: Vec::new(),
            values: Vec::new(),
            width,
        }
    }

    /// Takes over the values of `table` that are not zero.
    ///
    /// # Errors
    ///
    /// If a value is missing or does not fit single precision.
    pub fn from_table(table: &Table) -> Result<Self, BaselineError> {
        let mut rows = Self::new(table.columns());
        for row in 0..table.rows() {
            let values = table.row(row).iter().enumerate();
            rows.push(values.filter(|&(_, &v)| v != 0.0).map(|(c, &v)| (c, v)))?;
        }
        Ok(rows)
    }

    /// Appends a row, given as columns in ascending order with their values.
    ///
    /// # Errors
    ///
    /// If a value is not a finite number in single precision; the row is then not appended.
    ///
    /// # Panics
    ///
    /// If the columns do not ascend or lie outside the width.
    pub fn push(
        &mut self,
        entries: impl IntoIterator<Item = (usize, f64)>,
    ) -> Result<(), BaselineError> {
        let start = self.columns.len();
        let mut next = 0;
        for (column, value) in entries {
            assert!(
                (next..self.width).contains(&column),
                "column {column} of a sparse row is out of order or outside {} columns",
                self.width
            );
            next = column + 1;
            if !(value as f32).is_finite() {
                self.columns.truncate(start);
                self.values.truncate(start);
                let row = self.len();
                return Err(BaselineError::NotFinite { row, column, value });
            }
            self.columns.push(column as u32);
            self.values.push(value as f32);
        }
        self.starts.push(self.columns.len());
        Ok(())
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of values that are stored.
    pub fn stored(&self) -> usize {
        self.values.len()
    }

    /// The stored values of a row with their columns, in ascending order.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn row(&self, row: usize) -> impl ExactSizeIterator<Item = (usize, f64)> + '_ {
        let range = self.starts[row]..self.starts[row + 1];
        let columns = &self.columns[range.clone()];
        columns
            .iter()
            .zip(&self.values[range])
            .map(|(&column, &value)| (column as usize, f64::from(value)))
    }

    /// Copies `rows` in the order given, as the part of a split.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut selected = Self::new(self.width);
        for &row in rows {
            selected.append(self, row, 0);
            selected.starts.push(selected.columns.len());
        }
        selected
    }

    /// Appends the columns of `right` to these rows.
    ///
    /// # Errors
    ///
    /// If there are not as many.
    pub fn hstack(&self, right: &Self) -> Result<Self, BaselineError> {
        if self.len() != right.len() {
            return Err(BaselineError::Count {
                rows: self.len(),
                targets: right.len(),
            });
        }
        let mut both = Self::new(self.width + right.width);
        for row in 0..self.len() {
            both.append(self, row, 0);
            both.append(right, row, self.width as u32);
            both.starts.push(both.columns.len());
        }
        Ok(both)
    }

    fn append(&mut self, other: &Self, row: usize, offset: u32) {
        let range = other.starts[row]..other.starts[row + 1];
        let columns = other.columns[range.clone()].iter();
        self.columns.extend(columns.map(|column| column + offset));
        self.values.extend_from_slice(&other.values[range]);
    }

    /// Checks that these rows are as wide as those that a method was fitted on.
    pub(crate) fn check_width(&self, expected: usize) -> Result<(), BaselineError> {
        if self.width == expected {
            Ok(())
        } else {
            Err(BaselineError::Width {
                found: self.width,
                expected,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new(vec![0.0, 1.0, 0.0, 2.0, 0.0, -3.0, 0.0, 0.0, 0.0], 3).unwrap()
    }

    #[test]
    fn zeros_of_a_table_are_not_stored() {
        let rows = SparseRows::from_table(&table()).unwrap();
        assert_eq!((rows.len(), rows.width(), rows.stored()), (3, 3, 3));
        assert_eq!(rows.row(1).collect::<Vec<_>>(), [(0, 2.0), (2, -3.0)]);
        assert_eq!(rows.row(2).len(), 0);
    }

    #[test]
    fn selected_rows_come_in_the_order_asked_for() {
        let rows = SparseRows::from_table(&table()).unwrap();
        let selected = rows.select(&[1, 1, 0]);
        assert_eq!(selected.len(), 3);
        assert_eq!(selected.row(0).collect::<Vec<_>>(), [(0, 2.0), (2, -3.0)]);
        assert_eq!(selected.row(2).collect::<Vec<_>>(), [(1, 1.0)]);
    }

    #[test]
    fn rows_stand_beside_rows_only_if_as_many() {
        let rows = SparseRows::from_table(&table()).unwrap();
        let both = rows.hstack(&rows).unwrap();
        let expected = [(0, 2.0), (2, -3.0), (3, 2.0), (5, -3.0)];
        assert_eq!(both.row(1).collect::<Vec<_>>(), expected);
        assert!(rows.hstack(&rows.select(&[0])).is_err());
    }

    #[test]
    fn a_row_with_a_bad_value_is_named_and_not_appended() {
        let mut rows = SparseRows::new(4);
        rows.push([(0, 1.0)]).unwrap();
        let error = rows.push([(1, 1.0), (3, 1e300)]).unwrap_err();
        assert_eq!(
            error,
            BaselineError::NotFinite {
                row: 1,
                column: 3,
                value: 1e300
            }
        );
        rows.push([(2, 5.0)]).unwrap();
        assert_eq!(rows.row(1).collect::<Vec<_>>(), [(2, 5.0)]);
    }

    #[test]
    #[should_panic(expected = "out of order")]
    fn columns_that_do_not_ascend_are_a_mistake() {
        let _ = SparseRows::new(4).push([(2, 1.0), (2, 1.0)]);
    }
}
