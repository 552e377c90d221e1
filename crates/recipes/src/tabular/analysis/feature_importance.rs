//! Which columns a model goes by: over all rows, and for one.

use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::Serialize;
use tinderbox_datasets::random::{below, permutation, stream};
use tinderbox_datasets::table::Table;

use super::answers::{Answers, headline};
use super::encoder::Encoded;
use super::error::{DataError, TabularError};
use super::predict::Predictor;
use super::target::{Target, Truth};

/// Most rows that columns are shuffled over.
const MAX_ROWS: usize = 2_000;

/// Fewest rows that they are shuffled over for want of time.
const FEWEST_ROWS: usize = 200;

/// Words that keep the streams of one seed apart.
const SHUFFLE: u64 = 11;
const BACKGROUND: u64 = 12;
const ORDER: u64 = 13;

/// How much worse a model gets when it cannot go by a column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// The column.
    pub column: String,
    /// Mean loss in the task's metric when the column's cells are shuffled.
    pub mean: f64,
    /// Its standard deviation over the shuffles.
    pub deviation: f64,
}

/// How much a column's cell moves the prediction for one row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The column.
    pub column: String,
    /// The cell.
    pub cell: String,
    /// By how much: in probability of the class, or in the target's own unit.
    pub effect: f64,
}

/// How thoroughly columns are shuffled.
pub struct Effort<'a> {
    /// Shuffles of each column.
    pub repeats: usize,
    /// Seed of the shuffles.
    pub seed: u64,
    /// Time that it may take: with little of it, fewer rows are shuffled once. Where even that is
    /// too slow, columns are left out after twice the time.
    pub limit: Option<Duration>,
    /// Hears how many columns of how many are done.
    pub progress: &'a mut dyn FnMut(usize, usize),
}

impl Effort<'_> {
    /// Shuffles and rows that fit the limit, where one pass over `rows` rows took `pass`.
    fn fit(&self, columns: usize, rows: usize, pass: Duration) -> (usize, usize) {
        let repeats = self.repeats.max(1);
        let Some(limit) = self.limit else {
            return (repeats, rows);
        };
        let all = pass.as_secs_f64() * columns as f64;
        let passes = limit.as_secs_f64() / all.max(1e-9);
        let affordable = (passes.floor() as usize).clamp(1, repeats);
        let share = passes.min(1.0);
        let fewer = (rows as f64 * share) as usize;
        (affordable, fewer.clamp(FEWEST_ROWS.min(rows), rows))
    }
}

impl Predictor {
    /// How much worse the model gets, by the task's first metric, when the cells of a column are
    /// shuffled among rows; the most important column first.
    ///
    /// Reference: Fisher, Rudin and Dominici, *All models are wrong, but many are useful*, 2019,
    /// <https://jmlr.org/papers/v20/18-760.html>; Breiman, *Random forests*, 2001.
    /// Of a large table, rows spread over it are looked at.
    ///
    /// # Errors
    ///
    /// If the table lacks a column or the target, or the device fails.
    pub fn importance(
        &self,
        table: &Table,
        target: &str,
        effort: &mut Effort<'_>,
    ) -> Result<Vec<Importance>, TabularError> {
        let table = spread_over(table, MAX_ROWS);
        let column = |table: &Table| -> Result<Truth, TabularError> {
            let column = table.column(target).map_err(DataError::from)?;
            Ok(self.target().read_as(column, |row| table.line(row))?)
        };
        let (mut truth, mut encoded) = (column(&table)?, self.encode(&table)?);
        let started = Instant::now();
        let mut intact = self.score(&encoded, &truth)?;
        let places = self.encoder().places();
        let (repeats, rows) = effort.fit(places.len(), encoded.rows, started.elapsed());
        if rows < encoded.rows {
            let table = spread_over(&table, rows);
            (truth, encoded) = (column(&table)?, self.encode(&table)?);
            intact = self.score(&encoded, &truth)?;
        }
        let mut importances = Vec::new();
        for (index, place) in places.iter().enumerate() {
            let late = |limit| started.elapsed() > 2 * limit;
            if effort.limit.is_some_and(late) {
                break;
            }
            let mut losses = Vec::new();
            for repeat in 0..repeats {
                let words = [SHUFFLE, index as u64, repeat as u64];
                let order = permutation(encoded.rows, &mut stream(effort.seed, &words));
                let mut shuffled = encoded.clone();
                for (row, from) in order.into_iter().enumerate() {
                    shuffled.put(row, &encoded, from, place);
                }
                losses.push(intact - self.score(&shuffled, &truth)?);
            }
            let spread = tinderbox_train::metrics::Spread::of(&losses);
            importances.push(Importance {
                column: place.name.clone(),
                mean: spread.as_ref().map_or(0.0, |spread| spread.mean),
                deviation: spread.as_ref().map_or(0.0, |spread| spread.deviation),
            });
            (effort.progress)(index + 1, places.len());
        }
        importances.sort_by(|left, right| right.mean.total_cmp(&left.mean));
        Ok(importances)
    }

