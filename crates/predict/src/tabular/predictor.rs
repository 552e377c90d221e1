//! A trained model of a table, read from its folder.

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tinderbox_datasets::table::{
    Passthrough, ReadOptions, Schema, Table, TableReader, read_csv_with, read_with,
};
use tinderbox_models::ConfigError;

use super::KIND;
use super::encoded::Encoded;
use super::encoder::Encoder;
use super::ensemble::Ensemble;
use super::features::Features;
use super::format::Format;
use super::input::{InputError, check_range};
use super::net::{Architecture, Sizes};
use super::target::Target;
use crate::calibration::Temperature;
use crate::decision::{check_threshold, decide};
use crate::error::PredictError;
use crate::model_dir::ModelError;
use crate::{ModelFiles, Prediction};

/// Most networks of a folder.
const MAX_MEMBERS: usize = 100;

/// The content of `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The kind of the model: [`KIND`].
    pub kind: String,
    /// Name of the recipe.
    pub recipe: String,
    /// Number of networks that predict together.
    pub members: usize,
    /// The configuration of the networks.
    pub model: Architecture,
    /// The sizes of the data.
    pub sizes: Sizes,
    /// The embeddings of the networks, and how the preprocessing was fitted.
    pub features: Features,
    /// Name of the target column.
    pub target_column: String,
    /// The feature columns and the target.
    pub schema: Schema,
    /// The format of the training file.
    pub file_format: Format,
    /// Preprocessing of the columns.
    pub encoder: Encoder,
    /// The target.
    pub target: Target,
    /// Divides the log-probabilities.
    pub temperature: Temperature,
    /// The decision threshold of two classes, tuned on the validation rows.
    pub threshold: Option<f64>,
    /// Data and splits of the training, which inference does not read.
    #[serde(default)]
    pub training: Value,
}

/// A trained model of a table.
#[derive(Clone, Debug)]
pub struct Predictor {
    ensemble: Ensemble,
    spec: Spec,
    device: Device,
}

impl Predictor {
    /// Reads a `model/` folder.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, of another version or of another kind.
    pub fn load(dir: &Path, device: &Device) -> Result<Self, ModelError> {
        Self::from_files(&ModelFiles::open(dir), device)
    }

