//! Analyses of a run as data: sections for people and details for `summary.json`.

mod anomaly_detection;
mod approval;
mod explain;
mod feature_importance;
mod inspect;
mod mistakes;
mod prospectivity;
mod prospectivity_map;
mod ranking;
mod screen;
mod summary;

use serde_json::{Map, Value};
use tinderbox_train::Section;
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::task::{BaselineReport, THIS_MODEL};

pub use explain::{Attribution, ExplainRequest, explain, explain_row};
pub use feature_importance::{FeatureImportance, ImportanceOptions, feature_importance};
pub use inspect::{Inspected, inspect, options_for};
pub use prospectivity::Area;

pub(super) use anomaly_detection::{anomalies, reconstruction_errors};
pub(super) use inspect::reader_notes;
pub(super) use mistakes::mistakes;
pub(super) use prospectivity::{Capture, Prospectivity, labeled_cells};
pub(super) use summary::{overall, warnings};

use super::data::TableDataset;

/// Sections with the same as data, by their keys in `summary.json`.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pub(super) sections: Vec<Section>,
    pub(super) details: Map<String, Value>,
}

impl Findings {
    /// Adds an analysis, if it applies.
    pub(super) fn add(&mut self, key: &str, analysis: Option<(Section, Value)>) {
        if let Some((section, details)) = analysis {
            self.sections.push(section);
            self.details.insert(key.to_owned(), details);
        }
    }

    /// Adds the analyses that need the predictions for the test rows alone.
    pub(super) fn add_predictions(
        &mut self,
        methods: &[(&str, &Evaluation)],
        dataset: &TableDataset,
        test: &[usize],
    ) {
        self.add("ranked", ranking::ranking(methods));
        self.add("screen", screen::screen(methods, dataset, test));
        self.add(
            "approval",
            approval::approval_curves(methods, dataset, test),
        );
    }
}

/// The predictions of each method for the test rows, those of the trained model first.
pub(super) fn methods<'a>(
    evaluation: &'a Evaluation,
    baselines: &'a [BaselineReport],
) -> Vec<(&'a str, &'a Evaluation)> {
    let classical = baselines.iter();
    let classical = classical.map(|method| (method.result.method.as_str(), &method.evaluation));
    std::iter::once((THIS_MODEL, evaluation))
        .chain(classical)
        .collect()
}
