#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d as burn_avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;

use crate::FeatureMap;

/// Average pooling over `size`×`size` windows with stride `size` (`LeCun`, Bottou, Bengio and Haffner,
/// *Gradient-based learning applied to document recognition*, 1998,
/// <https://doi.org/10.1109/5.726791>); what is left over is dropped.
///
/// # Shapes
///
/// - input: `[batch, channels, height, width]`
/// - output: `[batch, channels, height / size, width / size]`, rounded down
///
/// # Panics
///
/// If the size is 0 or larger than the input.
pub fn avg_pool2d(input: FeatureMap, size: usize) -> FeatureMap {
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        Ok(input) => return FeatureMap::channels_last(flex::avg_pool(input, [size; 2])),
        Err(input) => input,
    };
    let options = AvgPoolOptions::new([size; 2]).with_stride([size; 2]);
    FeatureMap::from_nchw(burn_avg_pool2d(input.into_nchw(), options))
}

/// Mean of each channel (Lin, Chen and Yan, *Network in network*, 2014,
/// <https://arxiv.org/abs/1312.4400>).
///
/// # Shapes
///
/// - input: `[batch, channels, height, width]`
/// - output: `[batch, channels]`
pub fn global_avg_pool(input: FeatureMap) -> Tensor<2> {
    let [batch, channels, height, width] = input.dims();
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        Ok(input) => {
            let means = flex::avg_pool(input, [height, width]);
            return means.reshape([batch, channels]);
        }
        Err(input) => input,
    };
    let values = input.into_nchw().reshape([batch, channels, height * width]);
    values.mean_dim(2).squeeze_dim(2)
}
