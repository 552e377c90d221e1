//! The predictions of classes as tables.

use super::{ClassScores, Evaluation};
use crate::section::Section;
use crate::task::Noun;

/// Most classes of a confusion matrix that is shown.
const MAX_CONFUSION: usize = 20;

impl Evaluation {
    /// The scores of each class, and the confusion matrix of up to twenty classes; nothing for
    /// predictions without classes.
    pub fn sections(&self, labels: &[String], item: Noun) -> Vec<Section> {
        let Some(predictions) = self.predictions() else {
            return Vec::new();
        };
        let mut sections = vec![per_class(labels, &predictions.per_class(), item)];
        if labels.len() <= MAX_CONFUSION {
            sections.push(confusion(labels, &predictions.confusion()));
        }
        sections
    }
}

fn per_class(labels: &[String], scores: &[ClassScores], item: Noun) -> Section {
    let head = ["class", "precision", "recall", "f1", item.1].map(str::to_owned);
    let rows = labels.iter().zip(scores).map(|(label, scores)| {
        let share = |value: f64| format!("{value:.4}");
        vec![
            label.clone(),
            share(scores.precision),
            share(scores.recall),
            share(scores.f1),
            scores.rows.to_string(),
        ]
    });
    let rows = std::iter::once(head.to_vec()).chain(rows).collect();
    Section::table("Scores of each class", rows)
}

fn confusion(labels: &[String], counts: &[Vec<usize>]) -> Section {
    let head = [vec![String::new()], labels.to_vec()].concat();
    let rows = labels.iter().zip(counts).map(|(label, counts)| {
        let counts = counts.iter().map(usize::to_string);
        std::iter::once(label.clone()).chain(counts).collect()
    });
    let rows = std::iter::once(head).chain(rows).collect();
    Section::table("Confusion matrix (rows: true, columns: predicted)", rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Predictions;
    use crate::section::Body;

    #[test]
    fn classes_have_their_scores_and_a_confusion_matrix() {
        let mut predictions = Predictions::default();
        predictions.extend(2, &[0.9, 0.1, 0.2, 0.8, 0.3, 0.7], [0, 1, 0]);
        let labels = ["no", "yes"].map(str::to_owned);
        let evaluation = Evaluation::Classes(predictions);
        let sections = evaluation.sections(&labels, Noun("row", "rows"));
        let rows = |at: usize| match &sections[at].body {
            Body::Table { rows } => rows.clone(),
            body => panic!("{body:?}"),
        };
        assert_eq!(rows(0)[0], ["class", "precision", "recall", "f1", "rows"]);
        assert_eq!(rows(0)[1], ["no", "1.0000", "0.5000", "0.6667", "2"]);
        assert_eq!(rows(1)[1], ["no", "1", "1"]);
        assert_eq!(rows(1)[2], ["yes", "0", "1"]);
        let numbers = Evaluation::Numbers {
            predicted: vec![1.0],
            actual: vec![2.0],
        };
        assert!(numbers.sections(&[], Noun("row", "rows")).is_empty());
    }
}
