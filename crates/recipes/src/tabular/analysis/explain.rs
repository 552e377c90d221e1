//! Explanations: the importance of all features, or the attribution of one prediction to its cells.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;
use tinderbox_datasets::random::{below, permutation};
use tinderbox_datasets::table::Table;
use tinderbox_predict::PredictError;
use tinderbox_predict::decision::argmax;
use tinderbox_predict::tabular::{Encoded, Predictor, Target};
use tinderbox_train::section::{Analysis, Bar};
use tinderbox_train::{Section, TaskError};

use super::feature_importance::{ImportanceOptions, feature_importance, importance_section};
use crate::tabular::error::table_error;
use crate::tabular::random::Purpose;

/// Permutations of each column by default.
const REPEATS: usize = 5;

/// Samples for a row by default.
const SAMPLES: usize = 200;

/// The effect of a cell on the prediction for its row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribution {
    /// The column.
    pub column: String,
    /// The cell.
    pub cell: String,
    /// The effect, in probability of the class or in the target's unit.
    pub effect: f64,
}

/// The prediction or model to explain.
pub struct ExplainRequest<'a> {
    /// File with the feature columns, and with the target unless `row` is given.
    pub data: &'a Path,
    /// Row of the file, from 1, whose prediction is explained; `None` for the importance of all
    /// features.
    pub row: Option<usize>,
    /// Permutations of each column, or samples for a row.
    pub repeats: Option<usize>,
    /// Random seed.
    pub seed: u64,
}

/// Explains a model or one of its predictions; `progress` is called with the number of columns done
/// and in all.
///
/// # Errors
///
/// If the file cannot be read or has no such row, or the device fails.
pub fn explain(
    model: &Predictor,
    request: &ExplainRequest<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Analysis, TaskError> {
    let (data, seed) = (request.data, request.seed);
    let options = model.spec().file_format.options()?;
    let table = model.read_with(data, request.row.is_none(), &options);
    let table = table.map_err(TaskError::user)?;
    let Some(row) = request.row else {
        let mut options = ImportanceOptions {
            repeats: request.repeats.unwrap_or(REPEATS),
            seed,
            limit: None,
            progress,
        };
        let importances = feature_importance(model, &table, &mut options)?;
        return Ok(Analysis {
            sections: vec![importance_section(model, &importances)],
            lines: vec![json!({ "importance": importances })],
            notes: Vec::new(),
        });
    };
    let index = row.checked_sub(1).filter(|&index| index < table.rows());
    let index = index.ok_or_else(|| {
        let rows = table.rows();
        TaskError::user(format!(
            "there is no row {row}: `{}` has {rows} rows",
            data.display()
        ))
    })?;
    let samples = request.repeats.unwrap_or(SAMPLES);
    let effects = explain_row(model, &table, index, &table, samples, seed)?;
    Ok(Analysis {
        sections: vec![attribution_section(model, row, &effects)],
        lines: vec![json!({ "row": row, "effects": effects })],
        notes: Vec::new(),
    })
}

/// The effect of each cell of a row: all effects add up to the difference between the prediction for
/// this row and the mean prediction for the background rows. The largest effect comes first.
///
/// Shapley values by sampling: Štrumbelj and Kononenko, *Explaining prediction models and
/// individual predictions with feature contributions*, 2014,
/// <https://doi.org/10.1007/s10115-013-0679-x>.
///
/// # Errors
///
/// If the tables lack a column, or the device fails.
///
/// # Panics
///
/// If there is no such row.
pub fn explain_row(
    model: &Predictor,
    table: &Table,
    row: usize,
    background: &Table,
    samples: usize,
    seed: u64,
) -> Result<Vec<Attribution>, TaskError> {
    let own = model.encode(&table.take(&[row]))?;
    let others = model.encode(background)?;
    let columns = model.encoder().columns();
    let samples = samples.max(1);
    // Walks from a background row to this one, column by column in a random order.
    let walks: Vec<(Vec<usize>, Encoded)> = (0..samples as u64)
        .into_par_iter()
        .map(|sample| {
            let mut stream = Purpose::BackgroundRow.stream(seed, &[sample]);
            let from = below(&mut stream, others.rows);
            let mut stream = Purpose::ColumnOrder.stream(seed, &[sample]);
            let order = permutation(columns.len(), &mut stream);
            let mut walk = others.take(&vec![from; columns.len() + 1]);
            for (step, &column) in order.iter().enumerate() {
                for later in step + 1..=columns.len() {
                    walk.copy_column(later, &own, 0, &columns[column]);
                }
            }
            (order, walk)
        })
        .collect();
    let class = explained_class(model, &own)?;
    let mut effects = vec![0.0; columns.len()];
    for (order, walk) in &walks {
        let outputs = outputs(model, walk, class)?;
        for (step, &column) in order.iter().enumerate() {
            effects[column] += (outputs[step + 1] - outputs[step]) / samples as f64;
        }
    }
    let attributions = columns.into_iter().zip(effects).map(|(column, effect)| {
        let cells = table.column(&column.name).map_err(table_error)?;
        Ok(Attribution {
            cell: cells.text(row).into_owned(),
            column: column.name,
            effect,
        })
    });
    let mut attributions = attributions.collect::<Result<Vec<_>, TaskError>>()?;
    attributions.sort_by(|left, right| right.effect.abs().total_cmp(&left.effect.abs()));
    Ok(attributions)
}

/// The second of two classes, or the predicted class of a row.
fn explained_class(model: &Predictor, row: &Encoded) -> Result<usize, PredictError> {
    Ok(match model.target() {
        Target::Number { .. } => 0,
        Target::Classes { labels } if labels.len() == 2 => 1,
        Target::Classes { .. } => argmax(&model.ensemble().predict(row, model.device())?),
    })
}

fn outputs(model: &Predictor, rows: &Encoded, class: usize) -> Result<Vec<f64>, PredictError> {
    let outputs = model.outputs(rows)?;
    let width = model.target().d_output();
    Ok(outputs.chunks_exact(width).map(|row| row[class]).collect())
}

/// The effects as bars; `row` is counted from 1.
pub(super) fn attribution_section(
    model: &Predictor,
    row: usize,
    attributions: &[Attribution],
) -> Section {
    let digits = match model.target() {
        Target::Number { .. } => 1,
        Target::Classes { .. } => 4,
    };
    let bar = |attribution: &Attribution| Bar {
        name: format!("{} = {}", attribution.column, attribution.cell),
        value: attribution.effect,
        note: format!("{:+.digits$}", attribution.effect),
    };
    let output = match model.target() {
        Target::Number { .. } => format!("`{}`", model.spec().target_column),
        Target::Classes { labels } if labels.len() == 2 => {
            format!("the probability of `{}`", labels[1])
        }
        Target::Classes { .. } => "the probability of the predicted class".to_owned(),
    };
    let title = format!("Feature attributions for row {row} (change in {output} from its mean)");
    Section::bars(title, attributions.iter().map(bar).collect())
}
