//! A trained model of a table, read from its folder.

use std::path::Path;

use burn::tensor::Device;
use tinderbox_datasets::table::{Schema, Table, read_csv_with, read_with};

use super::answers::{Answers, Committee};
use super::data::{check_magnitudes, open, split};
use super::encoder::{Encoded, Encoder};
use super::error::{DataError, TabularError};
use super::recipe::{Data, Split};
use super::target::Target;
use super::{KIND, Spec};
use crate::metrics::argmax;
use crate::model_dir::{self, ModelError};

/// Most networks of a folder.
const MAX_MEMBERS: usize = 100;

/// What a model says of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction {
    /// A class.
    Class {
        /// Name of the most probable one.
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
        })
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

    /// Where to cut the probability of two classes for the best F1, as found on validation rows.
    pub fn threshold(&self) -> Option<f64> {
        self.spec.threshold
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
        self.predict_encoded(&self.encode(table)?)
    }

    /// Predicts rows that [`encode`](Self::encode) gave.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn predict_encoded(&self, rows: &Encoded) -> Result<Vec<Prediction>, TabularError> {
        let said = self.committee.predict(rows, &self.device)?;
        Ok(match &self.spec.target {
            Target::Number { .. } => {
                let unscaled = said
                    .into_iter()
                    .map(|score| self.spec.target.unscaled(score));
                unscaled.map(Prediction::Number).collect()
            }
            Target::Classes { labels } => said
                .chunks_exact(labels.len())
                .map(|row| Prediction::Class {
                    label: labels[argmax(row)].clone(),
                    probabilities: labels.iter().cloned().zip(row.iter().copied()).collect(),
                })
                .collect(),
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
        self.committee
            .answer(&self.encode(table)?, &truth, &self.device)
    }
}
