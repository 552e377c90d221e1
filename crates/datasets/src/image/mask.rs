//! Masks, the target of semantic segmentation.

use thiserror::Error;

/// A class for every pixel of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// The classes `[height, width]`, counted from 0.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_a_class_for_every_pixel() {
        assert!(Mask::new(2, 3, vec![0; 6]).is_ok());
        let error = Mask::new(2, 3, vec![0; 5]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a mask of 2 x 3 pixels needs 6 classes (got 5)"
        );
    }
}
