//! Masks, the target of semantic segmentation.

#[cfg(feature = "loader")]
mod outline;
mod read;
mod region;
#[cfg(test)]
mod tests;

use thiserror::Error;

#[cfg(feature = "loader")]
pub(super) use outline::Region;
#[cfg(feature = "loader")]
pub(crate) use outline::unpack_runs;
pub use read::{MaskFileError, MaskValues, RawMask, RawSource, read_mask};
#[cfg(feature = "loader")]
pub(super) use region::fit_region;
pub(super) use region::sample_region;

/// The class of pixels that no loss and no metric counts: unlabeled borders, crowds, and what an
/// augmentation brings in from outside of the image.
pub const IGNORE: u16 = u16::MAX;

/// A class for every pixel of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// The classes `[height, width]`, counted from 0, or [`IGNORE`].
    pub classes: Vec<u16>,
}

/// The number of classes in a [`Mask`] is not height times width.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("a mask of {height} x {width} pixels needs {} classes (got {found})", height * width)]
pub struct MaskError {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// Number of classes given.
    pub found: usize,
}

impl Mask {
    /// A mask of `classes`, `[height, width]`.
    ///
    /// # Errors
    ///
    /// If there are not as many classes as pixels.
    pub fn new(height: usize, width: usize, classes: Vec<u16>) -> Result<Self, MaskError> {
        if height.checked_mul(width) != Some(classes.len()) {
            return Err(MaskError {
                height,
                width,
                found: classes.len(),
            });
        }
        Ok(Self {
            height,
            width,
            classes,
        })
    }

    /// The mask in another size: the class of the nearest pixel.
    ///
    /// # Panics
    ///
    /// If one of the masks has no pixel and the other has.
    #[must_use]
    pub fn resize(&self, height: usize, width: usize) -> Self {
        if (self.height, self.width) == (height, width) {
            return self.clone();
        }
        let all = [0.0, 0.0, self.height as f64, self.width as f64];
        sample_region(self, all, height, width)
    }

    /// The classes that occur, sorted, without [`IGNORE`].
    pub fn present(&self) -> Vec<u16> {
        let mut seen = vec![false; usize::from(IGNORE) + 1];
        for &class in &self.classes {
            seen[usize::from(class)] = true;
        }
        (0..IGNORE)
            .filter(|&class| seen[usize::from(class)])
            .collect()
    }
}