    /// The task's first metric, turned so that more is better.
    fn score(&self, rows: &Encoded, truth: &Truth) -> Result<f64, TabularError> {
        let answers = self.committee.answer(rows, truth, &self.device)?;
        Ok(goodness(&answers, self.target()))
    }

    /// How much each cell of a row moves the model from what it says of the background rows on
    /// average to what it says of this row: the effects add up to that difference. The largest
    /// comes first.
    ///
    /// Shapley values by sampling: Štrumbelj and Kononenko, *Explaining prediction models and
    /// individual predictions with feature contributions*, 2014,
    /// <https://doi.org/10.1007/s10115-013-0679-x>.
    ///
    /// # Errors
    ///
    /// If the tables lack a column, there is no such row, or the device fails.
    pub fn explain_row(
        &self,
        table: &Table,
        row: usize,
        background: &Table,
        samples: usize,
        seed: u64,
    ) -> Result<Vec<Share>, TabularError> {
        let own = self.encode(&table.take(&[row]))?;
        let others = self.encode(background)?;
        let places = self.encoder().places();
        let samples = samples.max(1);
        // Walks from another row to this one, column by column in an order by chance.
        let walks: Vec<(Vec<usize>, Encoded)> = (0..samples)
            .into_par_iter()
            .map(|sample| {
                let from = below(&mut stream(seed, &[BACKGROUND, sample as u64]), others.rows);
                let words = [ORDER, sample as u64];
                let order = permutation(places.len(), &mut stream(seed, &words));
                let mut walk = others.take(&vec![from; places.len() + 1]);
                for (step, &place) in order.iter().enumerate() {
                    for later in step + 1..=places.len() {
                        walk.put(later, &own, 0, &places[place]);
                    }
                }
                (order, walk)
            })
            .collect();
        let class = self.explained_class(&own)?;
        let mut effects = vec![0.0; places.len()];
        for (order, walk) in &walks {
            let said = self.outputs(walk, class)?;
            for (step, &place) in order.iter().enumerate() {
                effects[place] += (said[step + 1] - said[step]) / samples as f64;
            }
        }
        let shares = places.into_iter().zip(effects).map(|(place, effect)| {
            let column = table.column(&place.name)?;
            Ok(Share {
                cell: column.text(row).into_owned(),
                column: place.name,
                effect,
            })
        });
        let mut shares: Vec<Share> = shares.collect::<Result<_, DataError>>()?;
        shares.sort_by(|left, right| right.effect.abs().total_cmp(&left.effect.abs()));
        Ok(shares)
    }

    /// The second of two classes, or the one that a row is given.
    fn explained_class(&self, row: &Encoded) -> Result<usize, TabularError> {
        Ok(match self.target() {
            Target::Number { .. } => 0,
            Target::Classes { labels } if labels.len() == 2 => 1,
            Target::Classes { .. } => {
                let said = self.committee.predict(row, &self.device)?;
                tinderbox_predict::decision::argmax(&said)
            }
        })
    }

    fn outputs(&self, rows: &Encoded, class: usize) -> Result<Vec<f64>, TabularError> {
        let said = self.committee.predict(rows, &self.device)?;
        let target = self.target();
        let row = |row: &[f32]| match target {
            Target::Number { .. } => target.unscaled(row[0]),
            Target::Classes { .. } => f64::from(row[class]),
        };
        Ok(said.chunks_exact(target.d_output()).map(row).collect())
    }
}

/// Up to `most` rows of a table, spread over it.
fn spread_over(table: &Table, most: usize) -> Table {
    let every = table.rows().div_ceil(most.max(1)).max(1);
    let rows: Vec<usize> = (0..table.rows()).step_by(every).collect();
    table.take(&rows)
}

fn goodness(answers: &Answers, target: &Target) -> f64 {
    let (name, more) = headline(target);
    let metrics = answers.metrics();
    // One class alone has no auroc; the loss always is.
    let value = metrics.get(name).copied();
    match value {
        Some(value) if more => value,
        Some(value) => -value,
        None => -metrics.get("loss").copied().unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effort_fits_the_limit() {
        let fit = |limit: Option<u64>, columns: usize, pass: u64| {
            let effort = Effort {
                repeats: 3,
                seed: 0,
                limit: limit.map(Duration::from_secs),
                progress: &mut |_, _| {},
            };
            effort.fit(columns, 2_000, Duration::from_millis(pass))
        };
        for (found, expected) in [
            (fit(None, 1_000, 100), (3, 2_000)),
            (fit(Some(5), 10, 20), (3, 2_000)),
            // 400 columns at 10 ms take 4 s once.
            (fit(Some(5), 400, 10), (1, 2_000)),
            // 800 columns at 25 ms take 20 s: a quarter of the rows.
            (fit(Some(5), 800, 25), (1, 500)),
            (fit(Some(5), 10_000, 100), (1, 200)),
        ] {
            assert_eq!(found, expected);
        }
    }
}
