//! Feature maps in the memory layout that a device computes fastest.

use std::ops::Add;

use burn::tensor::{Device, Tensor};

/// A batch of feature maps between the layers of a convolutional network.
///
/// On Flex in single precision the channels of a pixel are neighbors in memory (channels-last): every
/// kernel then reads and writes whole vectors of channels. Elsewhere the layout is Burn's. Convert
/// once before the first layer and once after the last one; everything between stays in the layout.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_kernels::FeatureMap;
///
/// let images = Tensor::<4>::ones([2, 3, 8, 9], &Device::flex());
/// let maps = FeatureMap::from_nchw(images);
/// assert_eq!(maps.dims(), [2, 3, 8, 9]);
/// assert_eq!((maps.clone() + maps).into_nchw().dims(), [2, 3, 8, 9]);
/// ```
#[derive(Clone, Debug)]
pub struct FeatureMap {
    values: Tensor<4>,
    layout: Layout,
}

/// The order of the axes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `[batch, channels, height, width]`
    ChannelsFirst,
    /// `[batch, height, width, channels]`
    #[cfg_attr(
        not(feature = "flex"),
        expect(dead_code, reason = "only Flex has kernels for it")
    )]
    ChannelsLast,
}

impl FeatureMap {
    /// Takes images of shape `[batch, channels, height, width]`.
    pub fn from_nchw(images: Tensor<4>) -> Self {
        #[cfg(feature = "flex")]
        if crate::flex::tensors::is_supported_simd(&images) {
            return Self::channels_last(images.permute([0, 2, 3, 1]));
        }
        Self {
            values: images,
            layout: Layout::ChannelsFirst,
        }
    }

    /// The values, `[batch, channels, height, width]`.
    pub fn into_nchw(self) -> Tensor<4> {
        match self.layout {
            Layout::ChannelsFirst => self.values,
            Layout::ChannelsLast => self.values.permute([0, 3, 1, 2]),
        }
    }

    /// The values of each pixel, row by row, `[batch, height * width, channels]`.
    pub fn into_pixels(self) -> Tensor<3> {
        let [batch, channels, height, width] = self.dims();
        let values = match self.layout {
            Layout::ChannelsFirst => self.values.permute([0, 2, 3, 1]),
            Layout::ChannelsLast => self.values,
        };
        values.reshape([batch, height * width, channels])
    }

    /// `[batch, channels, height, width]`
    pub fn dims(&self) -> [usize; 4] {
        match self.layout {
            Layout::ChannelsFirst => self.values.dims(),
            Layout::ChannelsLast => {
                let [batch, height, width, channels] = self.values.dims();
                [batch, channels, height, width]
            }
        }
    }

    /// The device of the values.
    pub fn device(&self) -> Device {
        self.values.device()
    }

    /// Applies a function to every element on its own.
    ///
    /// # Panics
    ///
    /// If the function changes the shape.
    pub fn map(self, function: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Self {
        let shape = self.values.dims();
        let values = function(self.values);
        assert_eq!(values.dims(), shape, "the function changes the shape");
        Self { values, ..self }
    }

    /// Multiplies every channel by its own factor, `[batch, channels]`.
    ///
    /// # Panics
    ///
    /// If there is not one factor per channel.
    #[must_use]
    pub fn scale_channels(self, factors: Tensor<2>) -> Self {
        let [batch, channels] = factors.dims();
        let shape = match self.layout {
            Layout::ChannelsFirst => [batch, channels, 1, 1],
            Layout::ChannelsLast => [batch, 1, 1, channels],
        };
        self.map(|values| values * factors.reshape(shape))
    }

    /// Concatenates maps along their channels.
    ///
    /// # Panics
    ///
    /// If there are none, or they differ in another axis or their device.
    pub fn cat(maps: Vec<Self>) -> Self {
        let layout = maps.first().map(|map| map.layout);
        assert!(layout.is_some(), "there is nothing to concatenate");
        let layout = layout.unwrap_or(Layout::ChannelsFirst);
        let axis = match layout {
            Layout::ChannelsFirst => 1,
            Layout::ChannelsLast => 3,
        };
        let values = maps.into_iter().map(|map| map.into_layout(layout));
        Self {
            values: Tensor::cat(values.collect(), axis),
            layout,
        }
    }

    fn into_layout(self, layout: Layout) -> Tensor<4> {
        match (self.layout, layout) {
            (own, asked) if own == asked => self.values,
            (_, Layout::ChannelsFirst) => self.into_nchw(),
            (_, Layout::ChannelsLast) => self.values.permute([0, 2, 3, 1]),
        }
    }

    /// Wraps values of shape `[batch, height, width, channels]`, for the kernels of Flex.
    #[cfg(feature = "flex")]
    pub(crate) fn channels_last(values: Tensor<4>) -> Self {
        Self {
            values,
            layout: Layout::ChannelsLast,
        }
    }

    /// The values of shape `[batch, height, width, channels]`, if a kernel of Flex can read them.
    #[cfg(feature = "flex")]
    #[expect(clippy::result_large_err, reason = "the caller takes it apart at once")]
    pub(crate) fn try_channels_last(self) -> Result<Tensor<4>, Self> {
        match self.layout {
            Layout::ChannelsLast => Ok(self.values),
            Layout::ChannelsFirst => Err(self),
        }
    }
}

impl Add for FeatureMap {
    type Output = Self;

    /// Adds two maps of the same shape.
    fn add(self, other: Self) -> Self {
        let other = other.into_layout(self.layout);
        Self {
            values: self.values + other,
            ..self
        }
    }
}
