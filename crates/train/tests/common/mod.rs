//! What the tests of several ranks share.

use std::fs;
use std::path::Path;

use burn::data::dataset::{Dataset, DatasetError, InMemDataset};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use serde_json::Value;
use tinderbox_train::METRICS_FILE;

/// All weights and statistics.
pub(crate) fn values<M: Module>(model: &M) -> Vec<f32> {
    struct Values(Vec<f32>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(param.val().try_into_vec_as::<f32>().unwrap());
        }
    }
    let mut values = Values(Vec::new());
    model.visit(&mut values);
    values.0
}

/// Values of `metrics.jsonl` by step, split and name.
pub(crate) fn metrics(dir: &Path) -> Vec<(String, f64)> {
    let text = fs::read_to_string(dir.join(METRICS_FILE)).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| {
            let name = format!("{} {} {}", line["step"], line["split"], line["name"]);
            (name, line["value"].as_f64().unwrap())
        })
        .collect()
}

/// Items of which one cannot be read.
pub(crate) struct Broken<I> {
    pub(crate) items: InMemDataset<I>,
    pub(crate) at: usize,
}

impl<I: Clone + Send + Sync> Dataset<I> for Broken<I> {
    fn get(&self, index: usize) -> Result<I, DatasetError> {
        if index == self.at {
            return Err(DatasetError::new(std::io::Error::other("unreadable")));
        }
        self.items.get(index)
    }

    fn len(&self) -> usize {
        self.items.len()
    }
}
