//! The affine warp of an image and of its targets.

use crate::image::{Image, Mask};

/// An affine warp about the center: shear, then scale, then rotate, then shift.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Warp {
    /// Shift to the right, in pixels.
    pub(super) right: f64,
    /// Shift downward, in pixels.
    pub(super) down: f64,
    /// Rotation from the right toward the bottom, in rad.
    pub(super) angle: f64,
    /// Factor of both sides.
    pub(super) scale: f64,
    /// Pixels to the right per pixel downward.
    pub(super) shear: f64,
}

/// Bits after the point of a fixed-point coordinate.
const POINT: u32 = 32;

/// Half of the last bit of the interpolation weights, so that they are rounded.
const HALF_WEIGHT: i64 = 1 << (POINT - 9);

/// Half a pixel, so that flooring gives the nearest pixel.
const HALF_PIXEL: i64 = 1 << (POINT - 1);

/// Source coordinates of the result's pixels, in fixed point. They move by a constant step from pixel
/// to pixel: additions and shifts only, and a rotation by 90 degrees is exact.
struct SourceGrid {
    x: i64,
    y: i64,
    /// Steps of `x` and `y` per column, then per row.
    column: (i64, i64),
    row: (i64, i64),
}

impl Warp {
    /// The image after the warp: bilinear interpolation, `fill` outside of the source.
    pub(super) fn apply_image(&self, image: &Image, fill: u8) -> Image {
        let (height, width, channels) = (image.height, image.width, image.channels);
        let grid = self.source_grid(height, width, HALF_WEIGHT);
        let (mut row_x, mut row_y) = (grid.x, grid.y);
        let mut pixels = vec![0; image.pixels.len()];
        for row in pixels.chunks_exact_mut((width * channels).max(1)) {
            let (mut x, mut y) = (row_x, row_y);
            for pixel in row.chunks_exact_mut(channels) {
                sample(image, [x, y], fill, pixel);
                x += grid.column.0;
                y += grid.column.1;
            }
            row_x += grid.row.0;
            row_y += grid.row.1;
        }
        Image {
            height,
            width,
            channels,
            pixels,
        }
    }

    /// The mask after the warp: the class of the nearest pixel, `fill` outside of the source.
    pub(super) fn apply_mask(&self, mask: &Mask, fill: u16) -> Mask {
        let (height, width) = (mask.height, mask.width);
        let grid = self.source_grid(height, width, HALF_PIXEL);
        let (mut row_x, mut row_y) = (grid.x, grid.y);
        let mut classes = Vec::with_capacity(mask.classes.len());
        for _ in 0..height {
            let (mut x, mut y) = (row_x, row_y);
            for _ in 0..width {
                let (column, row) = ((x >> POINT) as u64, (y >> POINT) as u64);
                let inside = column < width as u64 && row < height as u64;
                classes.push(if inside {
                    mask.classes[row as usize * width + column as usize]
                } else {
                    fill
                });
                x += grid.column.0;
                y += grid.column.1;
            }
            row_x += grid.row.0;
            row_y += grid.row.1;
        }
        Mask {
            height,
            width,
            classes,
        }
    }

    /// The position after the warp of a point in an image of this size, in pixels.
    pub(super) fn apply_point(&self, [x, y]: [f64; 2], height: usize, width: usize) -> [f64; 2] {
        let (sin, cos) = self.angle.sin_cos();
        let (middle_x, middle_y) = (width as f64 / 2.0, height as f64 / 2.0);
        let (x, y) = (x - middle_x, y - middle_y);
        // rotate * scale * shear
        let sheared = x + self.shear * y;
        [
            self.scale * (cos * sheared - sin * y) + middle_x + self.right,
            self.scale * (sin * sheared + cos * y) + middle_y + self.down,
        ]
    }

    /// Where the pixel in this column and row of an image of this size comes from, as a column and a row.
    pub(super) fn source(&self, [x, y]: [f64; 2], height: usize, width: usize) -> [f64; 2] {
        let [[xx, xy], [yx, yy]] = self.inverse();
        let (middle_x, middle_y) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
        let (x, y) = (x - middle_x - self.right, y - middle_y - self.down);
        [xx * x + xy * y + middle_x, yx * x + yy * y + middle_y]
    }

    /// The inverse of rotate * scale * shear.
    fn inverse(&self) -> [[f64; 2]; 2] {
        let (sin, cos) = self.angle.sin_cos();
        [
            [
                (cos + self.shear * sin) / self.scale,
                (sin - self.shear * cos) / self.scale,
            ],
            [-sin / self.scale, cos / self.scale],
        ]
    }

    /// Where the result's pixels come from; `half` is added for rounding.
    fn source_grid(&self, height: usize, width: usize, half: i64) -> SourceGrid {
        let [[xx, xy], [yx, yy]] = self.inverse();
        let [x, y] = self.source([0.0; 2], height, width);
        SourceGrid {
            x: fixed(x) + half,
            y: fixed(y) + half,
            column: (fixed(xx), fixed(yx)),
            row: (fixed(xy), fixed(yy)),
        }
    }
}

fn fixed(value: f64) -> i64 {
    (value * (1_u64 << POINT) as f64).round() as i64
}

/// Writes the bilinear sample at the fixed-point position `x`, `y`; outside, the image is `fill`.
fn sample(image: &Image, [x, y]: [i64; 2], fill: u8, to: &mut [u8]) {
    let (column, row) = (x >> POINT, y >> POINT);
    let right = ((x >> (POINT - 8)) & 255) as u32;
    let below = ((y >> (POINT - 8)) & 255) as u32;
    let stride = image.width * image.channels;
    let blend = |values: [u8; 4]| {
        let [a, b, c, d] = values.map(u32::from);
        let upper = a * (256 - right) + b * right;
        let lower = c * (256 - right) + d * right;
        ((upper * (256 - below) + lower * below + (1 << 15)) >> 16) as u8
    };
    // A negative coordinate becomes a huge one, so one comparison per axis is enough.
    if (column as u64) < image.width as u64 - 1 && (row as u64) < image.height as u64 - 1 {
        let at = row as usize * stride + column as usize * image.channels;
        let upper = &image.pixels[at..at + 2 * to.len()];
        let lower = &image.pixels[at + stride..at + stride + 2 * to.len()];
        for c in 0..to.len() {
            let d = c + to.len();
            to[c] = blend([upper[c], upper[d], lower[c], lower[d]]);
        }
    } else {
        for (c, value) in to.iter_mut().enumerate() {
            let get = |row: i64, column: i64| {
                if (row as u64) < image.height as u64 && (column as u64) < image.width as u64 {
                    image.pixels[row as usize * stride + column as usize * image.channels + c]
                } else {
                    fill
                }
            };
            let (row_below, column_right) = (row + 1, column + 1);
            *value = blend([
                get(row, column),
                get(row, column_right),
                get(row_below, column),
                get(row_below, column_right),
            ]);
        }
    }
}
