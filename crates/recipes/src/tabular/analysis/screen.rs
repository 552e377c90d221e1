//! The model against a rule-based screen, at equal recall.

use serde::Serialize;
use serde_json::{Value, json};
use tinderbox_train::Section;
use tinderbox_train::format::percent;
use tinderbox_train::metrics::{Evaluation, Ranking};

use crate::tabular::data::TableDataset;

/// A rule-based screen and the trained model on the test rows.
#[derive(Serialize)]
struct Screen {
    /// Share of the positives that the rules flag.
    recall: f64,
    /// Share of the rows that the rules flag.
    share: f64,
    /// Share of the rows that the model flags at the same recall.
    share_of_this_model: f64,
    /// Share of the alerts that the model saves.
    saved: f64,
}

/// The comparison, where the data has a rule-based screen.
pub(super) fn screen(
    methods: &[(&str, &Evaluation)],
    dataset: &TableDataset,
    test: &[usize],
) -> Option<(Section, Value)> {
    let (_, evaluation) = methods.first()?;
    let screen = Screen::new(evaluation, dataset.flagged.as_ref()?, test)?;
    let text = format!(
        "The rule-based screen flags {} of rows at {} recall; this model flags {} at the same recall \
         and saves {} of the alerts.",
        percent(screen.share),
        percent(screen.recall),
        percent(screen.share_of_this_model),
        percent(screen.saved)
    );
    Some((Section::text(text), json!(screen)))
}

impl Screen {
    fn new(evaluation: &Evaluation, flagged: &[bool], test: &[usize]) -> Option<Self> {
        let (scores, labels) = evaluation.binary()?;
        let hit = |(row, label): (&usize, &bool)| flagged[*row] && *label;
        let hits = test.iter().zip(&labels).filter(|&pair| hit(pair)).count() as f64;
        let alerts = test.iter().filter(|&&row| flagged[row]).count() as f64;
        let recall = hits / labels.iter().filter(|&&label| label).count().max(1) as f64;
        let own = Ranking::new(&scores, &labels).workload(recall)?.share;
        let share = alerts / test.len().max(1) as f64;
        Some(Self {
            recall,
            share,
            share_of_this_model: own,
            saved: 1.0 - own / share,
        })
    }
}

#[cfg(test)]
mod tests {
    use tinderbox_train::metrics::Predictions;

    use super::*;

    #[test]
    fn the_model_is_compared_at_the_recall_of_the_rules() {
        let mut predictions = Predictions::default();
        let positive = [0.9_f32, 0.8, 0.3, 0.2, 0.1, 0.05, 0.04, 0.03];
        let rows: Vec<f32> = positive.iter().flat_map(|p| [1.0 - p, *p]).collect();
        predictions.extend(2, &rows, [1, 1, 0, 0, 0, 0, 0, 0]);
        let flagged = [true, false, true, true, false, false, false, true];
        let test: Vec<usize> = (0..8).collect();
        let screen = Screen::new(&Evaluation::Binary(predictions), &flagged, &test).unwrap();
        assert!((screen.recall - 0.5).abs() < 1e-12);
        assert!((screen.share - 0.5).abs() < 1e-12);
        assert!((screen.share_of_this_model - 0.125).abs() < 1e-12);
        assert!((screen.saved - 0.75).abs() < 1e-12);
    }
}
