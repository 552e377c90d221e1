//! Networks that predict together.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use super::encoded::Encoded;
use super::net::TabularNet;
use super::target::Target;
use crate::calibration::Temperature;
use crate::ensemble::{finite, mean};
use crate::error::PredictError;

/// Most rows in a batch.
const BATCH: usize = 1_024;

/// Networks whose predictions are averaged.
#[derive(Clone, Debug)]
pub struct Ensemble {
    /// The networks.
    pub nets: Vec<TabularNet>,
    /// The target.
    pub target: Target,
    /// Divides the log-probabilities.
    pub temperature: Temperature,
}

impl Ensemble {
    /// Probabilities of the classes of each row, or a number on the network's scale.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn predict(&self, rows: &Encoded, device: &Device) -> Result<Vec<f32>, PredictError> {
        let outputs = self.nets.iter();
        let outputs = outputs.map(|net| predict_one(net, &self.target, rows, device));
        let mean = finite(mean(outputs)?)?;
        Ok(match &self.target {
            Target::Classes { labels } => self.temperature.calibrate(mean, labels.len()),
            Target::Number { .. } => mean,
        })
    }

    /// Fits the temperature on validation rows with their classes; does nothing for a number.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn calibrate(
        &mut self,
        rows: &Encoded,
        classes: &[usize],
        device: &Device,
    ) -> Result<(), PredictError> {
        let Target::Classes { labels } = &self.target else {
            return Ok(());
        };
        let probabilities = self.predict(rows, device)?;
        // Without rows there is nothing to fit it on.
        let fitted = Temperature::fit_probabilities(&probabilities, labels.len(), classes);
        self.temperature = fitted.unwrap_or_default();
        Ok(())
    }
}

/// Runs a network over rows: the mean of its members' probabilities, or of their numbers.
fn predict_one(
    net: &TabularNet,
    target: &Target,
    rows: &Encoded,
    device: &Device,
) -> Result<Vec<f32>, PredictError> {
    let mut outputs = Vec::with_capacity(rows.rows * target.d_output());
    let all: Vec<usize> = (0..rows.rows).collect();
    for batch in all.chunks(BATCH) {
        let part = if batch.len() == rows.rows {
            rows.clone()
        } else {
            rows.take(batch)
        };
        let scores = net.forward(part.into_tensors(device));
        let scores: Tensor<3> = match target {
            Target::Classes { .. } => softmax(scores, 2),
            Target::Number { .. } => scores,
        };
        let mean = if scores.dims()[1] == 1 {
            scores
        } else {
            scores.mean_dim(1)
        };
        let values = mean.try_into_vec_as::<f32>();
        outputs.extend(values.map_err(PredictError::device)?);
    }
    Ok(outputs)
}
