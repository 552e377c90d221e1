#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::module::conv_transpose2d as burn_conv_transpose2d;
use burn::tensor::ops::ConvTransposeOptions;

use crate::{Conv2dGeometry, FeatureMap};

/// Transposed convolution without bias: the gradient of a convolution with respect to its input.
///
/// On Flex it is computed as that gradient, and its own gradients are the convolution and the gradient
/// of its weights (Dumoulin and Visin, *A guide to convolution arithmetic for deep learning*, 2016,
/// <https://arxiv.org/abs/1603.07285>): with stride 2, one product for each of the four remainders of
/// the output's pixels, written in place.
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
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        Ok(input) => {
            let output = flex::conv_transpose2d(input, weight, geometry);
            return FeatureMap::channels_last(output);
        }
        Err(input) => input,
    };
    let Conv2dGeometry { stride, padding } = geometry;
    let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0, 0], [1, 1], 1);
    let output = burn_conv_transpose2d(input.into_nchw(), weight, None, options);
    FeatureMap::from_nchw(output)
}
