#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod line;
#[cfg(feature = "flex")]
mod windows;

use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

use crate::FeatureMap;

/// Max pooling over 2×2 windows with stride 2 (Scherer, Müller and Behnke, *Evaluation of pooling
/// operations in convolutional architectures for object recognition*, 2010,
/// <https://doi.org/10.1007/978-3-642-15825-4_10>); an odd last row or column is dropped.
///
/// Among equal pixels, the first receives the gradient. On Flex the position of the largest pixel is
/// kept, in one byte for each output, and the input is not.
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
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        Ok(input) => return FeatureMap::channels_last(flex::max_pool::<4>(input)),
        Err(input) => input,
    };
    let options = MaxPoolOptions::new([2, 2]).with_stride([2, 2]);
    FeatureMap::from_nchw(max_pool2d(input.into_nchw(), options))
}

/// Max pooling over 3×3 windows with stride 2 and a border of one pixel, as after the stem of a
/// ResNet (He et al., 2016, <https://arxiv.org/abs/1512.03385>).
///
/// Among equal pixels, the first receives the gradient.
///
/// # Shapes
///
/// - input: `[batch, channels, height, width]`
/// - output: `[batch, channels, height / 2, width / 2]`, rounded up
pub fn max_pool3x3(input: FeatureMap) -> FeatureMap {
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        Ok(input) => return FeatureMap::channels_last(flex::max_pool::<9>(input)),
        Err(input) => input,
    };
    let options = MaxPoolOptions::new([3, 3])
        .with_stride([2, 2])
        .with_padding([1, 1]);
    FeatureMap::from_nchw(max_pool2d(input.into_nchw(), options))
}

/// Max pooling over windows with an odd side, stride 1 and a border that keeps the size, as in spatial pyramid
/// pooling (He et al., 2014, <https://arxiv.org/abs/1406.4729>).
///
/// Among equal pixels of a column, and then of a row, the first receives the gradient.
///
/// # Shapes
///
/// - input: `[batch, channels, height, width]`
/// - output: `[batch, channels, height, width]`
///
/// # Panics
///
/// If the side is even.
pub fn max_pool_same(input: FeatureMap, side: usize) -> FeatureMap {
    assert!(!side.is_multiple_of(2), "a window of {side} has no center");
    // Rows, then columns: the same result with fewer comparisons.
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        // The position in a window is kept in a byte.
        Ok(input) if side < 256 => {
            let rows = line::max_pool_line(input, 1, side);
            return FeatureMap::channels_last(line::max_pool_line(rows, 2, side));
        }
        Ok(input) => FeatureMap::channels_last(input),
        Err(input) => input,
    };
    let windows = [[side, 1], [1, side]].into_iter();
    let output = windows.fold(input.into_nchw(), |x, window| {
        let options = MaxPoolOptions::new(window)
            .with_stride([1, 1])
            .with_padding(window.map(|side| side / 2));
        max_pool2d(x, options)
    });
    FeatureMap::from_nchw(output)
}
