//! A random part of a fixed size of an image and of its mask.

use crate::image::{IGNORE, Image, Mask};
use crate::random::{Stream, below};

/// A part of an image, the same for its mask.
///
/// ```
/// use tinderbox_datasets::image::{CropWindow, Image};
/// use tinderbox_datasets::random::stream;
///
/// let image = Image { height: 2, width: 3, channels: 1, pixels: vec![1, 2, 3, 4, 5, 6] };
/// let window = CropWindow::sample([2, 3], [2, 2], &mut stream(42, &[0]));
/// assert_eq!(window.apply_image(&image).pixels.len(), 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CropWindow {
    /// First row; negative where the image is smaller than the part and is centered in it.
    pub top: isize,
    /// First column.
    pub left: isize,
    /// Rows of the part.
    pub height: usize,
    /// Columns of the part.
    pub width: usize,
}

impl CropWindow {
    /// Draws a part of the height and width `to` of an image of the height and width `from`, all places
    /// being equally likely. A smaller image is centered.
    pub fn sample(from: [usize; 2], to: [usize; 2], rng: &mut Stream) -> Self {
        let mut start = |axis: usize| {
            let room = from[axis].cast_signed() - to[axis].cast_signed();
            if room > 0 {
                below(rng, room.cast_unsigned() + 1).cast_signed()
            } else {
                room / 2
            }
        };
        Self {
            top: start(0),
            left: start(1),
            height: to[0],
            width: to[1],
        }
    }

    /// The part of an image, black outside of it.
    pub fn apply_image(&self, image: &Image) -> Image {
        let size = [image.height, image.width, image.channels];
        Image {
            height: self.height,
            width: self.width,
            channels: image.channels,
            pixels: self.cut(&image.pixels, size, 0),
        }
    }

    /// The part of a mask, [`IGNORE`] outside of it.
    pub fn apply_mask(&self, mask: &Mask) -> Mask {
        Mask {
            height: self.height,
            width: self.width,
            classes: self.cut(&mask.classes, [mask.height, mask.width, 1], IGNORE),
        }
    }

    fn cut<T: Copy>(&self, values: &[T], [height, width, channels]: [usize; 3], fill: T) -> Vec<T> {
        let mut part = vec![fill; self.height * self.width * channels];
        // Columns of the part that lie inside the image.
        let inside = |at: isize| at.clamp(0, self.width.cast_signed()).cast_unsigned();
        let (first, last) = (inside(-self.left), inside(width.cast_signed() - self.left));
        for (at, row) in part
            .chunks_exact_mut((self.width * channels).max(1))
            .enumerate()
        {
            let from = at
                .checked_add_signed(self.top)
                .filter(|&from| from < height);
            if let Some(from) = from
                && first < last
            {
                let start = (from * width + first.wrapping_add_signed(self.left)) * channels;
                let len = (last - first) * channels;
                row[first * channels..last * channels].copy_from_slice(&values[start..start + len]);
            }
        }
        part
    }
}
