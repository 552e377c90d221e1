use burn::tensor::Tensor;
use burn::tensor::module::conv_transpose2d as burn_conv_transpose2d;
use burn::tensor::ops::ConvTransposeOptions;

use crate::{Conv2dGeometry, FeatureMap};

/// Transposed convolution without bias: the gradient of a convolution with respect to its input.
///
/// The height and width grow to `(size - 1) * stride + kernel - 2 * padding`.
///
/// # Shapes
///
/// - input: `[batch, channels_in, height, width]`
/// - weight: `[channels_in, channels_out, kernel_height, kernel_width]`
/// - output: `[batch, channels_out, height_out, width_out]`
///
/// # Panics
///
/// If the shapes do not match, the stride is 0, or the output is empty.
pub fn conv_transpose2d(
    input: FeatureMap,
    weight: Tensor<4>,
    geometry: Conv2dGeometry,
) -> FeatureMap {
    let Conv2dGeometry { stride, padding } = geometry;
    let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0, 0], [1, 1], 1);
    let output = burn_conv_transpose2d(input.into_nchw(), weight, None, options);
    FeatureMap::from_nchw(output)
}
