//! Inputs of the classical methods: unscaled numbers, or scaled in their own way.

use serde::{Deserialize, Serialize};
use tinderbox_baselines::{BaselineError, SparseRows, Table as Numbers};
use tinderbox_datasets::table::{Table, TableError};
use tinderbox_predict::tabular::{Encoded, Encoder, NumericScaling, Scale};

/// The unscaled numbers and the codes of rows.
pub(crate) struct UnscaledRows {
    /// `[rows, n_numeric]`, NaN where a cell is missing.
    numbers: Vec<f64>,
    n_numeric: usize,
    /// `[rows, n_codes]`
    codes: Vec<i32>,
    cardinalities: Vec<usize>,
    columns: Vec<TreeColumn>,
}

/// An input of trees.
#[derive(Clone, Copy)]
pub(crate) enum TreeColumn {
    Number(usize),
    Code(usize),
}

/// The inputs of trees: the codes of a number only repeat it.
pub(crate) fn tree_columns(encoder: &Encoder) -> Vec<TreeColumn> {
    let mut columns = Vec::new();
    for (column, own_codes) in encoder.columns().into_iter().zip(encoder.has_own_codes()) {
        columns.extend(column.numeric.map(TreeColumn::Number));
        if own_codes {
            columns.extend(column.codes.map(TreeColumn::Code));
        }
    }
    columns
}

impl UnscaledRows {
    /// Reads the numbers of all rows of a table, whose codes are in `encoded`.
    pub(crate) fn new(
        encoder: &Encoder,
        table: &Table,
        encoded: &Encoded,
    ) -> Result<Self, TableError> {
        Ok(Self {
            numbers: encoder.unscaled(table)?,
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

    /// Some rows for trees: unscaled numbers, and the codes of categories, from frequent to rare.
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

/// The inputs of a linear method: scaled numbers, the median for a missing one, and one-hot codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinearInputs {
    numbers: Vec<LinearNumber>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct LinearNumber {
    /// Replaces a missing number.
    fill: f64,
    scale: Scale,
}

impl LinearInputs {
    /// Fits the scales on some rows.
    pub(crate) fn fit(unscaled: &UnscaledRows, rows: &[usize], scaling: NumericScaling) -> Self {
        let number = |column: usize| {
            let numbers = rows.iter().map(|&row| unscaled.numbers(row)[column]);
            let mut known: Vec<f64> = numbers.filter(|number| !number.is_nan()).collect();
            known.sort_unstable_by(f64::total_cmp);
            let fill = known.get(known.len() / 2).copied().unwrap_or(0.0);
            let standard = Scale::standard(&known);
            let scale = match scaling {
                NumericScaling::Standard if standard.is_finite() => standard,
                _ => Scale::quantile(&known),
            };
            LinearNumber { fill, scale }
        };
        Self {
            numbers: (0..unscaled.n_numeric).map(number).collect(),
        }
    }

    /// Number of inputs for the rows of `encoder`, if it fits.
    pub(crate) fn width(&self, encoder: &Encoder) -> Option<usize> {
        let codes: usize = encoder.cardinalities().iter().sum();
        (self.numbers.len() == encoder.n_numeric()).then_some(self.numbers.len() + codes)
    }

    /// The inputs of some rows.
    pub(crate) fn apply(
        &self,
        unscaled: &UnscaledRows,
        rows: &[usize],
    ) -> Result<SparseRows, BaselineError> {
        let mut width = self.numbers.len();
        let mut starts = Vec::new();
        for &count in &unscaled.cardinalities {
            starts.push(width);
            width += count;
        }
        let mut sparse = SparseRows::new(width);
        for &row in rows {
            let numbers = self.numbers.iter().zip(unscaled.numbers(row)).enumerate();
            let numbers = numbers.map(|(column, (own, &cell))| {
                let known = if cell.is_nan() { own.fill } else { cell };
                (column, f64::from(own.scale.apply(known)))
            });
            let codes = unscaled.row_codes(row).iter().zip(&starts);
            let codes = codes.map(|(&code, &start)| (start + code as usize, 1.0));
            sparse.push(numbers.chain(codes))?;
        }
        Ok(sparse)
    }
}
