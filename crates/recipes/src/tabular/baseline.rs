//! Classical methods on the same rows, so that the net's gain is seen and not claimed.

use std::time::Instant;

use tinderbox_baselines::{
    BaselineError, BoostingConfig, LogisticConfig, RidgeConfig, SparseRows, Table as Numbers,
};
use tinderbox_datasets::table::Table;

use super::answers::Answers;
use super::encoder::{Encoded, Encoder};
use super::error::TabularError;
use super::target::{Target, Truth};
use crate::run_dir::Baseline;

/// What a method is fitted on and measured on.
pub(crate) struct Rows<'a> {
    pub(crate) table: &'a Table,
    pub(crate) encoder: &'a Encoder,
    /// All rows of the table.
    pub(crate) encoded: &'a Encoded,
    pub(crate) truth: &'a Truth,
    pub(crate) target: &'a Target,
    /// Everything but the test: a method without early stopping needs no validation rows.
    pub(crate) fitted: Vec<usize>,
    pub(crate) test: &'a [usize],
}

/// A method's result with what it said of each test row.
#[derive(Clone, Debug, PartialEq)]
pub struct Classical {
    /// Its result.
    pub baseline: Baseline,
    /// What it said of the test rows.
    pub answers: Answers,
}

/// What a fitted method says of rows.
type Say<'a> = Box<dyn Fn(&Table, &Encoded, &[usize]) -> Result<Vec<f32>, TabularError> + 'a>;

impl Rows<'_> {
    /// A linear method and boosted trees, measured on the test rows.
    pub(crate) fn baselines(&self) -> Result<Vec<Classical>, TabularError> {
        let mut all = Vec::new();
        for fit in [Self::linear, Self::trees] {
            let started = Instant::now();
            let (method, say) = fit(self)?;
            let said = say(self.table, self.encoded, self.test)?;
            all.push(self.result(method, started, &said));
        }
        Ok(all)
    }

    /// What the same methods say of all rows of another table: the probability of the second class.
    pub(crate) fn elsewhere(
        &self,
        table: &Table,
        encoded: &Encoded,
    ) -> Result<Vec<(String, Vec<f32>)>, TabularError> {
        let rows: Vec<usize> = (0..table.rows()).collect();
        let mut all = Vec::new();
        for fit in [Self::linear, Self::trees] {
            let (method, say) = fit(self)?;
            let said = say(table, encoded, &rows)?;
            all.push((method.to_owned(), super::probabilities(&said)));
        }
        Ok(all)
    }

    fn linear(&self) -> Result<(&'static str, Say<'_>), TabularError> {
        let train = one_hot(self.encoder, self.encoded, &self.fitted)?;
        Ok(match (self.truth.take(&self.fitted), self.target) {
            (Truth::Classes(labels), Target::Classes { labels: names }) => {
                let model = LogisticConfig::default().fit(&train, &labels, names.len())?;
                let say: Say<'_> = Box::new(move |_, encoded, rows| {
                    Ok(model.predict(&one_hot(self.encoder, encoded, rows)?)?)
                });
                ("logistic regression", say)
            }
            (truth, _) => {
                let model = RidgeConfig::default().fit(&train, &self.scaled(&truth))?;
                let say: Say<'_> = Box::new(move |_, encoded, rows| {
                    let said = model.predict(&one_hot(self.encoder, encoded, rows)?)?;
                    Ok(said.into_iter().map(|value| value as f32).collect())
                });
                ("ridge regression", say)
            }
        })
    }

    fn trees(&self) -> Result<(&'static str, Say<'_>), TabularError> {
        let train = self.numbers(self.table, self.encoded, &self.fitted)?;
        let config = BoostingConfig::default();
        let model = match (self.truth.take(&self.fitted), self.target) {
            (Truth::Classes(labels), Target::Classes { labels: names }) => {
                config.fit_classes(&train, &labels, names.len())?
            }
            (truth, _) => config.fit_values(&train, &self.scaled(&truth))?,
        };
        let say: Say<'_> = Box::new(move |table, encoded, rows| {
            let said = model.predict(&self.numbers(table, encoded, rows)?)?;
            Ok(said.into_iter().map(|value| value as f32).collect())
        });
        Ok(("boosted trees", say))
    }

    fn scaled(&self, truth: &Truth) -> Vec<f64> {
        match truth {
            Truth::Numbers(values) => {
                let scale = |&value: &f64| f64::from(self.target.scaled(value));
                values.iter().map(scale).collect()
            }
            Truth::Classes(labels) => labels.iter().map(|&label| label as f64).collect(),
        }
    }

    fn result(&self, method: &str, started: Instant, said: &[f32]) -> Classical {
        let truth = self.truth.take(self.test);
        let answers = Answers::new(said, |score| self.target.unscaled(score), &truth);
        Classical {
            baseline: Baseline {
                method: method.to_owned(),
                samples: self.fitted.len(),
                wall_s: started.elapsed().as_secs_f64(),
                test: answers.metrics(None),
            },
            answers,
        }
    }

    /// Numbers as they are and words by their codes; nothing where a cell is missing.
    fn numbers(
        &self,
        table: &Table,
        encoded: &Encoded,
        rows: &[usize],
    ) -> Result<Numbers, TabularError> {
        let mut columns = Vec::new();
        for place in self.encoder.places() {
            let column = table.column(&place.name)?;
            columns.push(move |row: usize| {
                if !place.numeric.is_empty() {
                    return column.number(row);
                }
                match encoded.row_codes(row)[place.codes.start] {
                    0 => f64::NAN,
                    code => f64::from(code),
                }
            });
        }
        let cells = rows
            .iter()
            .flat_map(|&row| columns.iter().map(move |cell| cell(row)));
        Ok(Numbers::new(cells.collect(), columns.len())?)
    }
}

/// Scaled numbers, and a 1 for each code.
fn one_hot(
    encoder: &Encoder,
    encoded: &Encoded,
    rows: &[usize],
) -> Result<SparseRows, BaselineError> {
    let cardinalities = encoder.cardinalities();
    let starts: Vec<usize> = cardinalities
        .iter()
        .scan(encoded.n_numeric, |start, &count| {
            let own = *start;
            *start += count;
            Some(own)
        })
        .collect();
    let width = encoded.n_numeric + cardinalities.iter().sum::<usize>();
    let mut sparse = SparseRows::new(width);
    for &row in rows {
        let numbers = encoded.numbers(row).iter().enumerate();
        let numbers = numbers.map(|(column, &value)| (column, f64::from(value)));
        let codes = encoded.row_codes(row).iter().zip(&starts);
        let codes = codes.map(|(&code, &start)| (start + code as usize, 1.0));
        sparse.push(numbers.chain(codes))?;
    }
    Ok(sparse)
}
