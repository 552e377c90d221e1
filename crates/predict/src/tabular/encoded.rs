//! Rows of a table as a network takes them.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_models::tabular::TabularInputs;

/// The numbers and codes of a column in an encoded row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedColumn {
    /// Name of the column.
    pub name: String,
    /// Positions of its numbers.
    pub numeric: Range<usize>,
    /// Positions of its codes.
    pub codes: Range<usize>,
}

/// Encoded rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoded {
    /// Number of rows.
    pub rows: usize,
    /// Numbers in a row.
    pub n_numeric: usize,
    /// Codes in a row.
    pub n_codes: usize,
    /// `[rows, n_numeric]`
    pub numeric: Vec<f32>,
    /// `[rows, n_codes]`
    pub codes: Vec<i32>,
}

impl Encoded {
    /// Some of the rows, in the order of `rows`.
    pub fn take(&self, rows: &[usize]) -> Self {
        let numeric = rows.iter().flat_map(|&row| self.numbers(row)).copied();
        let codes = rows.iter().flat_map(|&row| self.row_codes(row)).copied();
        Self {
            rows: rows.len(),
            numeric: numeric.collect(),
            codes: codes.collect(),
            ..*self
        }
    }

    /// The numbers of a row.
    pub fn numbers(&self, row: usize) -> &[f32] {
        &self.numeric[row * self.n_numeric..][..self.n_numeric]
    }

    /// The codes of a row.
    pub fn row_codes(&self, row: usize) -> &[i32] {
        &self.codes[row * self.n_codes..][..self.n_codes]
    }

    /// Codes that no row has, `[column, code]` each, of columns with so many values.
    pub fn unused_codes(&self, cardinalities: &[usize]) -> Vec<[usize; 2]> {
        let mut unused = Vec::new();
        for (column, &cardinality) in cardinalities.iter().enumerate() {
            let mut used = vec![false; cardinality];
            for row in 0..self.rows {
                used[self.row_codes(row)[column] as usize] = true;
            }
            let codes = (0..cardinality).filter(|&code| !used[code]);
            unused.extend(codes.map(|code| [column, code]));
        }
        unused
    }

    /// Replaces a column of `row` by that of row `from` of `other`.
    pub fn copy_column(&mut self, row: usize, other: &Self, from: usize, column: &EncodedColumn) {
        let numbers = &other.numbers(from)[column.numeric.clone()];
        self.numeric[row * self.n_numeric..][column.numeric.clone()].copy_from_slice(numbers);
        let codes = &other.row_codes(from)[column.codes.clone()];
        self.codes[row * self.n_codes..][column.codes.clone()].copy_from_slice(codes);
    }

    /// The rows on a device.
    pub fn into_tensors(self, device: &Device) -> TabularInputs {
        let Self {
            rows,
            n_numeric,
            n_codes,
            numeric,
            codes,
        } = self;
        let numeric = (n_numeric > 0)
            .then(|| Tensor::from_data(TensorData::new(numeric, [rows, n_numeric]), device));
        let codes = (n_codes > 0)
            .then(|| Tensor::from_data(TensorData::new(codes, [rows, n_codes]), device));
        TabularInputs::new(numeric, codes)
    }
}
