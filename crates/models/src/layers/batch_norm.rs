//! Batch normalization of rows.

use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use tinderbox_kernels::{Activation, FeatureMap, is_batch_norm_synchronized};

use crate::layers::conv_norm::{is_training, normalize};

/// Normalizes each feature over the batch, `[batch, features]`, or with the running statistics in inference.
///
/// It is Burn's layer, but for a batch that is divided among processes and normalized as a whole.
pub(crate) fn batch_norm(norm: &BatchNorm, x: Tensor<2>) -> Tensor<2> {
    if !is_batch_norm_synchronized() || !is_training(norm, &x.device()) {
        return norm.forward(x);
    }
    let [rows, features] = x.dims();
    let maps = FeatureMap::from_nchw(x.reshape([rows, features, 1, 1]));
    let maps = normalize(norm, maps, None, Activation::Identity);
    maps.into_nchw().reshape([rows, features])
}
