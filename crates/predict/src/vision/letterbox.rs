//! Images scaled into a box, and images continued beyond their border.

use tinderbox_datasets::image::{Image, resize_image};

/// Where an image lies on a canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Its first row on the canvas.
    pub top: usize,
    /// Its first column on the canvas.
    pub left: usize,
    /// Its height on the canvas.
    pub height: usize,
    /// Its width on the canvas.
    pub width: usize,
}

/// Height and width of an image scaled so that its longer side has `size` pixels.
pub fn scaled_size(image: [usize; 2], size: usize) -> [usize; 2] {
    let longer = image[0].max(image[1]).max(1);
    image.map(|side| ((side * size + longer / 2) / longer).clamp(1, size))
}

/// Scales an image so that its longer side has `size` pixels, and centers it on a canvas of
/// `[height, width]` pixels, on which its outermost pixels are repeated.
///
/// # Panics
///
/// If the canvas is smaller than the scaled image.
pub fn letterbox(image: &Image, size: usize, [height, width]: [usize; 2]) -> (Image, Placement) {
    let [inner_height, inner_width] = scaled_size([image.height, image.width], size);
    let inner = resize_image(image, inner_height, inner_width);
    assert!(
        inner_height <= height && inner_width <= width,
        "the canvas of {height}x{width} pixels is smaller than {inner_height}x{inner_width}"
    );
    let placement = Placement {
        top: (height - inner_height) / 2,
        left: (width - inner_width) / 2,
        height: inner_height,
        width: inner_width,
    };
    let nearest = |at: usize, start: usize, side: usize| at.saturating_sub(start).min(side - 1);
    let rows = (0..height).map(|row| nearest(row, placement.top, inner_height));
    let columns = (0..width).map(|column| nearest(column, placement.left, inner_width));
    (
        pick_pixels(&inner, rows, &columns.collect::<Vec<_>>()),
        placement,
    )
}

/// Continues an image by mirroring it at its border: `before` rows and columns before it, and as many
/// after it as make `[height, width]`.
pub fn mirror_pad(image: &Image, before: usize, [height, width]: [usize; 2]) -> Image {
    let rows = (0..height).map(|row| reflect(row, before, image.height));
    let columns = (0..width).map(|column| reflect(column, before, image.width));
    pick_pixels(image, rows, &columns.collect::<Vec<_>>())
}

/// The position in `0..side` that the one at `at - before` is a mirror image of, without repeating the
/// outermost.
///
/// # Panics
///
/// If `side` is 0.
pub fn reflect(at: usize, before: usize, side: usize) -> usize {
    let period = 2 * (side - 1);
    if period == 0 {
        return 0;
    }
    let at = (at + period * before.div_ceil(period) - before) % period;
    at.min(period - at)
}

/// The pixels of an image at some rows and columns, as an image.
///
/// # Panics
///
/// If a row or column is outside of the image.
pub fn pick_pixels(
    image: &Image,
    rows: impl ExactSizeIterator<Item = usize>,
    columns: &[usize],
) -> Image {
    let channels = image.channels;
    let height = rows.len();
    let mut pixels = Vec::with_capacity(height * columns.len() * channels);
    for row in rows {
        let row = &image.pixels[row * image.width * channels..][..image.width * channels];
        for &column in columns {
            pixels.extend_from_slice(&row[column * channels..][..channels]);
        }
    }
    Image {
        height,
        width: columns.len(),
        channels,
        pixels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pixels: &[u8]) -> Image {
        Image {
            height: 1,
            width: pixels.len(),
            channels: 1,
            pixels: pixels.to_vec(),
        }
    }

    #[test]
    fn a_letterboxed_image_is_centered_between_copies_of_its_border() {
        let (canvas, placement) = letterbox(&row(&[1, 2, 3, 4]), 4, [3, 6]);
        let line = [1, 1, 2, 3, 4, 4];
        assert_eq!(canvas.pixels, [line, line, line].concat());
        let expected = Placement {
            top: 1,
            left: 1,
            height: 1,
            width: 4,
        };
        assert_eq!(placement, expected);
        assert_eq!(scaled_size([3000, 4000], 320), [240, 320]);
        assert_eq!(scaled_size([1, 4000], 320), [1, 320]);
    }

    #[test]
    fn a_mirrored_border_does_not_repeat_the_outermost_pixel() {
        let padded = mirror_pad(&row(&[1, 2, 3]), 2, [1, 9]);
        assert_eq!(padded.pixels, [3, 2, 1, 2, 3, 2, 1, 2, 3]);
        assert_eq!(mirror_pad(&row(&[7]), 3, [1, 5]).pixels, [7; 5]);
    }
}
