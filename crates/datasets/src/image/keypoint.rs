//! Keypoints, the target of pose estimation.

/// A point of an object, such as its left eye, in pixels from the top left corner of the image.
///
/// The center of the pixel in row `r` and column `c` is `x = c + 0.5`, `y = r + 0.5`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keypoint {
    /// Distance from the left edge.
    pub x: f32,
    /// Distance from the top edge.
    pub y: f32,
    /// Whether the point is in the image and annotated; others have no part in a loss.
    pub visible: bool,
}
