//! The attribution of one prediction to the cells of its row.

use rayon::prelude::*;
use serde::Serialize;
use tinderbox_datasets::random::{below, permutation};
use tinderbox_datasets::table::Table;
use tinderbox_predict::PredictError;
use tinderbox_predict::decision::argmax;
use tinderbox_predict::tabular::{Encoded, Predictor, Target};
use tinderbox_train::section::Bar;
use tinderbox_train::{Section, TaskError};

use crate::tabular::error::table_error;
use crate::tabular::random::Purpose;

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
pub fn attribution_section(model: &Predictor, row: usize, attributions: &[Attribution]) -> Section {
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
