//! The test rows that the model is most wrong about, with the cells that led to it.

use burn::tensor::Device;
use tinderbox_predict::tabular::Predictor;
use tinderbox_train::format::{number, percent};
use tinderbox_train::metrics::{Evaluation, Predictions};
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::section::{Bar, Body};
use tinderbox_train::{Section, TaskError};

use super::explain::{attribution_section, explain_row};
use crate::tabular::Tabular;

/// Rows that are stored.
const ROWS: usize = 4;

/// Bars of a row.
const BARS: usize = 8;

/// Samples for a row, and rows that they are from.
const SAMPLES: usize = 60;
const BACKGROUND: usize = 200;

/// Columns above which a row has no explanation: each takes a prediction.
const MAX_COLUMNS: usize = 300;

/// The most confident mistakes, or the largest errors of numbers, of the model of a run.
///
/// # Errors
///
/// If the model cannot be used, or the device fails.
pub(in crate::tabular) fn mistakes(
    task: &Tabular,
    run: &RunDir,
    evaluation: &Evaluation,
    device: &Device,
) -> Result<Vec<Section>, TaskError> {
    let wrong = wrong(evaluation, task.dataset().target.labels());
    let model = Predictor::load(&run.model_dir(), device)?;
    if wrong.is_empty() || model.encoder().names().count() > MAX_COLUMNS {
        return Ok(Vec::new());
    }
    let test = &task.splits().test;
    let table = task.dataset().table.take(test);
    let some: Vec<usize> = (0..test.len().min(BACKGROUND)).collect();
    let background = table.take(&some);
    let seed = task.recipe.train.seed;
    let sections = wrong.into_iter().take(ROWS).map(|(item, text)| {
        let effects = explain_row(&model, &table, item, &background, SAMPLES, seed)?;
        // Rows of a file are counted from 1.
        let section = attribution_section(&model, test[item] + 1, &effects);
        let bars = match section.body {
            Body::Bars { bars } => first(bars),
            _ => Vec::new(),
        };
        Ok(Section::bars(
            format!("Mistake: {text}. {}", section.title),
            bars,
        ))
    });
    sections.collect()
}

/// The largest effects.
fn first(mut bars: Vec<Bar>) -> Vec<Bar> {
    bars.truncate(BARS);
    bars
}

/// Test items that are predicted worst, with what was predicted.
fn wrong(evaluation: &Evaluation, labels: &[String]) -> Vec<(usize, String)> {
    if let Evaluation::Numbers { predicted, actual } = evaluation {
        let mut errors: Vec<(usize, f64)> = predicted
            .iter()
            .zip(actual)
            .map(|(predicted, actual)| (predicted - actual).abs())
            .enumerate()
            .collect();
        errors.sort_by(|a, b| b.1.total_cmp(&a.1));
        errors.truncate(ROWS);
        let text = |at: usize| {
            format!(
                "predicted {}, actual {}",
                number(predicted[at]),
                number(actual[at])
            )
        };
        return errors.into_iter().map(|(at, _)| (at, text(at))).collect();
    }
    let mistakes = evaluation.predictions().map(Predictions::mistakes);
    let mistakes = mistakes.into_iter().flatten().take(ROWS);
    mistakes
        .map(|one| {
            let text = format!(
                "predicted {} with {}, true class {}",
                labels[one.predicted],
                percent(f64::from(one.probability)),
                labels[one.actual]
            );
            (one.item, text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_rows_come_first() {
        let numbers = Evaluation::Numbers {
            predicted: vec![1.0, 5.0, 2.0],
            actual: vec![1.5, 2.0, 2.0],
        };
        let found = wrong(&numbers, &[]);
        assert_eq!(found[0], (1, "predicted 5.000, actual 2.000".to_owned()));
        let mut predictions = Predictions::default();
        predictions.extend(2, &[0.6, 0.4, 0.1, 0.9, 0.2, 0.8], [1, 0, 1]);
        let labels = ["no", "yes"].map(str::to_owned);
        let found = wrong(&Evaluation::Binary(predictions), &labels);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0],
            (1, "predicted yes with 90.0%, true class no".to_owned())
        );
    }
}
