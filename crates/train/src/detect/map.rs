//! Average precision while training.

use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use tinderbox_datasets::image::Detection;

use crate::metrics::{DetectionScores, TrueBox};

/// Mean average precision at IoU 0.5 over all images of an epoch.
#[derive(Clone, Debug)]
pub struct MapMetric {
    name: MetricName,
    classes: usize,
    scores: DetectionScores,
}

/// The input of a [`MapMetric`].
#[derive(Clone, Debug)]
pub struct MapInput {
    /// What was found in each image.
    pub found: Vec<Vec<Detection>>,
    /// The boxes of each image.
    pub truth: Vec<Vec<TrueBox>>,
}

impl MapMetric {
    /// For a number of classes.
    pub fn new(classes: usize) -> Self {
        Self {
            name: Arc::new("mAP50".to_owned()),
            classes,
            scores: DetectionScores::new(classes),
        }
    }

    /// 0 where nothing is to be found.
    fn mean(&self) -> f64 {
        let curves = (0..self.classes).map(|class| self.scores.curve(class).average_precision);
        let defined: Vec<f64> = curves.flatten().collect();
        defined.iter().sum::<f64>() / defined.len().max(1) as f64
    }

    fn entry(mean: f64) -> SerializedEntry {
        SerializedEntry::new(format!("{mean:.4}"), mean.to_string())
    }
}

impl Metric for MapMetric {
    type Input = MapInput;

    fn update(
        &mut self,
        input: &MapInput,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        for (found, truth) in input.found.iter().zip(&input.truth) {
            self.scores.add(found, truth);
        }
        // All images count together: a value for a part of them would take as long, and mean little.
        Ok(Self::entry(f64::NAN))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(Self::entry(self.mean()))
    }

    fn clear(&mut self) {
        self.scores = DetectionScores::new(self.classes);
    }

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: None,
            higher_is_better: true,
        }
        .into()
    }
}

impl Numeric for MapMetric {
    fn value(&self) -> Option<NumericEntry> {
        None
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.value()
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.mean())
    }
}
