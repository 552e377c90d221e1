#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;

use crate::FeatureMap;

/// Makes channels of the pixels of each 2×2 square: the left two from top to bottom, then the right two. It is the
/// first layer of YOLOX (Ge et al., 2021, <https://arxiv.org/abs/2107.08430>), there called focus.
///
/// # Shapes
///
/// - input: `[batch, channels, height, width]`
/// - output: `[batch, 4 * channels, height / 2, width / 2]`
///
/// # Panics
///
/// If a side is odd.
pub fn squares_to_channels(images: Tensor<4>) -> FeatureMap {
    let [batch, channels, height, width] = images.dims();
    assert!(
        height.is_multiple_of(2) && width.is_multiple_of(2),
        "{height}x{width} pixels cannot be divided into squares"
    );
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&images) {
        return FeatureMap::channels_last(flex::squares_to_channels(images));
    }
    let (rows, columns) = (height / 2, width / 2);
    let squares: Tensor<6> = images.reshape([batch, channels, rows, 2, columns, 2]);
    let squares = squares.permute([0, 5, 3, 1, 2, 4]);
    FeatureMap::from_nchw(squares.reshape([batch, 4 * channels, rows, columns]))
}
