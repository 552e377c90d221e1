//! The result in plain words.

use std::time::Duration;

use tinderbox_predict::tabular::{Predictor, Target};
use tinderbox_train::format::{percent, thousands};
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::task::BaselineReport;
use tinderbox_train::{Metrics, Section, TaskError};

use super::feature_importance::{
    FeatureImportance, ImportanceOptions, feature_importance, importance_section,
};
use crate::tabular::Tabular;

/// Number of features that are named.
const NAMED: usize = 5;

/// Number of features with a bar: a table may have thousands.
const BARS: usize = 10;

/// Permutations of each column.
const REPEATS: usize = 3;

/// Time limit of the ranking of the features.
const LIMIT: Duration = Duration::from_secs(4);

/// One sentence on the quality of the predictions for the test rows.
pub(in crate::tabular) fn overall(target: &Target, name: &str, evaluation: &Evaluation) -> Section {
    let rows = thousands(evaluation.len());
    let metrics = evaluation.metrics();
    let share = |name: &str| {
        let value = metrics.get(name);
        value.map_or("-".to_owned(), |value| percent(*value))
    };
    Section::text(match target {
        Target::Number { .. } => format!(
            "`{name}`: median absolute percentage error {} on {rows} test rows.",
            share("median_ape")
        ),
        Target::Classes { labels } if labels.len() == 2 => format!(
            "AUROC {}: the chance that a random `{}` test row gets a higher probability than a random \
             `{}` one ({rows} test rows).",
            share("auroc"),
            labels[1],
            labels[0]
        ),
        Target::Classes { .. } => format!("Accuracy {} on {rows} test rows.", share("accuracy")),
    })
}

impl Tabular {
    /// The most important features of the model of a run, in words and as bars.
    ///
    /// # Errors
    ///
    /// If the model cannot be read, or the device fails.
    pub fn rank_features(
        &self,
        run: &RunDir,
        device: &burn::tensor::Device,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Section>, TaskError> {
        let model = Predictor::load(&run.model_dir(), device)?;
        let table = self.dataset().table.take(&self.splits().test);
        let mut options = ImportanceOptions {
            repeats: REPEATS,
            seed: self.recipe.train.seed,
            limit: Some(LIMIT),
            progress,
        };
        let importances = feature_importance(&model, &table, &mut options)?;
        let columns = model.encoder().names().count();
        Ok(vec![
            Section::text(top_features(&importances, columns)),
            importance_section(&model, &importances[..importances.len().min(BARS)]),
        ])
    }
}

fn top_features(importances: &[FeatureImportance], columns: usize) -> String {
    let ranked = if importances.len() < columns {
        format!(" (of the first {} of {columns} columns)", importances.len())
    } else {
        String::new()
    };
    let named: Vec<String> = importances
        .iter()
        .take(NAMED)
        .filter(|feature| feature.mean > 0.0)
        .map(|feature| format!("`{}`", feature.column))
        .collect();
    if named.is_empty() {
        return format!(
            "Shuffling any column{ranked} leaves the score unchanged: the model has learned nothing \
             useful."
        );
    }
    format!("Most important features{ranked}: {}.", named.join(", "))
}

/// Warnings about the results of a table; `data` are those about the data.
pub(in crate::tabular) fn warnings(
    task: &Tabular,
    test: &Metrics,
    baselines: &[BaselineReport],
    data: Vec<String>,
) -> Vec<String> {
    let has_data_warnings = !data.is_empty();
    let mut warnings = data;
    if !has_data_warnings && is_nearly_perfect(&task.dataset().target, test, baselines) {
        warnings.push(
            "the predictions are nearly perfect, which often means that a column leaks the target \
             (`tabular inspect`)"
                .to_owned(),
        );
    }
    warnings
}

/// Whether the model or a baseline is nearly perfect.
fn is_nearly_perfect(target: &Target, test: &Metrics, baselines: &[BaselineReport]) -> bool {
    let (name, limit) = match target {
        Target::Number { .. } => ("r2", 0.995),
        Target::Classes { labels } if labels.len() == 2 => ("auroc", 0.999),
        Target::Classes { .. } => ("accuracy", 0.999),
    };
    let baselines = baselines.iter().map(|method| &method.result.test);
    std::iter::once(test)
        .chain(baselines)
        .any(|metrics| metrics.get(name).is_some_and(|value| *value > limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_features_are_named() {
        let importance = |column: &str, mean| FeatureImportance {
            column: column.to_owned(),
            mean,
            deviation: 0.0,
        };
        let all = [importance("a", 0.2), importance("b", -0.1)];
        assert_eq!(top_features(&all, 2), "Most important features: `a`.");
        let text = top_features(&all[1..], 3);
        assert!(text.contains("of the first 1 of 3 columns"), "{text}");
        assert!(text.contains("nothing useful"), "{text}");
    }
}
