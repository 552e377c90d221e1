//! A trained model of a table, read from its folder.

#[cfg(feature = "baseline")]
use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use tinderbox_datasets::table::{Schema, Table, read_csv_with, read_with};

use super::answers::{Answers, Committee};
#[cfg(feature = "baseline")]
use super::baseline::{BASELINES_FILE, BaselineKind, FittedBaseline};
use super::data::{check_magnitudes, open, split};
use super::encoder::{Encoded, Encoder};
use super::error::{DataError, TabularError};
use super::recipe::{Data, Split};
use super::target::{Target, Truth};
use super::{KIND, Spec};
use crate::metrics::{check_threshold, decide};
use crate::model_dir::{self, ModelError};
use crate::train::ConfigError;

/// Most networks of a folder.
const MAX_MEMBERS: usize = 100;

/// What a model says of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction {
    /// A class.
    Class {
        /// Its name: of two classes by the decision threshold, of more the most probable one.
        label: String,
        /// Probability of each class, in the order of the labels.
        probabilities: Vec<(String, f32)>,
    },
    /// A number, in the target's own unit.
    Number(f64),
}

/// A trained model of a table.
pub struct Predictor {
    pub(super) committee: Committee,
    pub(super) spec: Spec,
    pub(super) device: Device,
    /// A classical method that answers in the networks' place.
    #[cfg(feature = "baseline")]
    pub(super) baseline: Option<FittedBaseline>,
}

impl Predictor {
    /// Reads a `model/` folder.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, of a newer version or not of a table.
    pub fn load(dir: &Path, device: &Device) -> Result<Self, ModelError> {
        let spec: Spec = model_dir::load_spec(dir)?;
        let refuse = |reason: &str| Err(ModelError::spec(dir, reason));
        if spec.kind != KIND {
            return refuse(&format!("it holds a `{}`, not a `{KIND}`", spec.kind));
        }
        if !(1..=MAX_MEMBERS).contains(&spec.members) {
            return refuse("its number of `members` makes no sense");
        }
        let known = |name: &str| spec.schema.columns.iter().any(|column| column.name == name);
        if !spec.encoder.names().all(known)
            || spec.encoder.n_numeric() != spec.sizes.n_numeric
            || spec.encoder.cardinalities() != spec.sizes.cardinalities
            || spec.target.d_output() != spec.sizes.d_output
        {
            return refuse("its `encoder` does not fit its `schema` and `sizes`");
        }
        let device = device.clone().inner();
        let mut nets = Vec::new();
        for member in 0..spec.members {
            let net = spec.model.init(&spec.sizes, &device);
            let net = net.map_err(|error| ModelError::spec(dir, error))?;
            let fill = |bytes| net.with_bytes(bytes);
            nets.push(model_dir::load_weights_of(dir, member, fill)?);
        }
        Ok(Self {
            committee: Committee {
                nets,
                target: spec.target.clone(),
                temperature: spec.temperature,
            },
            spec,
            device,
            #[cfg(feature = "baseline")]
            baseline: None,
        })
    }

