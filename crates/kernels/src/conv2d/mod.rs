#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod im2col;
#[cfg(feature = "flex")]
mod shape;

use burn::tensor::Tensor;
use burn::tensor::module::conv2d as burn_conv2d;
use burn::tensor::ops::ConvOptions;

/// Stride and padding of a [`conv2d`], the same along both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dGeometry {
    /// Pixels between neighboring kernel positions.
    pub stride: usize,
    /// Rows and columns of zeros added on each side.
    pub padding: usize,
}

/// Two-dimensional convolution without bias.
///
/// On Flex this is im2col and a matrix product (Chellapilla, Puri and Simard, *High performance
/// convolutional neural networks for document processing*, 2006,
/// <https://inria.hal.science/inria-00112631>), a few images at a time and without changing the
/// memory layout of the input.
///
/// # Shapes
///
/// - input: `[batch, channels_in, height, width]`
/// - weight: `[channels_out, channels_in, kernel_height, kernel_width]`
/// - output: `[batch, channels_out, height_out, width_out]`
///
/// # Panics
///
/// If the shapes do not match, the stride is 0, or the kernel is larger than the padded input.
pub fn conv2d(input: Tensor<4>, weight: Tensor<4>, geometry: Conv2dGeometry) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported(&input) {
        return flex::conv2d(input, weight, geometry);
    }
    let Conv2dGeometry { stride, padding } = geometry;
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
    burn_conv2d(input, weight, None, options)
}
