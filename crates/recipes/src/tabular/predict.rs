//! A trained model of a table, read from its folder.

#[cfg(feature = "baseline")]
use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use tinderbox_datasets::table::{
    Passthrough, ReadOptions, Schema, Table, TableReader, read_csv_with, read_with,
};

use super::answers::{Answers, Committee};
#[cfg(feature = "baseline")]
use super::baseline::{BASELINES_FILE, BaselineKind, FittedBaseline};
use super::contents::{contents, items};
use super::data::{
    check_magnitudes, first_too_large, open, read_options, split as make_splits, table_of,
};
use super::encoder::{Encoded, Encoder, UnseenCategories};
use super::error::{DataError, TabularError};
use super::recipe::{Data, Source, Split};
use super::target::{Target, Truth};
use super::{KIND, Spec};
use tinderbox_predict::ModelFiles;
use tinderbox_predict::decision::{check_threshold, decide};
use tinderbox_predict::model_dir::ModelError;
use tinderbox_train::ConfigError;
use tinderbox_train::splits::{Scope, SplitList, digest};

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

/// What an evaluation gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// What was said of each row, with the truth.
    pub answers: Answers,
    /// Which rows these are; none if the run has no split list, and the split was made again.
    pub scope: Option<Scope>,
    /// Categories in these rows that no training row has.
    pub unseen: Vec<UnseenCategories>,
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
        let files = ModelFiles::open(dir);
        let spec: Spec = files.spec(KIND)?;
        let refuse = |reason: &str| Err(ModelError::spec(dir, reason));
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
            nets.push(files.weights(member, fill)?);
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
        self.read_file(input, blind, &self.spec.data.format.options()?)
    }

    /// Columns that a file may lack: the target, if `blind`, and those of a file without names that are
    /// not learned from.
    fn optional(&self, blind: bool) -> Vec<&str> {
        let target = self.spec.data.target.as_str();
        let is_used = |name: &str| name == target || self.encoder().names().any(|own| own == name);
        let columns = self.spec.schema.columns.iter();
        let unused = columns.map(|column| column.name.as_str());
        let unused = unused.filter(|name| !is_used(name));
        blind.then_some(target).into_iter().chain(unused).collect()
    }

    /// Opens another file with the model's columns, to be predicted in chunks; `-` is standard input.
    /// The target is not read, and may be absent.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, or lacks a column.
    pub fn reader(
        &self,
        input: &Path,
        passthrough: Passthrough<'_>,
    ) -> Result<TableReader, DataError> {
        let Data { target, format, .. } = &self.spec.data;
        let (options, optional) = (format.options()?, self.optional(true));
        let mut schema = self.spec.schema.clone();
        // Without names, the target has its place among the other columns.
        if options.header.unwrap_or(schema.header) {
            schema.columns.retain(|column| column.name != *target);
        }
        TableReader::open(input, &schema, &optional, passthrough, &options)
            .map_err(DataError::of_new_file)
    }

    /// The first row of a table from [`reader`](Self::reader) that cannot be predicted, and why.
    pub fn first_unusable(&self, table: &Table) -> Option<(usize, DataError)> {
        first_too_large(table, self.spec.encoder.names())
    }

    fn read_file(
        &self,
        input: &Path,
        blind: bool,
        options: &ReadOptions,
    ) -> Result<Table, DataError> {
        let (schema, optional) = (&self.spec.schema, self.optional(blind));
        let read = if input.as_os_str() == "-" {
            read_csv_with(std::io::stdin(), "-", schema, &optional, options)
        } else {
            read_with(input, schema, &optional, options)
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

    /// Answers for a stored split of the data that the model was trained on, or for all rows of other
    /// data.
    ///
    /// `data` is [`data`](Self::data), with another path where the user named one, which `other` says.
    /// `list` is that of the run, if it has one: see [`SplitList::choose`] for what is evaluated.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, has other columns or classes, or the device fails.
    pub fn evaluate(
        &self,
        data: &Data,
        list: Option<&SplitList>,
        split: &str,
        other: bool,
    ) -> Result<Evaluation, TabularError> {
        let table = self.read_labeled(data, other)?;
        let column = table.column(&data.target).map_err(DataError::from)?;
        let target = &self.spec.target;
        let truth = target.read_as(column, |row| table.line(row))?;
        let contents = contents(&table, self.spec.encoder.names())?;
        let items = items(&contents, &truth, target);
        let scope = match list {
            Some(list) => Some(list.choose(&items, split, other)),
            None if other && self.spec.data_digest.as_ref() != Some(&digest(&items)) => {
                Some(Scope::Whole { trained_on: 0 })
            }
            None => None,
        };
        let rows = match &scope {
            Some(Scope::Stored { rows, .. }) => rows.clone(),
            Some(Scope::Whole { .. }) => (0..table.rows()).collect(),
            None => {
                let opened = open(data, &self.spec.split)?;
                let parts = make_splits(&opened, &self.spec.split)?;
                parts.get(split)?.to_vec()
            }
        };
        if rows.is_empty() {
            let split = split.to_owned();
            return Err(DataError::NoRowsLeft { split }.into());
        }
        let table = table.take(&rows);
        let unseen = self.spec.encoder.unseen_categories(&table)?;
        Ok(Evaluation {
            answers: self.answer(&table, &data.target)?,
            scope,
            unseen,
        })
    }

    /// Reads the rows of an evaluation with the model's schema.
    fn read_labeled(&self, data: &Data, other: bool) -> Result<Table, TabularError> {
        let Source::File { path, test } = &data.source else {
            let table = open(data, &self.spec.split)?.table;
            self.check_kinds(&table)?;
            return Ok(table);
        };
        if path.is_empty() {
            return Err(DataError::NoPath.into());
        }
        let mut options = read_options(data)?;
        options.sample = options.sample.filter(|_| !other);
        let table = self.read_file(&table_of(Path::new(path))?, false, &options)?;
        if other || test.is_empty() {
            return Ok(table);
        }
        let more = self.read_file(Path::new(test), false, &options)?;
        Ok(table.append(&more)?)
    }

    /// Checks that data which is read in its own way has the columns that were learned from.
    fn check_kinds(&self, table: &Table) -> Result<(), DataError> {
        for expected in &self.spec.schema.columns {
            let found = table.column(&expected.name)?.kind();
            if found != expected.kind {
                return Err(DataError::OtherKind {
                    column: expected.name.clone(),
                    found,
                    expected: expected.kind,
                });
            }
        }
        Ok(())
    }

    /// Answers for all rows of a table that has the target too.
    ///
    /// # Errors
    ///
    /// If it lacks a column or a target, or the device fails.
    pub fn answer(&self, table: &Table, target: &str) -> Result<Answers, TabularError> {
        let column = table.column(target).map_err(DataError::from)?;
        let truth = self.spec.target.read_as(column, |row| table.line(row))?;
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
