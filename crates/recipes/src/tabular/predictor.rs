//! A trained model of a run: its networks, or a baseline that was kept with them.

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::table::Table;
use tinderbox_predict::Prediction;
use tinderbox_predict::decision::check_threshold;
use tinderbox_predict::tabular::{Encoded, Predictor};
use tinderbox_train::TaskError;
use tinderbox_train::metrics::Evaluation;

#[cfg(feature = "baseline")]
use super::baseline::{BaselineKind, FittedBaseline, load_baseline};
use super::error::{DataError, table_error};
use super::recipe::{Data, Split};
use super::targets::read_known_targets;

/// The data of a training, in `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Training {
    pub(super) data: Data,
    pub(super) split: Split,
    /// Hash of the rows that the splits were made of, to recognize them.
    pub(super) digest: String,
}

/// A trained model of a table.
pub struct TabularPredictor {
    networks: Predictor,
    /// Predicts instead of the networks.
    #[cfg(feature = "baseline")]
    baseline: Option<FittedBaseline>,
    threshold: Option<f64>,
}

impl TabularPredictor {
    /// Reads a `model/` folder.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, of another version or of another kind.
    pub fn load(dir: &Path, device: &Device) -> Result<Self, TaskError> {
        let networks = Predictor::load(dir, device)?;
        Ok(Self {
            threshold: networks.threshold(),
            networks,
            #[cfg(feature = "baseline")]
            baseline: None,
        })
    }

    /// The same with a baseline that was kept in `dir` instead of the networks, threshold included.
    ///
    /// # Errors
    ///
    /// If none was kept, or it is damaged.
    #[cfg(feature = "baseline")]
    pub fn with_baseline(mut self, dir: &Path, kind: BaselineKind) -> Result<Self, TaskError> {
        let baseline = load_baseline(dir, kind, &self.networks)?;
        self.threshold = baseline.threshold();
        self.baseline = Some(baseline);
        Ok(self)
    }

    /// The same model with another decision threshold.
    ///
    /// # Errors
    ///
    /// If the model does not have two classes, or the threshold is no probability.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, TaskError> {
        let classes = self.networks.target().labels().len();
        // A flag, and no key of a recipe.
        let threshold = check_threshold(threshold, classes).map_err(TaskError::user)?;
        self.threshold = Some(threshold);
        Ok(self)
    }

    /// The networks with everything that inference needs.
    pub fn networks(&self) -> &Predictor {
        &self.networks
    }

    /// The data of the training.
    pub(super) fn training(&self) -> Result<Training, TaskError> {
        let training = self.networks.spec().training.clone();
        serde_json::from_value(training)
            .map_err(|error| DataError::Training(error.to_string()).into())
    }

    /// Predicts every row of a table with the feature columns.
    ///
    /// # Errors
    ///
    /// If it lacks one, or the device fails.
    pub fn predict(&self, table: &Table) -> Result<Vec<Prediction>, TaskError> {
        let outputs = self.outputs(table, &self.networks.encode(table)?)?;
        Ok(self.networks.predictions(&outputs, self.threshold))
    }

    /// Predicts all rows of a table that has the target too.
    ///
    /// # Errors
    ///
    /// If it lacks a column or a target, or the device fails.
    pub fn evaluate_table(&self, table: &Table) -> Result<Evaluation, TaskError> {
        let column = table.column(&self.networks.spec().target_column);
        let column = column.map_err(table_error)?;
        let target = self.networks.target();
        let targets = read_known_targets(target, column, |row| table.line(row))?;
        let outputs = self.outputs(table, &self.networks.encode(table)?)?;
        Ok(targets.evaluation(&outputs).decided_at(self.threshold))
    }

    /// Probabilities of the classes of each row, or numbers in the target's unit.
    #[cfg_attr(
        not(feature = "baseline"),
        expect(
            unused_variables,
            reason = "only baselines read cells that are not encoded"
        )
    )]
    fn outputs(&self, table: &Table, rows: &Encoded) -> Result<Vec<f64>, TaskError> {
        #[cfg(feature = "baseline")]
        if let Some(baseline) = &self.baseline {
            return baseline.outputs(self.networks.encoder(), table, rows);
        }
        Ok(self.networks.outputs(rows)?)
    }
}
