//! Landmarks: from a network that regresses points to one that burn-train can train.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{ExecutionError, Tensor, TensorReadError};
use burn::train::metric::{
    Adaptor, ItemLazy, LossInput, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric,
    NumericAttributes, NumericEntry, SerializedEntry,
};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use serde::{Deserialize, Serialize};
use tinderbox_predict::vision::LandmarkModel;

use crate::{ConfigError, LossOutput, check_range};

/// A batch of crops with their points.
#[derive(Clone, Debug)]
pub struct LandmarkBatch {
    /// The crops, `[batch, channels, size, size]`.
    pub images: Tensor<4>,
    /// x and y of each point, `[batch, 2 * points]`; -1 is the left or top edge of the crop, 1 the other one.
    pub points: Tensor<2>,
    /// The distance that errors are divided by, in the same unit, `[batch]`.
    pub scales: Tensor<1>,
}

/// The wing loss of Feng et al., 2018, <https://arxiv.org/abs/1711.06753>: logarithmic near 0, so that small errors
/// count, and linear beyond.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WingLoss {
    /// Where it becomes linear, as a share of half of the side of a crop.
    pub width: f64,
    /// How little it is curved near 0, in the same unit.
    pub curvature: f64,
}

impl Default for WingLoss {
    fn default() -> Self {
        Self {
            width: 0.1,
            curvature: 0.02,
        }
    }
}

impl WingLoss {
    /// Checks every number.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_range("loss.width", self.width, 1e-4..=10.0)?;
        check_range("loss.curvature", self.curvature, 1e-4..=10.0)
    }

    /// The mean loss of each row, `[batch]`, of points `[batch, values]`.
    pub fn forward(&self, points: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        let Self { width, curvature } = *self;
        let error = (points - targets).abs();
        let near = (error.clone() / curvature + 1.0).log() * width;
        let far = error.clone() - (width - width * (1.0 + width / curvature).ln());
        let is_far = error.greater_elem(width);
        near.mask_where(is_far, far).mean_dim(1).squeeze_dim(1)
    }
}

/// A network with its loss, as burn-train's learner wants it.
#[derive(Module, Debug)]
pub struct LandmarkRegressor {
    /// The network.
    pub net: LandmarkModel,
    #[module(skip)]
    loss: WingLoss,
}

impl LandmarkRegressor {
    /// Pairs a network with its loss.
    pub fn new(net: LandmarkModel, loss: WingLoss) -> Self {
        Self { net, loss }
    }
}

/// The mean distance of the points of each row from their targets, `[batch]`, in the unit of the scales.
///
/// - points and targets: `[batch, 2 * points]`
/// - scales: `[batch]`
pub fn normalized_errors(points: Tensor<2>, targets: Tensor<2>, scales: Tensor<1>) -> Tensor<1> {
    let [batch, values] = points.dims();
    let error = (points - targets).reshape([batch, values / 2, 2]);
    let distance = error.powi_scalar(2).sum_dim(2).sqrt();
    let mean: Tensor<1> = distance.mean_dim(1).reshape([batch]);
    mean / scales
}

/// The output of a validation step.
#[derive(Clone, Debug)]
pub struct LandmarkStepOutput {
    /// Loss of each crop, `[batch]`.
    pub loss: Tensor<1>,
    /// Normalized mean error of each crop, `[batch]`.
    pub errors: Tensor<1>,
}

impl Adaptor<LossInput> for LandmarkStepOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

impl Adaptor<NmeInput> for LandmarkStepOutput {
    fn adapt(&self) -> NmeInput {
        NmeInput(self.errors.clone())
    }
}

impl ItemLazy for LandmarkStepOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self {
            loss: self.loss.without_autodiff(),
            errors: self.errors.without_autodiff(),
        })
    }
}

impl TrainStep for LandmarkRegressor {
    type Input = LandmarkBatch;
    type Output = LossOutput;

    fn step(&self, batch: LandmarkBatch) -> TrainOutput<LossOutput> {
        let points = self.net.forward(batch.images);
        let loss = self.loss.forward(points, batch.points);
        let grads = loss.clone().mean().backward();
        TrainOutput::new(self, grads, LossOutput::new(loss))
    }
}

impl InferenceStep for LandmarkRegressor {
    type Input = LandmarkBatch;
    type Output = LandmarkStepOutput;

    fn step(&self, batch: LandmarkBatch) -> LandmarkStepOutput {
        let points = self.net.forward(batch.images);
        LandmarkStepOutput {
            loss: self.loss.forward(points.clone(), batch.points.clone()),
            errors: normalized_errors(points, batch.points, batch.scales),
        }
    }
}

/// The input of an [`NmeMetric`]: the normalized mean error of each crop, `[batch]`.
#[derive(Clone, Debug)]
pub struct NmeInput(pub Tensor<1>);

/// The normalized mean error over all crops of an epoch.
#[derive(Clone, Debug)]
pub struct NmeMetric {
    name: MetricName,
    sum: f64,
    count: usize,
}

impl Default for NmeMetric {
    fn default() -> Self {
        Self {
            name: Arc::new("NME".to_owned()),
            sum: 0.0,
            count: 0,
        }
    }
}

impl NmeMetric {
    fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }

    fn entry(mean: f64) -> SerializedEntry {
        SerializedEntry::new(format!("{mean:.4}"), mean.to_string())
    }
}

impl Metric for NmeMetric {
    type Input = NmeInput;

    fn update(
        &mut self,
        input: &NmeInput,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let errors = input.0.clone().try_into_vec_as::<f32>()?;
        self.count += errors.len();
        self.sum += errors.iter().map(|&error| f64::from(error)).sum::<f64>();
        Ok(Self::entry(self.mean()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(Self::entry(self.mean()))
    }

    fn clear(&mut self) {
        (self.sum, self.count) = (0.0, 0);
    }

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: None,
            higher_is_better: false,
        }
        .into()
    }
}

impl Numeric for NmeMetric {
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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_wing_loss_is_that_of_the_paper() {
        let device = Device::flex();
        let loss = WingLoss {
            width: 10.0,
            curvature: 2.0,
        };
        let points = Tensor::<2>::from_floats([[1.0, 0.0], [-30.0, 0.0]], &device);
        let losses = loss.forward(points, Tensor::zeros([2, 2], &device));
        let losses = losses.try_into_vec_as::<f32>().unwrap();
        let near = 10.0 * 1.5_f32.ln() / 2.0;
        let far = (30.0 - (10.0 - 10.0 * 6.0_f32.ln())) / 2.0;
        assert!(
            (losses[0] - near).abs() < 1e-4 && (losses[1] - far).abs() < 1e-4,
            "{losses:?}"
        );
    }

    #[test]
    fn errors_are_distances_in_the_unit_of_the_scale() {
        let device = Device::flex();
        let points = Tensor::<2>::from_floats([[3.0, 4.0, 0.0, 0.0]], &device);
        let scales = Tensor::<1>::from_floats([10.0], &device);
        let errors = normalized_errors(points, Tensor::zeros([1, 4], &device), scales);
        let errors = errors.try_into_vec_as::<f32>().unwrap();
        let mean = errors.iter().sum::<f32>() / errors.len() as f32;
        assert!((mean - 0.25).abs() < 1e-6);
    }
}
