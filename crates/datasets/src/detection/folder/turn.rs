//! Boxes that are turned with their image.

use image::metadata::Orientation;

/// The box in the image that is turned as its EXIF note says, of one in the stored image of this height and width.
pub(super) fn turn_box(
    [left, top, right, bottom]: [f64; 4],
    (height, width): (usize, usize),
    orientation: Orientation,
) -> [f64; 4] {
    let (height, width) = (height as f64, width as f64);
    // Edges seen from the right and from the bottom.
    let (from_right, from_bottom) = (
        [width - right, width - left],
        [height - bottom, height - top],
    );
    let (x, y) = ([left, right], [top, bottom]);
    let (x, y) = match orientation {
        Orientation::NoTransforms => (x, y),
        Orientation::FlipHorizontal => (from_right, y),
        Orientation::Rotate180 => (from_right, from_bottom),
        Orientation::FlipVertical => (x, from_bottom),
        Orientation::Rotate90FlipH => (y, x),
        Orientation::Rotate90 => (from_bottom, x),
        Orientation::Rotate270FlipH => (from_bottom, from_right),
        Orientation::Rotate270 => (y, from_right),
    };
    [x[0], y[0], x[1], y[1]]
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, GrayImage, Luma};

    use super::*;

    #[test]
    fn a_box_stays_around_its_object() {
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut picture = GrayImage::new(7, 5);
            for (x, y) in [(1, 2), (2, 2), (3, 2)] {
                picture.put_pixel(x, y, Luma([9]));
            }
            let mut picture = DynamicImage::ImageLuma8(picture);
            picture.apply_orientation(orientation);
            let turned = turn_box([1.0, 2.0, 4.0, 3.0], (5, 7), orientation);
            for (x, y, pixel) in picture.to_luma8().enumerate_pixels() {
                let (x, y) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
                let is_inside = x > turned[0] && y > turned[1] && x < turned[2] && y < turned[3];
                assert_eq!(is_inside, pixel.0[0] == 9, "{exif} {x} {y} {turned:?}");
            }
        }
    }
}
