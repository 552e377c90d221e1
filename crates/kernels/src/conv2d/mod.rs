#[cfg(feature = "flex")]
pub(crate) mod algorithm;
#[cfg(feature = "flex")]
mod cache;
#[cfg(feature = "flex")]
mod direct;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod product;
#[cfg(feature = "flex")]
pub(crate) mod shape;
#[cfg(feature = "flex")]
mod sweep;
#[cfg(feature = "flex")]
mod weights;
#[cfg(feature = "flex")]
mod winograd;

use burn::tensor::Tensor;
use burn::tensor::module::conv2d as burn_conv2d;
use burn::tensor::ops::ConvOptions;

#[cfg(feature = "flex")]
pub use self::cache::WeightCache;
use crate::{Epilogue, FeatureMap};

/// Stride and padding of a [`conv2d`], the same along both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dGeometry {
    /// Pixels between neighboring kernel positions.
    pub stride: usize,
    /// Rows and columns of zeros added on each side.
    pub padding: usize,
}

#[cfg(feature = "flex")]
impl Conv2dGeometry {
    /// Height and width of the output of an input and a kernel.
    pub(crate) fn size_out(self, input: [usize; 2], kernel: [usize; 2]) -> [usize; 2] {
        assert!(self.stride > 0, "the stride is 0");
        [0, 1].map(|axis| {
            let padded = input[axis] + 2 * self.padding;
            assert!(
                padded >= kernel[axis],
                "the kernel is larger than the padded input"
            );
            (padded - kernel[axis]) / self.stride + 1
        })
    }
}

/// Two-dimensional convolution without bias.
///
/// On Flex there are two algorithms. 3×3 kernels with stride 1 between at least 16 channels use
/// Winograd's formulas, which need 2.25 times fewer multiplications (Lavin and Gray, *Fast algorithms
/// for convolutional neural networks*, 2016, <https://arxiv.org/abs/1509.09308>). All others are
/// products of windows and weights. With the channels of a pixel together, a line of a window is one
/// run of numbers, so that nothing is unrolled: each tile of the output reads its windows where they
/// are (Zhang, Franchetti and Low, *High performance zero-memory overhead direct convolutions*, 2018,
/// <https://arxiv.org/abs/1809.10170>). The gradient of the input is a convolution with the flipped
/// weights, one for each remainder of its pixels by the stride; that of the weights is summed in an
/// order that depends on the shape alone.
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
pub fn conv2d(input: FeatureMap, weight: Tensor<4>, geometry: Conv2dGeometry) -> FeatureMap {
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        Ok(input) => {
            return FeatureMap::channels_last(flex::conv2d(input, weight, geometry));
        }
        Err(input) => input,
    };
    let Conv2dGeometry { stride, padding } = geometry;
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
    FeatureMap::from_nchw(burn_conv2d(input.into_nchw(), weight, None, options))
}

/// Weights that the kernel of Flex keeps; nothing without it.
#[cfg(not(feature = "flex"))]
#[derive(Clone, Debug, Default)]
pub struct WeightCache {}

/// A [`conv2d`] with what follows it at inference, in one pass.
///
/// # Shapes
///
/// As [`conv2d`].
///
/// # Panics
///
/// As [`conv2d`].
pub fn conv2d_fused(
    input: FeatureMap,
    weight: Tensor<4>,
    geometry: Conv2dGeometry,
    epilogue: Epilogue,
    cache: &WeightCache,
) -> FeatureMap {
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        Ok(input) if epilogue.is_supported(&input, &weight) => {
            let output = flex::conv2d_fused(input, weight, geometry, epilogue, cache);
            return FeatureMap::channels_last(output);
        }
        Ok(input) => FeatureMap::channels_last(input),
        Err(input) => input,
    };
    #[cfg(not(feature = "flex"))]
    let _ = cache;
    epilogue.by_burn(conv2d(input, weight, geometry))
}
