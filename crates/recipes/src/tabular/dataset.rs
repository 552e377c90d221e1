//! Encoded rows with their targets, in memory and as batches.

use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::{Device, Int, Tensor, TensorData};
use tinderbox_datasets::loader::{BatchContext, Collate};
use tinderbox_models::tabular::TabularInputs;
use tinderbox_predict::tabular::{Encoded, Target};

use super::targets::Targets;

/// Rows with their targets.
#[derive(Clone, Debug)]
pub struct TableBatch {
    /// The inputs of the network.
    pub rows: TabularInputs,
    /// The target of each row.
    pub targets: BatchTargets,
}

/// The target of each row of a batch.
#[derive(Clone, Debug)]
pub enum BatchTargets {
    /// Indices of the classes, `[batch]`.
    Classes(Tensor<1, Int>),
    /// Numbers on the network's scale, `[batch]`.
    Numbers(Tensor<1>),
}

/// Encoded rows with their targets, in memory.
#[derive(Clone, Debug)]
pub struct EncodedDataset {
    rows: Arc<Encoded>,
    /// Class or scaled number of each row.
    classes: Vec<i32>,
    scaled: Vec<f32>,
}

impl EncodedDataset {
    /// Pairs rows with their targets.
    pub(crate) fn new(rows: Encoded, targets: &Targets, target: &Target) -> Self {
        let (classes, scaled) = match targets {
            Targets::Classes(labels) => {
                (labels.iter().map(|&label| number(label)).collect(), vec![])
            }
            Targets::Numbers(values) => {
                let scaled = values.iter().map(|&value| target.scaled(value));
                (Vec::new(), scaled.collect())
            }
        };
        Self {
            rows: Arc::new(rows),
            classes,
            scaled,
        }
    }
}

impl EncodedDataset {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.rows
    }

    /// Class of each row; empty for numbers.
    pub(crate) fn classes(&self) -> Vec<usize> {
        let classes = self.classes.iter();
        classes
            .map(|&class| usize::try_from(class).unwrap_or(0))
            .collect()
    }

    /// All numbers of an encoded column.
    pub(crate) fn numbers(&self, column: usize) -> Vec<f32> {
        let rows = 0..self.rows.rows;
        rows.map(|row| self.rows.numbers(row)[column]).collect()
    }

    /// Codes that no row has, `[column, code]` each.
    pub(crate) fn unused_codes(&self, cardinalities: &[usize]) -> Vec<[usize; 2]> {
        self.rows.unused_codes(cardinalities)
    }

    /// The rows by their indices, for a loader.
    pub(crate) fn shared(&self) -> Arc<dyn Dataset<usize>> {
        Arc::new(self.clone())
    }
}

/// The rows by their indices: [`Collate`] copies the rows of a batch once.
impl Dataset<usize> for EncodedDataset {
    fn get(&self, index: usize) -> Result<usize, DatasetError> {
        Ok(index)
    }

    fn len(&self) -> usize {
        self.rows.rows
    }
}

impl Collate<usize, TableBatch> for EncodedDataset {
    fn collate(
        &self,
        rows: Vec<usize>,
        _: &BatchContext,
        device: &Device,
    ) -> Result<TableBatch, DatasetError> {
        let count = rows.len();
        let targets = if self.scaled.is_empty() {
            let labels: Vec<i32> = rows.iter().map(|&row| self.classes[row]).collect();
            BatchTargets::Classes(Tensor::from_data(TensorData::new(labels, [count]), device))
        } else {
            let values: Vec<f32> = rows.iter().map(|&row| self.scaled[row]).collect();
            BatchTargets::Numbers(Tensor::from_data(TensorData::new(values, [count]), device))
        };
        Ok(TableBatch {
            rows: self.rows.take(&rows).into_tensors(device),
            targets,
        })
    }
}

/// A class; there are never more than fit.
fn number(class: usize) -> i32 {
    i32::try_from(class).unwrap_or(i32::MAX)
}
