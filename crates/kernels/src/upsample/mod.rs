#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod resample;

use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};

use crate::FeatureMap;

/// Repeats each pixel `factor` times along both axes, as in feature pyramids (Lin et al., *Feature
/// pyramid networks for object detection*, 2017, <https://arxiv.org/abs/1612.03144>).
///
/// # Shapes
///
/// - input: `[batch, channels, height, width]`
/// - output: `[batch, channels, height * factor, width * factor]`
///
/// # Panics
///
/// If the factor is 0.
pub fn upsample_nearest(input: FeatureMap, factor: usize) -> FeatureMap {
    upsample(input, factor, InterpolateMode::Nearest)
}

/// Bilinear interpolation between the centers of pixels (`align_corners=False` in `PyTorch`), as in
/// networks for segmentation (Long, Shelhamer and Darrell, *Fully convolutional networks for semantic
/// segmentation*, 2015, <https://arxiv.org/abs/1411.4038>).
///
/// # Shapes
///
/// As [`upsample_nearest`].
///
/// # Panics
///
/// If the factor is 0.
pub fn upsample_bilinear(input: FeatureMap, factor: usize) -> FeatureMap {
    upsample(input, factor, InterpolateMode::Bilinear)
}

/// On Flex both modes and their gradients are sums of a few rows, then of a few pixels of the sum,
/// each times a weight.
fn upsample(input: FeatureMap, factor: usize, mode: InterpolateMode) -> FeatureMap {
    assert!(factor > 0, "the factor is 0");
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        Ok(input) => return FeatureMap::channels_last(flex::upsample(input, factor, &mode)),
        Err(input) => input,
    };
    let [_, _, height, width] = input.dims();
    let options = InterpolateOptions::new(mode)
        .with_align_corners(false)
        .with_output_size([height * factor, width * factor]);
    FeatureMap::from_nchw(interpolate(input.into_nchw(), options))
}
