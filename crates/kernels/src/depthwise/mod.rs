#[cfg(feature = "flex")]
mod axis;
#[cfg(feature = "flex")]
mod correlate;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod register;
#[cfg(feature = "flex")]
mod shape;
#[cfg(feature = "flex")]
mod weight;

use burn::tensor::Tensor;
use burn::tensor::module::conv2d as burn_conv2d;
use burn::tensor::ops::ConvOptions;

use crate::{Conv2dGeometry, Epilogue, FeatureMap};

/// Depthwise convolution without bias: each channel has its own kernel (Howard et al.,
/// *`MobileNets`: Efficient convolutional neural networks for mobile vision applications*, 2017,
/// <https://arxiv.org/abs/1704.04861>).
///
/// On Flex each tap multiplies a register of neighboring channels; the sums of a few neighboring
/// pixels stay in registers (Zhang, Lo and Lu, *High performance depthwise and pointwise
/// convolutions on mobile devices*, 2020, <https://arxiv.org/abs/2001.02504>). The gradient of the
/// input is the same with the taps in reverse order.
///
/// # Shapes
///
/// - input: `[batch, channels, height, width]`
/// - weight: `[channels, 1, kernel_height, kernel_width]`
/// - output: `[batch, channels, height_out, width_out]`
///
/// # Panics
///
/// If the shapes do not match, the stride is 0, or the kernel is larger than the padded input.
pub fn depthwise_conv2d(
    input: FeatureMap,
    weight: Tensor<4>,
    geometry: Conv2dGeometry,
) -> FeatureMap {
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        Ok(input) => {
            let output = flex::depthwise_conv2d(input, weight, geometry);
            return FeatureMap::channels_last(output);
        }
        Err(input) => input,
    };
    let [_, channels, _, _] = input.dims();
    let Conv2dGeometry { stride, padding } = geometry;
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], channels);
    FeatureMap::from_nchw(burn_conv2d(input.into_nchw(), weight, None, options))
}

/// A [`depthwise_conv2d`] with what follows it at inference, in one pass.
///
/// # Shapes
///
/// As [`depthwise_conv2d`].
///
/// # Panics
///
/// As [`depthwise_conv2d`].
pub fn depthwise_conv2d_fused(
    input: FeatureMap,
    weight: Tensor<4>,
    geometry: Conv2dGeometry,
    epilogue: Epilogue,
) -> FeatureMap {
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        Ok(input) if epilogue.is_supported(&input, &weight) => {
            let output = flex::depthwise_conv2d_fused(input, weight, geometry, epilogue);
            return FeatureMap::channels_last(output);
        }
        Ok(input) => FeatureMap::channels_last(input),
        Err(input) => input,
    };
    epilogue.by_burn(depthwise_conv2d(input, weight, geometry))
}
