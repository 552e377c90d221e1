#[cfg(feature = "flex")]
mod flex;

use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

use crate::FeatureMap;

/// Max pooling over 2×2 windows with stride 2; an odd last row or column is dropped.
///
/// Among equal pixels, the first receives the gradient.
///
/// # Shapes
///
/// - input: `[batch, channels, height, width]`
/// - output: `[batch, channels, height / 2, width / 2]`, rounded down
///
/// # Panics
///
/// If the input is smaller than 2×2.
pub fn max_pool2x2(input: FeatureMap) -> FeatureMap {
    let input = input.into_nchw();
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported(&input) {
        return FeatureMap::from_nchw(flex::max_pool2x2(input));
    }
    let options = MaxPoolOptions::new([2, 2]).with_stride([2, 2]);
    FeatureMap::from_nchw(max_pool2d(input, options))
}

/// Max pooling over 3×3 windows with stride 2 and a border of one pixel, as after the stem of a
/// ResNet.
///
/// Among equal pixels, the first receives the gradient.
///
/// # Shapes
///
/// - input: `[batch, channels, height, width]`
/// - output: `[batch, channels, height / 2, width / 2]`, rounded up
pub fn max_pool3x3(input: FeatureMap) -> FeatureMap {
    let options = MaxPoolOptions::new([3, 3])
        .with_stride([2, 2])
        .with_padding([1, 1]);
    FeatureMap::from_nchw(max_pool2d(input.into_nchw(), options))
}
