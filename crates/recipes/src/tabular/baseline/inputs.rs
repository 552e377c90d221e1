//! Rows as classical methods take them: on no scale, or on one of their own.

use serde::{Deserialize, Serialize};
use tinderbox_baselines::{BaselineError, SparseRows, Table as Numbers};
use tinderbox_datasets::table::{Table, TableError};

use super::encoder::{Encoded, Encoder};
use super::recipe::NumericScale;
use super::scale::Scale;

/// The numbers of rows as they are, beside their codes.
pub(crate) struct PlainRows {
    /// `[rows, n_numeric]`, NaN where a cell is missing.
    numbers: Vec<f64>,
    n_numeric: usize,
    /// `[rows, n_codes]`
    codes: Vec<i32>,
    cardinalities: Vec<usize>,
    columns: Vec<TreeColumn>,
}

/// A column of what trees take.
#[derive(Clone, Copy)]
pub(crate) enum TreeColumn {
    Number(usize),
    Code(usize),
}

/// What trees take of an encoder's rows: the codes of a number only repeat it.
pub(crate) fn tree_columns(encoder: &Encoder) -> Vec<TreeColumn> {
    let mut columns = Vec::new();
    for (place, own_codes) in encoder.places().into_iter().zip(encoder.has_own_codes()) {
        columns.extend(place.numeric.map(TreeColumn::Number));
        if own_codes {
            columns.extend(place.codes.map(TreeColumn::Code));
        }
    }
    columns
}

impl PlainRows {
    /// Reads the numbers of all rows of a table, whose codes are known.
    pub(crate) fn new(
        encoder: &Encoder,
        table: &Table,
        encoded: &Encoded,
    ) -> Result<Self, TableError> {
        Ok(Self {
            numbers: encoder.plain(table)?,
            n_numeric: encoded.n_numeric,
            codes: encoded.codes.clone(),
            cardinalities: encoder.cardinalities(),
            columns: tree_columns(encoder),
        })
    }

    /// Whether there is a column of numbers.
    pub(crate) fn has_numbers(&self) -> bool {
        self.n_numeric > 0
    }

    fn numbers(&self, row: usize) -> &[f64] {
        &self.numbers[row * self.n_numeric..][..self.n_numeric]
    }

    fn row_codes(&self, row: usize) -> &[i32] {
        &self.codes[row * self.cardinalities.len()..][..self.cardinalities.len()]
    }

    /// Some rows for trees: numbers as they are, categories by their codes, which go from frequent
    /// to rare.
    pub(crate) fn table(&self, rows: &[usize]) -> Result<Numbers, BaselineError> {
        let cell = |row: usize, column: TreeColumn| match column {
            TreeColumn::Number(at) => self.numbers(row)[at],
            TreeColumn::Code(at) => match self.row_codes(row)[at] {
                0 => f64::NAN,
                code => f64::from(code),
            },
        };
        let cells = rows
            .iter()
            .flat_map(|&row| self.columns.iter().map(move |&column| cell(row, column)));
        Numbers::new(cells.collect(), self.columns.len())
    }
}

/// How a linear method's inputs are made: numbers on one scale with the median where one is
/// missing, and a one for each code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinearInputs {
    numbers: Vec<LinearNumber>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct LinearNumber {
    /// In the place of a missing number.
    fill: f64,
    scale: Scale,
}

impl LinearInputs {
    /// Measures the numbers of some rows.
    pub(crate) fn fit(plain: &PlainRows, rows: &[usize], scale: NumericScale) -> Self {
        let number = |column: usize| {
            let numbers = rows.iter().map(|&row| plain.numbers(row)[column]);
            let mut known: Vec<f64> = numbers.filter(|number| !number.is_nan()).collect();
            known.sort_unstable_by(f64::total_cmp);
            let fill = known.get(known.len() / 2).copied().unwrap_or(0.0);
            let standard = Scale::standard(&known);
            let scale = match scale {
                NumericScale::Standard if standard.is_finite() => standard,
                _ => Scale::quantile(&known),
            };
            LinearNumber { fill, scale }
        };
        Self {
            numbers: (0..plain.n_numeric).map(number).collect(),
        }
    }

    /// Columns that are made of `encoder`'s rows, if the inputs fit them.
    pub(crate) fn width(&self, encoder: &Encoder) -> Option<usize> {
        let codes: usize = encoder.cardinalities().iter().sum();
        (self.numbers.len() == encoder.n_numeric()).then_some(self.numbers.len() + codes)
    }

    /// Makes the inputs of some rows.
    pub(crate) fn apply(
        &self,
        plain: &PlainRows,
        rows: &[usize],
    ) -> Result<SparseRows, BaselineError> {
        let mut width = self.numbers.len();
        let mut starts = Vec::new();
        for &count in &plain.cardinalities {
            starts.push(width);
            width += count;
        }
        let mut sparse = SparseRows::new(width);
        for &row in rows {
            let numbers = self.numbers.iter().zip(plain.numbers(row)).enumerate();
            let numbers = numbers.map(|(column, (own, &cell))| {
                let known = if cell.is_nan() { own.fill } else { cell };
                (column, f64::from(own.scale.apply(known)))
            });
            let codes = plain.row_codes(row).iter().zip(&starts);
            let codes = codes.map(|(&code, &start)| (start + code as usize, 1.0));
            sparse.push(numbers.chain(codes))?;
        }
        Ok(sparse)
    }
}
