//! An image with its target.

use super::Image;

/// An image and what is to be predicted from it.
///
/// | task | target |
/// |---|---|
/// | classification | a class, `u16` |
/// | object detection | [`Vec<BoundingBox>`](super::BoundingBox) |
/// | semantic segmentation | [`Mask`](super::Mask) |
/// | pose estimation | [`Vec<Keypoint>`](super::Keypoint) |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSample<T> {
    /// The image.
    pub image: Image,
    /// What is to be predicted.
    pub target: T,
}

/// An image and its class, counted from 0.
pub type LabeledImage = ImageSample<u16>;
