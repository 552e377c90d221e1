//! What follows a convolution at inference.

use burn::tensor::Tensor;

use crate::activation::by_burn;
use crate::{Activation, FeatureMap};

/// Batch normalization with stored statistics, an optional residual and an activation: at inference
/// they are computed while the output of the convolution is still in registers.
#[derive(Clone, Debug)]
pub struct Epilogue {
    /// Scale of the normalization, `[channels]`.
    pub gamma: Tensor<1>,
    /// Shift of the normalization, `[channels]`.
    pub beta: Tensor<1>,
    /// Running mean, `[channels]`.
    pub mean: Tensor<1>,
    /// Running variance, `[channels]`.
    pub variance: Tensor<1>,
    /// Added to the variance.
    pub epsilon: f64,
    /// Added to the normalized output, before the activation.
    pub residual: Option<FeatureMap>,
    /// Applied last.
    pub activation: Activation,
}

impl Epilogue {
    /// Applies everything with Burn's operations.
    pub(crate) fn by_burn(self, x: FeatureMap) -> FeatureMap {
        let [_, channels, _, _] = x.dims();
        let x = x.into_nchw();
        let scale = self.gamma * (self.variance + self.epsilon).sqrt().recip();
        let shift = self.beta - self.mean * scale.clone();
        let shape = [1, channels, 1, 1];
        let x = x * scale.reshape(shape) + shift.reshape(shape);
        let x = match self.residual {
            Some(residual) => x + residual.into_nchw(),
            None => x,
        };
        FeatureMap::from_nchw(by_burn(x, self.activation))
    }
}
