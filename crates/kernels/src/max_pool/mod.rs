#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

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
pub fn max_pool2x2(input: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported(&input) {
        return flex::max_pool2x2(input);
    }
    max_pool2d(input, MaxPoolOptions::new([2, 2]).with_stride([2, 2]))
}
