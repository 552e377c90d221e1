//! Losses of segmentation, and weighted sums of them.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::SegmentationBatch;
use crate::{ConfigError, check_range};

/// Keeps the Dice coefficient of an empty mask defined: 1 where nothing is predicted.
const DICE_EPSILON: f32 = 1.0;

/// A weighted sum of losses; a weight of 0 leaves one out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentationLoss {
    /// Weight of the mean cross-entropy of the pixels.
    pub cross_entropy: f64,
    /// Weight of 1 minus the Dice coefficient, the mean over the classes other than 0 (Milletari, Navab
    /// and Ahmadi, *V-Net*, 2016, <https://arxiv.org/abs/1606.04797>).
    pub dice: f64,
    /// Weight of the focal loss, in which easy pixels count less (Lin et al., *Focal loss for dense
    /// object detection*, 2017, <https://arxiv.org/abs/1708.02002>).
    pub focal: f64,
    /// Exponent of the focal loss.
    pub focal_gamma: f64,
    /// Extra weight of background pixels between two near objects, in the cross-entropy and the focal
    /// loss (Ronneberger et al., 2015, equation 2); 0 for none.
    pub boundary: f64,
    /// Reach of the extra weight, in pixels.
    pub boundary_sigma: f64,
}

impl Default for SegmentationLoss {
    fn default() -> Self {
        Self {
            cross_entropy: 1.0,
            dice: 0.0,
            focal: 0.0,
            focal_gamma: 2.0,
            boundary: 0.0,
            boundary_sigma: 5.0,
        }
    }
}

impl SegmentationLoss {
    /// Checks every number.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (key, value) in [
            ("loss.cross_entropy", self.cross_entropy),
            ("loss.dice", self.dice),
            ("loss.focal", self.focal),
            ("loss.boundary", self.boundary),
        ] {
            check_range(key, value, 0.0..=1000.0)?;
        }
        check_range("loss.focal_gamma", self.focal_gamma, 0.0..=10.0)?;
        check_range("loss.boundary_sigma", self.boundary_sigma, 0.5..=20.0)?;
        if self.cross_entropy + self.dice + self.focal > 0.0 {
            return Ok(());
        }
        let expected = "above 0, or `loss.dice` or `loss.focal` must be: one loss is needed";
        Err(ConfigError::new("loss.cross_entropy", 0, expected))
    }

    /// The loss of each image.
    ///
    /// # Shapes
    ///
    /// - logits: `[batch, classes, height, width]`
    /// - output: `[batch]`
    pub fn forward(&self, logits: Tensor<4>, batch: &SegmentationBatch) -> Tensor<1> {
        let log_probabilities = log_softmax(logits, 1);
        let mut terms = Vec::new();
        if self.cross_entropy > 0.0 || self.focal > 0.0 {
            let classes = batch.classes.clone().unsqueeze_dim::<4>(1);
            let picked = log_probabilities.clone().gather(1, classes);
            let picked = picked.squeeze_dim::<3>(1);
            if self.cross_entropy > 0.0 {
                let loss = mean_of_pixels(picked.clone().neg(), batch);
                terms.push(loss.mul_scalar(self.cross_entropy));
            }
            if self.focal > 0.0 {
                let loss = mean_of_pixels(focal(picked, self.focal_gamma), batch);
                terms.push(loss.mul_scalar(self.focal));
            }
        }
        if self.dice > 0.0 {
            let loss = dice(log_probabilities.exp(), batch);
            terms.push(loss.mul_scalar(self.dice));
        }
        let sum = terms.into_iter().reduce(|sum, term| sum + term);
        sum.unwrap_or_else(|| Tensor::zeros([batch.classes.dims()[0]], &batch.images.device()))
    }
}

/// The focal loss of pixels from the log-probability of their classes.
fn focal(picked: Tensor<3>, gamma: f64) -> Tensor<3> {
    // The probability of the other classes, which rounding could make negative.
    let rest = picked.clone().exp().neg().add_scalar(1.0).clamp_min(1e-6);
    rest.powf_scalar(gamma) * picked.neg()
}

/// The weighted mean over the pixels of each image that count, `[batch]`.
fn mean_of_pixels(loss: Tensor<3>, batch: &SegmentationBatch) -> Tensor<1> {
    let loss = match &batch.weights {
        Some(weights) => loss * weights.clone(),
        None => loss,
    };
    let loss = sum_of_pixels(loss * batch.valid.clone());
    loss / sum_of_pixels(batch.valid.clone()).clamp_min(1.0)
}

fn sum_of_pixels(values: Tensor<3>) -> Tensor<1> {
    values.flatten::<2>(1, 2).sum_dim(1).squeeze_dim(1)
}

