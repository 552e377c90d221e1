//! Decoded images that stay in memory between epochs.

use std::sync::OnceLock;

use tinderbox_datasets::image::{Image, ImageError};

/// Most bytes of decoded images that stay in memory, 1 GiB: all of a data set, or none.
const MAX_BYTES: usize = 1 << 30;

/// The images of a data set, each decoded when it is first used; again each time if they need too much memory.
pub(super) struct DecodedImages(Option<Vec<OnceLock<Image>>>);

impl DecodedImages {
    /// For images of these heights and widths.
    pub(super) fn new(sizes: impl ExactSizeIterator<Item = [usize; 2]>, channels: usize) -> Self {
        let count = sizes.len();
        let bytes = sizes.fold(0_usize, |sum, [height, width]| {
            sum.saturating_add(height.saturating_mul(width).saturating_mul(channels))
        });
        Self((bytes <= MAX_BYTES).then(|| (0..count).map(|_| OnceLock::new()).collect()))
    }

    /// The image at `index`, decoded by `decode` if it is not in memory.
    ///
    /// # Errors
    ///
    /// Those of `decode`.
    pub(super) fn get(
        &self,
        index: usize,
        decode: impl FnOnce() -> Result<Image, ImageError>,
    ) -> Result<Image, ImageError> {
        let Some(slot) = self.0.as_ref().map(|slots| &slots[index]) else {
            return decode();
        };
        if slot.get().is_none() {
            // Another thread may have been faster, with the same image.
            let _ = slot.set(decode()?);
        }
        Ok(slot.wait().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_decoded_once_unless_they_need_too_much_memory() {
        let image = Image {
            height: 1,
            width: 1,
            channels: 1,
            pixels: vec![7],
        };
        for (size, expected) in [([1, 1], 1), ([1 << 16, 1 << 16], 3)] {
            let images = DecodedImages::new([size].into_iter(), 1);
            let mut decoded = 0;
            for _ in 0..3 {
                let decode = || {
                    decoded += 1;
                    Ok(image.clone())
                };
                assert_eq!(images.get(0, decode).unwrap(), image);
            }
            assert_eq!(decoded, expected);
        }
    }
}