    /// Reads the files of a model folder.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn from_files(files: &ModelFiles, device: &Device) -> Result<Self, ModelError> {
        let spec: Spec = files.spec(KIND)?;
        if !(1..=MAX_MEMBERS).contains(&spec.members) {
            return Err(files.refuse("its number of `members` is invalid"));
        }
        spec.check().map_err(|reason| files.refuse(reason))?;
        let device = device.clone().inner();
        let mut nets = Vec::new();
        for member in 0..spec.members {
            let net = spec.model.init(&spec.sizes, &spec.features, &device);
            let net = net.map_err(|error| files.refuse(error))?;
            nets.push(files.weights(member, |bytes| net.with_bytes(bytes))?);
        }
        let ensemble = Ensemble {
            nets,
            target: spec.target.clone(),
            temperature: spec.temperature,
        };
        Ok(Self {
            ensemble,
            spec,
            device,
        })
    }

    /// The content of `model.json`.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The networks.
    pub fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// The device that the networks are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The target.
    pub fn target(&self) -> &Target {
        &self.spec.target
    }

    /// Preprocessing of the columns.
    pub fn encoder(&self) -> &Encoder {
        &self.spec.encoder
    }

    /// The decision threshold of two classes.
    pub fn threshold(&self) -> Option<f64> {
        self.spec.threshold
    }

    /// The same model with another decision threshold.
    ///
    /// # Errors
    ///
    /// If the model does not have two classes, or the threshold is no probability.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, ConfigError> {
        let classes = self.spec.target.labels().len();
        self.spec.threshold = Some(check_threshold(threshold, classes)?);
        Ok(self)
    }

    /// Reads a file with the feature columns, in the format of the training file; `-` is standard
    /// input.
    ///
    /// # Errors
    ///
    /// If it cannot be read, lacks a column, or has a cell of another kind than its column.
    pub fn read(&self, input: &Path) -> Result<Table, InputError> {
        self.read_with(input, false, &self.spec.file_format.options()?)
    }

    /// The same with the target column, if `with_target`, and with options for the file.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn read_with(
        &self,
        input: &Path,
        with_target: bool,
        options: &ReadOptions,
    ) -> Result<Table, InputError> {
        let (schema, optional) = (&self.spec.schema, self.optional(with_target));
        let (table, _) = if input.as_os_str() == "-" {
            read_csv_with(std::io::stdin(), "-", schema, &optional, options)?
        } else {
            read_with(input, schema, &optional, options)?
        };
        self.check_range(&table).map_err(|(_, error)| error)?;
        Ok(table)
    }

    /// Reads a CSV table with the feature columns from memory; `name` is used in messages.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn read_bytes(&self, bytes: &[u8], name: &str) -> Result<Table, InputError> {
        let (options, optional) = (self.spec.file_format.options()?, self.optional(false));
        let schema = &self.spec.schema;
        let (table, _) = read_csv_with(
            std::io::Cursor::new(bytes.to_vec()),
            name,
            schema,
            &optional,
            &options,
        )?;
        self.check_range(&table).map_err(|(_, error)| error)?;
        Ok(table)
    }

    /// Opens a file with the feature columns, to be predicted in chunks; `-` is standard input. The
    /// target is not read, and may be absent.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, or lacks a column.
    pub fn reader(
        &self,
        input: &Path,
        passthrough: Passthrough<'_>,
    ) -> Result<TableReader, InputError> {
        let (options, optional) = (self.spec.file_format.options()?, self.optional(false));
        let mut schema = self.spec.schema.clone();
        // Columns without names are identified by their positions, that of the target included.
        if options.header.unwrap_or(schema.header) {
            schema
                .columns
                .retain(|column| column.name != self.spec.target_column);
        }
        Ok(TableReader::open(
            input,
            &schema,
            &optional,
            passthrough,
            &options,
        )?)
    }

    /// Checks that no number is too large for the networks; the error has the first such row.
    ///
    /// # Errors
    ///
    /// If there is one.
    pub fn check_range(&self, table: &Table) -> Result<(), (usize, InputError)> {
        check_range(table, self.spec.encoder.names())
    }

    /// Columns that a file may lack: the target, unless it is needed, and those of a file without
    /// names that are no features.
    fn optional(&self, with_target: bool) -> Vec<&str> {
        let target = self.spec.target_column.as_str();
        let is_used = |name: &str| name == target || self.encoder().names().any(|own| own == name);
        let columns = self.spec.schema.columns.iter();
        let unused = columns.map(|column| column.name.as_str());
        let unused = unused.filter(|name| !is_used(name));
        (!with_target)
            .then_some(target)
            .into_iter()
            .chain(unused)
            .collect()
    }

    /// Encodes the rows of a table with the feature columns.
    ///
    /// # Errors
    ///
    /// If it lacks one.
    pub fn encode(&self, table: &Table) -> Result<Encoded, PredictError> {
        self.spec.encoder.encode(table).map_err(PredictError::input)
    }

    /// Probabilities of the classes of each row, or numbers in the target's unit.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn outputs(&self, rows: &Encoded) -> Result<Vec<f64>, PredictError> {
        let scores = self.ensemble.predict(rows, &self.device)?;
        let target = &self.spec.target;
        Ok(scores
            .into_iter()
            .map(|score| target.unscaled(score))
            .collect())
    }

    /// Predicts every row of a table with the feature columns.
    ///
    /// # Errors
    ///
    /// If it lacks one, or the device fails.
    pub fn predict(&self, table: &Table) -> Result<Vec<Prediction>, PredictError> {
        let outputs = self.outputs(&self.encode(table)?)?;
        Ok(self.predictions(&outputs, self.spec.threshold))
    }

    /// The predictions that [outputs](Self::outputs) mean at a decision threshold.
    pub fn predictions(&self, outputs: &[f64], threshold: Option<f64>) -> Vec<Prediction> {
        let Target::Classes { labels } = &self.spec.target else {
            let numbers = outputs.iter();
            return numbers.map(|&value| Prediction::Number { value }).collect();
        };
        let probabilities: Vec<f32> = outputs.iter().map(|&value| value as f32).collect();
        let rows = probabilities.chunks_exact(labels.len());
        rows.map(|row| Prediction::Class {
            label: labels[decide(row, threshold)].clone(),
            probabilities: labels.iter().cloned().zip(row.iter().copied()).collect(),
        })
        .collect()
    }

    /// The columns of a table of predictions.
    pub fn columns(&self) -> Vec<String> {
        match &self.spec.target {
            Target::Number { .. } => vec!["value".to_owned()],
            Target::Classes { labels } => [vec!["label".to_owned()], labels.clone()].concat(),
        }
    }
}

impl Spec {
    /// Checks that the parts fit each other.
    fn check(&self) -> Result<(), &'static str> {
        let known = |name: &str| self.schema.columns.iter().any(|column| column.name == name);
        if !self.encoder.names().all(known)
            || self.encoder.n_numeric() != self.sizes.n_numeric
            || self.encoder.cardinalities() != self.sizes.cardinalities
            || self.target.d_output() != self.sizes.d_output
        {
            return Err("its `encoder` does not fit its `schema` and `sizes`");
        }
        Ok(())
    }
}