/// 1 minus the Dice coefficient of each image, `[batch]`.
///
/// - probabilities: `[batch, classes, height, width]`
fn dice(probabilities: Tensor<4>, batch: &SegmentationBatch) -> Tensor<1> {
    let [_, classes, _, _] = probabilities.dims();
    // Two classes of which neither is a background do not occur: 0 is the background.
    let first = usize::from(classes > 1);
    let device = probabilities.device();
    let numbers: Vec<i32> = (0..).skip(first).take(classes - first).collect();
    let numbers = TensorData::new(numbers, [1, classes - first, 1, 1]);
    let numbers = Tensor::<4, Int>::from_data(numbers, &device);
    let valid = batch.valid.clone().unsqueeze_dim::<4>(1);
    let target = batch.classes.clone().unsqueeze_dim::<4>(1);
    let target = target.equal(numbers).float() * valid.clone();
    let probabilities = probabilities.narrow(1, first, classes - first) * valid;
    let sum = |values: Tensor<4>| values.flatten::<3>(2, 3).sum_dim(2).squeeze_dim::<2>(2);
    let both = sum(probabilities.clone() * target.clone());
    let each = sum(probabilities.clone() * probabilities) + sum(target);
    let ratio = both.mul_scalar(2.0).add_scalar(DICE_EPSILON) / each.add_scalar(DICE_EPSILON);
    ratio.mean_dim(1).squeeze_dim::<1>(1).neg().add_scalar(1.0)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// Two images of two pixels, of which the last one is ignored.
    fn batch(weights: Option<[[[f32; 2]; 1]; 2]>) -> SegmentationBatch {
        let device = Device::flex();
        SegmentationBatch {
            images: Tensor::zeros([2, 1, 1, 2], &device),
            classes: Tensor::from_ints([[[0, 1]], [[1, 0]]], &device),
            valid: Tensor::from_floats([[[1.0, 1.0]], [[1.0, 0.0]]], &device),
            weights: weights.map(|weights| Tensor::from_floats(weights, &device)),
        }
    }

    /// The logits of the class 1, where those of the class 0 are 0.
    const LOGITS: [[f64; 2]; 2] = [[-1.0, 2.0], [0.5, 3.0]];

    fn logits() -> Tensor<4> {
        let [[a, b], [c, d]] = LOGITS.map(|row| row.map(|value| value as f32));
        let values = [[[[0.0, 0.0]], [[a, b]]], [[[0.0, 0.0]], [[c, d]]]];
        Tensor::from_floats(values, &Device::flex())
    }

    fn loss(loss: &SegmentationLoss, batch: &SegmentationBatch) -> Vec<f64> {
        let values = loss.forward(logits(), batch).try_into_vec_as::<f32>();
        values.unwrap().into_iter().map(f64::from).collect()
    }

    fn only(set: impl FnOnce(&mut SegmentationLoss)) -> SegmentationLoss {
        let mut loss = SegmentationLoss {
            cross_entropy: 0.0,
            ..SegmentationLoss::default()
        };
        set(&mut loss);
        loss
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// The probability of the true class of the three pixels that count.
    fn picked() -> [f64; 3] {
        let [[a, b], [c, _]] = LOGITS;
        [1.0 - sigmoid(a), sigmoid(b), sigmoid(c)]
    }

    #[test]
    fn cross_entropy_is_the_weighted_mean_over_pixels_that_count() {
        let [a, b, c] = picked().map(|p| -p.ln());
        let plain = only(|loss| loss.cross_entropy = 2.0);
        assert_near(&loss(&plain, &batch(None)), &[a + b, 2.0 * c]);
        let weighted = batch(Some([[[3.0, 1.0]], [[0.5, 9.0]]]));
        assert_near(&loss(&plain, &weighted), &[3.0 * a + b, c]);
    }

    #[test]
    fn focal_loss_is_that_of_the_paper() {
        let [a, b, c] = picked().map(|p| -(1.0 - p).powf(1.5) * p.ln());
        let focal = only(|loss| (loss.focal, loss.focal_gamma) = (1.0, 1.5));
        assert_near(&loss(&focal, &batch(None)), &[0.5 * (a + b), c]);
        let flat = only(|loss| (loss.focal, loss.focal_gamma) = (1.0, 0.0));
        let plain = only(|loss| loss.cross_entropy = 1.0);
        assert_near(&loss(&flat, &batch(None)), &loss(&plain, &batch(None)));
    }

    #[test]
    fn dice_has_squares_in_the_denominator_and_leaves_out_ignored_pixels() {
        let [[a, b], [c, _]] = LOGITS.map(|row| row.map(sigmoid));
        let first = 1.0 - (2.0 * b + 1.0) / (a * a + b * b + 1.0 + 1.0);
        let second = 1.0 - (2.0 * c + 1.0) / (c * c + 1.0 + 1.0);
        let dice = only(|loss| loss.dice = 1.0);
        assert_near(&loss(&dice, &batch(None)), &[first, second]);
    }

    #[test]
    fn losses_add_up_and_one_is_needed() {
        let sum = SegmentationLoss {
            dice: 0.5,
            focal: 2.0,
            ..SegmentationLoss::default()
        };
        assert_eq!(sum.validate(), Ok(()));
        let batch = batch(None);
        let parts = [
            loss(&only(|loss| loss.cross_entropy = 1.0), &batch),
            loss(&only(|loss| loss.dice = 0.5), &batch),
            loss(&only(|loss| loss.focal = 2.0), &batch),
        ];
        let expected = [0, 1].map(|image| parts.iter().map(|part| part[image]).sum());
        assert_near(&loss(&sum, &batch), &expected);
        let error = only(|_| ()).validate().unwrap_err().to_string();
        assert!(error.contains("one loss is needed"), "{error}");
    }
}
