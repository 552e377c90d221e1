//! Intersection over union while training.

use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorReadError};
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};

/// Intersection over union of all pixels of an epoch: the mean over the classes other than 0, the
/// background, that occur in the targets or the predictions.
#[derive(Clone, Debug)]
pub struct IouMetric {
    name: MetricName,
    counts: Vec<Counts>,
}

/// Pixels of a class.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    both: u64,
    either: u64,
}

/// The input of an [`IouMetric`].
#[derive(Clone, Debug)]
pub struct IouInput {
    /// Predicted class of each pixel, `[batch, height, width]`.
    pub predicted: Tensor<3, Int>,
    /// True class of each pixel, `[batch, height, width]`.
    pub classes: Tensor<3, Int>,
    /// 1 for each pixel that counts, `[batch, height, width]`.
    pub valid: Tensor<3>,
}

impl IouMetric {
    /// For a number of classes, with the background.
    pub fn new(classes: usize) -> Self {
        Self {
            name: Arc::new("IoU".to_owned()),
            counts: vec![Counts::default(); classes],
        }
    }

    fn mean(&self) -> f64 {
        let shown = self.counts.iter().skip(1).filter(|class| class.either > 0);
        let ratios: Vec<f64> = shown
            .map(|class| class.both as f64 / class.either as f64)
            .collect();
        if ratios.is_empty() {
            // Nothing to find, and nothing found.
            return 1.0;
        }
        ratios.iter().sum::<f64>() / ratios.len() as f64
    }

    fn entry(&self) -> SerializedEntry {
        let mean = self.mean();
        SerializedEntry::new(format!("{mean:.4}"), mean.to_string())
    }
}

impl Metric for IouMetric {
    type Input = IouInput;

    fn update(
        &mut self,
        input: &IouInput,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let predicted = input.predicted.clone().try_into_vec_as::<i32>()?;
        let classes = input.classes.clone().try_into_vec_as::<i32>()?;
        let valid = input.valid.clone().try_into_vec_as::<f32>()?;
        let pixels = predicted.into_iter().zip(classes).zip(valid);
        for ((predicted, class), _) in pixels.filter(|(_, valid)| *valid > 0.0) {
            let (predicted, class) = (predicted as usize, class as usize);
            self.counts[predicted].either += 1;
            if predicted == class {
                self.counts[class].both += 1;
            } else {
                self.counts[class].either += 1;
            }
        }
        Ok(self.entry())
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.entry())
    }

    fn clear(&mut self) {
        self.counts.fill(Counts::default());
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

impl Numeric for IouMetric {
    fn value(&self) -> Option<NumericEntry> {
        Some(NumericEntry::Value(self.mean()))
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.value()
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.mean())
    }
}
