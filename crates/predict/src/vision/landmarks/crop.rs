//! The square part of an image that a network of landmarks sees.

use tinderbox_datasets::image::{Image, bounds_of};

/// Most samples along an axis of an output pixel.
const MAX_SAMPLES: usize = 4;

/// A square in an image, which may be turned and mirrored.
///
/// Its own coordinates go from -1, the left or top edge, to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropFrame {
    /// Its center, in pixels.
    pub center: [f32; 2],
    /// Half of its side, in pixels.
    pub half: f32,
    /// By how much it is turned, in rad.
    pub angle: f32,
    /// Whether left and right are mirrored.
    pub flip: bool,
}

impl CropFrame {
    /// A square around a box of left, top, right and bottom edge, larger than its longer side by a share `margin` on
    /// each side.
    pub fn around_box([left, top, right, bottom]: [f32; 4], margin: f32) -> Self {
        let side = (right - left).max(bottom - top).max(1.0);
        Self {
            center: [0.5 * (left + right), 0.5 * (top + bottom)],
            half: 0.5 * side * (1.0 + 2.0 * margin),
            angle: 0.0,
            flip: false,
        }
    }

    /// A square around points.
    pub fn around_points(points: &[[f32; 2]], margin: f32) -> Self {
        Self::around_box(bounds_of(points), margin)
    }

    /// The mirrored square.
    #[must_use]
    pub fn flipped(self) -> Self {
        Self {
            flip: !self.flip,
            ..self
        }
    }

    /// From coordinates of the square to pixels.
    pub fn to_image(&self, [u, v]: [f32; 2]) -> [f32; 2] {
        let (sin, cos) = self.angle.sin_cos();
        let u = if self.flip { -u } else { u };
        [
            self.center[0] + self.half * (cos * u - sin * v),
            self.center[1] + self.half * (sin * u + cos * v),
        ]
    }

    /// From pixels to coordinates of the square.
    pub fn to_crop(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let (sin, cos) = self.angle.sin_cos();
        let [x, y] = [x - self.center[0], y - self.center[1]].map(|value| value / self.half);
        let (u, v) = (cos * x + sin * y, cos * y - sin * x);
        [if self.flip { -u } else { u }, v]
    }

    /// The square scaled to `size` pixels a side; beyond the image the pixels of its edge.
    ///
    /// A larger square is averaged over up to 4x4 bilinear samples for each pixel.
    pub fn cut(&self, image: &Image, size: usize) -> Image {
        let samples = (2.0 * self.half / size as f32).round() as usize;
        let samples = samples.clamp(1, MAX_SAMPLES);
        let channels = image.channels;
        let mut pixels = Vec::with_capacity(size * size * channels);
        let mut sums = vec![0.0_f32; channels];
        let to_unit = |at: usize, sample: usize| {
            let inside = (sample as f32 + 0.5) / samples as f32;
            2.0 * (at as f32 + inside) / size as f32 - 1.0
        };
        for row in 0..size {
            for column in 0..size {
                sums.fill(0.0);
                for sample in 0..samples * samples {
                    let v = to_unit(row, sample / samples);
                    let u = to_unit(column, sample % samples);
                    add_bilinear(image, self.to_image([u, v]), &mut sums);
                }
                let scale = 1.0 / (samples * samples) as f32;
                pixels.extend(sums.iter().map(|sum| (sum * scale).round() as u8));
            }
        }
        Image {
            height: size,
            width: size,
            channels,
            pixels,
        }
    }
}

/// Adds the values at a position to those of each channel.
fn add_bilinear(image: &Image, [x, y]: [f32; 2], sums: &mut [f32]) {
    let [x, y] = [(x, image.width), (y, image.height)]
        .map(|(at, side)| (at - 0.5).clamp(0.0, side as f32 - 1.0));
    let (left, top) = (x as usize, y as usize);
    let (right, bottom) = (
        (left + 1).min(image.width - 1),
        (top + 1).min(image.height - 1),
    );
    let (dx, dy) = (x - left as f32, y - top as f32);
    let corners = [
        (top, left, (1.0 - dx) * (1.0 - dy)),
        (top, right, dx * (1.0 - dy)),
        (bottom, left, (1.0 - dx) * dy),
        (bottom, right, dx * dy),
    ];
    for (row, column, weight) in corners {
        let at = (row * image.width + column) * image.channels;
        for (sum, &value) in sums.iter_mut().zip(&image.pixels[at..]) {
            *sum += weight * f32::from(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The red channel is the column, the green one the row.
    fn ramp() -> Image {
        let pixels = (0..60_u8).flat_map(|row| (0..80_u8).flat_map(move |column| [column, row, 0]));
        Image {
            height: 60,
            width: 80,
            channels: 3,
            pixels: pixels.collect(),
        }
    }

    #[test]
    fn coordinates_are_inverses_and_pixels_follow_them() {
        for (angle, flip) in [(0.0, false), (0.3, false), (-0.4, true)] {
            let frame = CropFrame {
                center: [40.0, 30.0],
                half: 12.0,
                angle,
                flip,
            };
            let [x, y] = frame.to_image(frame.to_crop([37.0, 33.5]));
            assert!((x - 37.0).abs() < 1e-4 && (y - 33.5).abs() < 1e-4);
            let crop = frame.cut(&ramp(), 16);
            // The center of the pixel in row 4 and column 11.
            let [x, y] = frame.to_image([2.0 * 11.5 / 16.0 - 1.0, 2.0 * 4.5 / 16.0 - 1.0]);
            let pixel = &crop.pixels[(4 * 16 + 11) * 3..];
            assert!(
                (f32::from(pixel[0]) + 0.5 - x).abs() <= 0.6,
                "{pixel:?} {x}"
            );
            assert!(
                (f32::from(pixel[1]) + 0.5 - y).abs() <= 0.6,
                "{pixel:?} {y}"
            );
        }
    }

    #[test]
    fn a_square_has_its_margin_and_beyond_the_image_is_its_edge() {
        let frame = CropFrame::around_points(&[[10.0, 10.0], [30.0, 20.0]], 0.1);
        assert_eq!((frame.center, frame.half), ([20.0, 15.0], 12.0));
        let far = CropFrame::around_box([-50.0, 20.0, -40.0, 30.0], 0.0);
        assert!(
            far.cut(&ramp(), 8)
                .pixels
                .chunks(3)
                .all(|pixel| pixel[0] == 0)
        );
    }
}
