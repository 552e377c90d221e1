#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod im2col;

use burn::tensor::Tensor;
use burn::tensor::module::conv2d as burn_conv2d;
use burn::tensor::ops::ConvOptions;

/// How a square kernel walks over a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Pixels from one position to the next.
    pub stride: usize,
    /// Rows and columns of zeros around the plane.
    pub padding: usize,
}

/// Two-dimensional convolution without a bias.
///
/// On Flex the input is unrolled (Chellapilla, Puri and Simard, *High performance convolutional
/// neural networks for document processing*, 2006, <https://inria.hal.science/inria-00112631>) a
/// few images at a time, without turning it into another layout first, and the gradient of the
/// weights is one matrix product per such portion.
///
/// # Shapes
///
/// - input: `[batch, channels_in, height, width]`
/// - weight: `[channels_out, channels_in, kernel_height, kernel_width]`
/// - output: `[batch, channels_out, height_out, width_out]`
///
/// # Panics
///
/// If the shapes do not fit together, the stride is 0, or the kernel is larger than the padded
/// plane.
pub fn conv2d(input: Tensor<4>, weight: Tensor<4>, walk: Walk) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes(&input) {
        return flex::conv2d(input, weight, walk);
    }
    let Walk { stride, padding } = walk;
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
    burn_conv2d(input, weight, None, options)
}