    /// The same model with a baseline that was kept beside it in the networks' place, threshold
    /// included.
    ///
    /// # Errors
    ///
    /// If none was kept, or it is damaged.
    #[cfg(feature = "baseline")]
    pub fn with_baseline(mut self, dir: &Path, kind: BaselineKind) -> Result<Self, ModelError> {
        let path = dir.join(BASELINES_FILE);
        let refuse = |reason: String| ModelError::Spec {
            path: path.clone(),
            reason,
        };
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => refuse(
                "it does not exist; train with `--keep-baselines` to keep the baselines".to_owned(),
            ),
            _ => refuse(error.to_string()),
        })?;
        let mut kept: BTreeMap<BaselineKind, FittedBaseline> =
            serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        let baseline = kept
            .remove(&kind)
            .filter(|baseline| baseline.fits(&self.spec.encoder, &self.spec.target))
            .ok_or_else(|| refuse("it does not fit `model.json`".to_owned()))?;
        self.spec.threshold = baseline.threshold();
        self.baseline = Some(baseline);
        Ok(self)
    }

    /// Probabilities of the classes of each row, or a number in the target's own unit.
    fn outputs_of(&self, table: &Table, rows: &Encoded) -> Result<Vec<f64>, TabularError> {
        #[cfg(feature = "baseline")]
        if let Some(baseline) = &self.baseline {
            let said = baseline.predict(&self.spec.encoder, table, rows)?;
            let own = baseline.target();
            return Ok(said.into_iter().map(|score| own.unscaled(score)).collect());
        }
        #[cfg(not(feature = "baseline"))]
        let _ = table;
        let said = self.committee.predict(rows, &self.device)?;
        let own = &self.spec.target;
        Ok(said.into_iter().map(|score| own.unscaled(score)).collect())
    }

    /// The columns that are learned from, the target, and how a file of them is read.
    pub fn schema(&self) -> &Schema {
        &self.spec.schema
    }

    /// What is predicted.
    pub fn target(&self) -> &Target {
        &self.spec.target
    }

    /// The data that the model was trained on.
    pub fn data(&self) -> &Data {
        &self.spec.data
    }

    /// Reads another file with the model's columns, written as the one that it learned from; the
    /// target may be absent if `blind`. `-` is standard input.
    ///
    /// # Errors
    ///
    /// If it cannot be read, lacks a column, or has a cell that is not what the column holds.
    pub fn read(&self, input: &Path, blind: bool) -> Result<Table, DataError> {
        let Data { target, format, .. } = &self.spec.data;
        let target = [target.as_str()];
        let optional = if blind { &target[..] } else { &[] };
        let (schema, options) = (&self.spec.schema, format.options()?);
        let read = if input.as_os_str() == "-" {
            read_csv_with(std::io::stdin(), "-", schema, optional, &options)
        } else {
            read_with(input, schema, optional, &options)
        };
        let (table, _) = read.map_err(DataError::of_new_file)?;
        check_magnitudes(&table, self.spec.encoder.names())?;
        Ok(table)
    }

    /// How its rows were told apart.
    pub fn split(&self) -> &Split {
        &self.spec.split
    }

    /// What is made of the cells.
    pub fn encoder(&self) -> &Encoder {
        &self.spec.encoder
    }

    /// The decision threshold of two classes, tuned on the validation rows.
    pub fn threshold(&self) -> Option<f64> {
        self.spec.threshold
    }

    /// The same model with another decision threshold.
    ///
    /// # Errors
    ///
    /// If the model does not have two classes.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, ConfigError> {
        let classes = match &self.spec.target {
            Target::Classes { labels } => labels.len(),
            Target::Number { .. } => 0,
        };
        self.spec.threshold = Some(check_threshold(threshold, classes)?);
        Ok(self)
    }

    /// Encodes the rows of a table with the model's columns.
    ///
    /// # Errors
    ///
    /// If it lacks one.
    pub fn encode(&self, table: &Table) -> Result<Encoded, TabularError> {
        Ok(self.spec.encoder.encode(table)?)
    }

    /// Predicts every row of a table with the model's columns.
    ///
    /// # Errors
    ///
    /// If it lacks one, or the device fails.
    pub fn predict(&self, table: &Table) -> Result<Vec<Prediction>, TabularError> {
        let said = self.outputs_of(table, &self.encode(table)?)?;
        Ok(match &self.spec.target {
            Target::Number { .. } => said.into_iter().map(Prediction::Number).collect(),
            Target::Classes { labels } => {
                let said: Vec<f32> = said.into_iter().map(|value| value as f32).collect();
                let rows = said.chunks_exact(labels.len());
                rows.map(|row| Prediction::Class {
                    label: labels[decide(row, self.spec.threshold)].clone(),
                    probabilities: labels.iter().cloned().zip(row.iter().copied()).collect(),
                })
                .collect()
            }
        })
    }

    /// Answers for a split of the data that the model was trained on, or of a file like it.
    ///
    /// `data` is [`data`](Self::data), with another path where the file has moved.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, has other columns or classes, or the device fails.
    pub fn evaluate(&self, data: &Data, part: &str) -> Result<Answers, TabularError> {
        let opened = open(data, &self.spec.split)?;
        let parts = split(&opened, &self.spec.split)?;
        let rows = parts.get(part)?;
        self.answer(&opened.table.take(rows), &data.target)
    }

    /// Answers for all rows of a table that has the target too.
    ///
    /// # Errors
    ///
    /// If it lacks a column or a target, or the device fails.
    pub fn answer(&self, table: &Table, target: &str) -> Result<Answers, TabularError> {
        let column = table.column(target).map_err(DataError::from)?;
        let truth = self.spec.target.read_as(column)?;
        let said = self.outputs_of(table, &self.encode(table)?)?;
        let answers = match truth {
            Truth::Classes(_) => {
                let said: Vec<f32> = said.into_iter().map(|value| value as f32).collect();
                Answers::new(&said, f64::from, &truth)
            }
            Truth::Numbers(actual) => Answers::Numbers {
                predicted: said,
                actual,
            },
        };
        Ok(answers.decided_at(self.spec.threshold))
    }
}
