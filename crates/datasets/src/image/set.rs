//! Labeled images of one size, held in memory as they were stored: one byte per value.

use thiserror::Error;

use super::Image;

/// Errors of building an [`ImageSet`].
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ImageSetError {
    /// The set would have no image, or images without a pixel.
    #[error("an image set needs at least one class and one image with at least one pixel")]
    Empty,
    /// The number of bytes is not labels times height times width times channels.
    #[error("{labels} images need {expected} bytes (got {found})")]
    Pixels {
        /// Number of labels.
        labels: usize,
        /// Bytes that the labels and the size call for.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A label names a class that does not exist.
    #[error("image {item} has label {label}, out of range for {classes} classes")]
    Label {
        /// Position of the image.
        item: usize,
        /// Its label.
        label: u16,
        /// Number of classes.
        classes: usize,
    },
}

/// Labeled images of one size in memory.
///
/// The 60,000 images of MNIST's training set cost 47 MB this way; as `f32` they would cost 188 MB.
#[derive(Debug)]
pub struct ImageSet {
    height: usize,
    width: usize,
    channels: usize,
    pixels: Vec<u8>,
    labels: Vec<u16>,
    class_names: Vec<String>,
}

impl ImageSet {
    /// Joins pixels `[image, height, width, channels]` with their labels.
    ///
    /// ```
    /// use burn::data::dataset::Dataset;
    /// use tinderbox_datasets::image::ImageSet;
    ///
    /// let names = vec!["dark".to_owned(), "light".to_owned()];
    /// let set = ImageSet::new([1, 2, 1], vec![0, 9, 250, 255], vec![0, 1], names)?;
    /// assert_eq!(set.get(1)?.image.pixels, [250, 255]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a part is empty, the number of bytes does not fit, or a label has no class.
    pub fn new(
        [height, width, channels]: [usize; 3],
        pixels: Vec<u8>,
        labels: Vec<u16>,
        class_names: Vec<String>,
    ) -> Result<Self, ImageSetError> {
        let expected = [height, width, channels]
            .iter()
            .try_fold(labels.len(), |size, &side| size.checked_mul(side))
            .filter(|&size| size > 0 && !class_names.is_empty())
            .ok_or(ImageSetError::Empty)?;
        if pixels.len() != expected {
            let (labels, found) = (labels.len(), pixels.len());
            return Err(ImageSetError::Pixels {
                labels,
                expected,
                found,
            });
        }
        let classes = class_names.len();
        if let Some(item) = labels
            .iter()
            .position(|&label| usize::from(label) >= classes)
        {
            return Err(ImageSetError::Label {
                item,
                label: labels[item],
                classes,
            });
        }
        Ok(Self {
            height,
            width,
            channels,
            pixels,
            labels,
            class_names,
        })
    }

    /// Height of every image, in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width of every image, in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Values per pixel: 1 for gray, 3 for red, green and blue.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The class of every image, in the order of the images.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The names of the classes; a label is a position in this list.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The image at `index`.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn image(&self, index: usize) -> Image {
        let size = self.height * self.width * self.channels;
        Image {
            height: self.height,
            width: self.width,
            channels: self.channels,
            pixels: self.pixels[index * size..(index + 1) * size].to_vec(),
        }
    }

    /// All pixels, `[image, height, width, channels]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Swaps the height and the width of every image.
    pub(crate) fn transpose(&mut self) {
        let (height, width, channels) = (self.height, self.width, self.channels);
        let mut turned = vec![0; height * width * channels];
        for image in self.pixels.chunks_exact_mut(turned.len()) {
            for (at, pixel) in image.chunks_exact(channels).enumerate() {
                let (row, column) = (at / width, at % width);
                let to = (column * height + row) * channels;
                turned[to..to + channels].copy_from_slice(pixel);
            }
            image.copy_from_slice(&turned);
        }
        (self.height, self.width) = (width, height);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|class| class.to_string()).collect()
    }

    #[test]
    fn a_wrong_number_of_bytes_is_refused() {
        let result = ImageSet::new([2, 2, 1], vec![0; 7], vec![0, 0], names(1));
        let error = result.unwrap_err();
        assert_eq!(
            error,
            ImageSetError::Pixels {
                labels: 2,
                expected: 8,
                found: 7
            }
        );
    }

    #[test]
    fn a_label_without_a_class_is_refused_by_its_position() {
        let result = ImageSet::new([1, 1, 1], vec![0; 3], vec![0, 1, 2], names(2));
        assert_eq!(
            result.unwrap_err(),
            ImageSetError::Label {
                item: 2,
                label: 2,
                classes: 2
            }
        );
    }

    #[test]
    fn nothing_is_refused() {
        for (sizes, labels, classes) in [
            ([0, 1, 1], vec![0], 1),
            ([1, 1, 1], vec![], 1),
            ([1, 1, 1], vec![0], 0),
        ] {
            let result = ImageSet::new(sizes, Vec::new(), labels, names(classes));
            assert_eq!(result.unwrap_err(), ImageSetError::Empty);
        }
    }

    #[test]
    fn transposing_swaps_rows_and_columns_of_each_image() {
        let pixels = vec![1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16];
        let mut set = ImageSet::new([2, 3, 1], pixels, vec![0, 0], names(1)).unwrap();
        set.transpose();
        assert_eq!((set.height(), set.width()), (3, 2));
        assert_eq!(set.pixels(), [1, 4, 2, 5, 3, 6, 11, 14, 12, 15, 13, 16]);
    }
}
