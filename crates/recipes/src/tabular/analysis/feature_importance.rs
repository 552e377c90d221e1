//! Permutation importance: the loss in score when the cells of a column are shuffled.

use std::time::{Duration, Instant};

use serde::Serialize;
use tinderbox_datasets::random::permutation;
use tinderbox_datasets::table::Table;
use tinderbox_predict::PredictError;
use tinderbox_predict::tabular::{Encoded, Predictor};
use tinderbox_train::format::number;
use tinderbox_train::metrics::{Evaluation, Spread};
use tinderbox_train::section::Bar;
use tinderbox_train::{MonitorMode, Section, TaskError};

use crate::tabular::error::table_error;
use crate::tabular::random::Purpose;
use crate::tabular::targets::{Targets, headline, read_known_targets};

/// Most rows that columns are shuffled over.
const MAX_ROWS: usize = 2_000;

/// Fewest rows that they are shuffled over for lack of time.
const FEWEST_ROWS: usize = 200;

/// The importance of a feature column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureImportance {
    /// The column.
    pub column: String,
    /// Mean loss in the headline metric when the column's cells are shuffled.
    pub mean: f64,
    /// Its standard deviation over the repeats; 0 of a single one.
    pub deviation: f64,
}

/// How thoroughly columns are shuffled.
pub struct ImportanceOptions<'a> {
    /// Permutations of each column.
    pub repeats: usize,
    /// Seed of the permutations.
    pub seed: u64,
    /// Time limit: with little time, fewer rows are shuffled once. If even that is too slow, the
    /// remaining columns are left out after twice the time.
    pub limit: Option<Duration>,
    /// Called with the number of columns done and in all.
    pub progress: &'a mut dyn FnMut(usize, usize),
}

impl ImportanceOptions<'_> {
    /// Permutations and rows that fit the limit, where one pass over `rows` rows took `pass`.
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

/// The importance of each feature column by the headline metric, the most important first.
///
/// Reference: Fisher, Rudin and Dominici, *All models are wrong, but many are useful*, 2019,
/// <https://jmlr.org/papers/v20/18-760.html>; Breiman, *Random forests*, 2001.
/// Differs from it: of a large table, a sample of rows is shuffled.
///
/// # Errors
///
/// If the table lacks a column or the target, or the device fails.
pub fn feature_importance(
    model: &Predictor,
    table: &Table,
    options: &mut ImportanceOptions<'_>,
) -> Result<Vec<FeatureImportance>, TaskError> {
    let mut sample = Sample::new(model, spread_over(table, MAX_ROWS))?;
    let started = Instant::now();
    let mut intact = sample.score(&sample.encoded)?;
    let columns = model.encoder().columns();
    let (repeats, rows) = options.fit(columns.len(), sample.encoded.rows, started.elapsed());
    if rows < sample.encoded.rows {
        sample = Sample::new(model, spread_over(&sample.table, rows))?;
        intact = sample.score(&sample.encoded)?;
    }
    let mut importances = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let late = |limit| started.elapsed() > 2 * limit;
        if options.limit.is_some_and(late) {
            break;
        }
        let mut losses = Vec::new();
        for repeat in 0..repeats {
            let numbers = [index as u64, repeat as u64];
            let mut stream = Purpose::Permutation.stream(options.seed, &numbers);
            let order = permutation(sample.encoded.rows, &mut stream);
            let mut shuffled = sample.encoded.clone();
            for (row, from) in order.into_iter().enumerate() {
                shuffled.copy_column(row, &sample.encoded, from, column);
            }
            losses.push(intact - sample.score(&shuffled)?);
        }
        let spread = Spread::of(&losses);
        importances.push(FeatureImportance {
            column: column.name.clone(),
            mean: spread.as_ref().map_or(0.0, |spread| spread.mean),
            deviation: spread.as_ref().map_or(0.0, |spread| spread.deviation),
        });
        (options.progress)(index + 1, columns.len());
    }
    importances.sort_by(|left, right| right.mean.total_cmp(&left.mean));
    Ok(importances)
}

/// The rows that columns are shuffled over.
struct Sample<'a> {
    model: &'a Predictor,
    table: Table,
    encoded: Encoded,
    targets: Targets,
}

impl<'a> Sample<'a> {
    fn new(model: &'a Predictor, table: Table) -> Result<Self, TaskError> {
        let column = table.column(&model.spec().target_column);
        let column = column.map_err(table_error)?;
        let targets = read_known_targets(model.target(), column, |row| table.line(row))?;
        Ok(Self {
            model,
            encoded: model.encode(&table)?,
            table,
            targets,
        })
    }

    /// The headline metric with the sign that makes more better.
    fn score(&self, rows: &Encoded) -> Result<f64, PredictError> {
        let outputs = self.model.outputs(rows)?;
        Ok(score(&self.targets.clone().evaluation(&outputs)))
    }
}

impl FeatureImportance {
    /// The loss for people, with its deviation if there were several permutations.
    fn text(&self) -> String {
        if self.deviation > 0.0 {
            format!("{} ± {}", number(self.mean), number(self.deviation))
        } else {
            number(self.mean)
        }
    }
}

/// The importances as bars.
pub(super) fn importance_section(model: &Predictor, importances: &[FeatureImportance]) -> Section {
    let bar = |importance: &FeatureImportance| Bar {
        name: importance.column.clone(),
        value: importance.mean,
        note: importance.text(),
    };
    let (metric, _) = headline(model.target());
    let target = &model.spec().target_column;
    let title = format!("Permutation importance for `{target}` (loss in {metric})");
    Section::bars(title, importances.iter().map(bar).collect())
}

/// Up to `most` rows of a table, spread over it.
fn spread_over(table: &Table, most: usize) -> Table {
    let every = table.rows().div_ceil(most.max(1)).max(1);
    let rows: Vec<usize> = (0..table.rows()).step_by(every).collect();
    table.take(&rows)
}

fn score(evaluation: &Evaluation) -> f64 {
    let (name, mode) = evaluation.headline();
    let metrics = evaluation.metrics();
    // One class alone has no AUROC; the loss is always defined.
    match (metrics.get(name), mode) {
        (Some(value), MonitorMode::Max) => *value,
        (Some(value), MonitorMode::Min) => -value,
        (None, _) => -metrics.get("loss").copied().unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_permutation_has_no_deviation() {
        let mut importance = FeatureImportance {
            column: "rooms".to_owned(),
            mean: 52_217.4,
            deviation: 0.0,
        };
        assert_eq!(importance.text(), "52,217");
        importance.deviation = 12.5;
        assert_eq!(importance.text(), "52,217 ± 12.50");
    }

    #[test]
    fn the_work_fits_the_time_limit() {
        let fit = |limit: Option<u64>, columns: usize, pass: u64| {
            let options = ImportanceOptions {
                repeats: 3,
                seed: 0,
                limit: limit.map(Duration::from_secs),
                progress: &mut |_, _| {},
            };
            options.fit(columns, 2_000, Duration::from_millis(pass))
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
