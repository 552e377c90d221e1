//! Brightness of an image, and patches of it.

use tinderbox_datasets::image::Image;

/// One number per pixel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plane {
    pub(super) height: usize,
    pub(super) width: usize,
    /// The values `[height, width]`; brightness is from 0 to 255.
    pub(super) values: Vec<f32>,
}

impl Plane {
    /// The brightness of an image.
    pub(super) fn of(image: &Image) -> Self {
        let light = |pixel: &[u8]| match *pixel {
            [red, green, blue] => {
                0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue)
            }
            _ => pixel.first().map_or(0.0, |&value| f32::from(value)),
        };
        let pixels = image.pixels.chunks_exact(image.channels.max(1));
        Self {
            height: image.height,
            width: image.width,
            values: pixels.map(light).collect(),
        }
    }

    pub(super) fn at(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.width + x]
    }

    /// The longer side.
    pub(super) fn longest(&self) -> usize {
        self.height.max(self.width)
    }

    /// The plane with sides divided by `factor`, averaged.
    pub(super) fn reduced(&self, factor: usize) -> Self {
        let [height, width] = [self.height, self.width].map(|side| (side / factor).max(1));
        let mut values = Vec::with_capacity(height * width);
        for y in 0..height {
            for x in 0..width {
                let (mut sum, mut count) = (0.0, 0.0);
                for row in y * factor..((y + 1) * factor).min(self.height) {
                    for column in x * factor..((x + 1) * factor).min(self.width) {
                        sum += self.at(column, row);
                        count += 1.0;
                    }
                }
                values.push(sum / f32::max(count, 1.0));
            }
        }
        Self {
            height,
            width,
            values,
        }
    }

    /// The value between pixels, whose centers have the coordinates 0, 1, …; none outside.
    pub(super) fn sample(&self, [x, y]: [f64; 2]) -> Option<f32> {
        let (right, bottom) = ((self.width - 1) as f64, (self.height - 1) as f64);
        if !(0.0..=right).contains(&x) || !(0.0..=bottom).contains(&y) {
            return None;
        }
        let (left, top) = (x as usize, y as usize);
        let (next, below) = (
            (left + 1).min(self.width - 1),
            (top + 1).min(self.height - 1),
        );
        let (across, down) = ((x - left as f64) as f32, (y - top as f64) as f32);
        let upper = self.at(left, top) * (1.0 - across) + self.at(next, top) * across;
        let lower = self.at(left, below) * (1.0 - across) + self.at(next, below) * across;
        Some(upper * (1.0 - down) + lower * down)
    }

    /// Derivatives to the right and down at a pixel.
    pub(super) fn slope(&self, x: usize, y: usize) -> [f32; 2] {
        let (left, right) = (x.saturating_sub(1), (x + 1).min(self.width - 1));
        let (above, below) = (y.saturating_sub(1), (y + 1).min(self.height - 1));
        [
            0.5 * (self.at(right, y) - self.at(left, y)),
            0.5 * (self.at(x, below) - self.at(x, above)),
        ]
    }

    /// How steep the brightness is at each pixel, which hardly depends on exposure.
    pub(super) fn steepness(&self) -> Self {
        let steep = |at: usize| {
            let [dx, dy] = self.slope(at % self.width, at / self.width);
            dx.hypot(dy)
        };
        Self {
            values: (0..self.values.len()).map(steep).collect(),
            ..*self
        }
    }

    /// The square of `2 * radius + 1` pixels around a pixel, normalized; none if it leaves the plane.
    pub(super) fn patch(&self, [x, y]: [usize; 2], radius: usize) -> Option<Patch> {
        if x < radius || y < radius || x + radius >= self.width || y + radius >= self.height {
            return None;
        }
        let mut values = Vec::with_capacity((2 * radius + 1) * (2 * radius + 1));
        for row in y - radius..=y + radius {
            let start = row * self.width + x - radius;
            values.extend_from_slice(&self.values[start..=start + 2 * radius]);
        }
        Some(Patch::new(values))
    }

    /// The normalized cross-correlation of a patch with the square around a pixel; none if that leaves the plane
    /// or has no contrast.
    pub(super) fn correlation(&self, patch: &Patch, [x, y]: [isize; 2]) -> Option<f32> {
        let side = patch.values.len().isqrt();
        let radius = (side / 2).cast_signed();
        let (left, top) = (x - radius, y - radius);
        let (right, bottom) = (left + side.cast_signed(), top + side.cast_signed());
        let inside = right <= self.width.cast_signed() && bottom <= self.height.cast_signed();
        if left < 0 || top < 0 || !inside {
            return None;
        }
        let (left, top) = (left.cast_unsigned(), top.cast_unsigned());
        let (mut sum, mut squares, mut product) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (row, wanted) in patch.values.chunks_exact(side).enumerate() {
            let start = (top + row) * self.width + left;
            for (&value, &wanted) in self.values[start..start + side].iter().zip(wanted) {
                sum += value;
                squares += value * value;
                product += value * wanted;
            }
        }
        let count = patch.values.len() as f32;
        let spread = squares - sum * sum / count;
        // The patch has mean 0 and length 1.
        (spread > 0.5 * count).then(|| product / spread.sqrt())
    }
}

/// A square of values of mean 0 and length 1.
pub(super) struct Patch {
    values: Vec<f32>,
    /// Standard deviation of the values before.
    pub(super) contrast: f32,
}

impl Patch {
    fn new(mut values: Vec<f32>) -> Self {
        let count = values.len() as f32;
        let mean = values.iter().sum::<f32>() / count;
        for value in &mut values {
            *value -= mean;
        }
        let squares: f32 = values.iter().map(|value| value * value).sum();
        let length = squares.sqrt().max(1e-6);
        for value in &mut values {
            *value /= length;
        }
        Self {
            values,
            contrast: (squares / count).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texture(gain: f32, offset: f32) -> Plane {
        let value = |at: usize| ((at * 7919) % 97) as f32 * gain + offset;
        Plane {
            height: 20,
            width: 30,
            values: (0..600).map(value).collect(),
        }
    }

    #[test]
    fn correlation_is_one_at_the_place_of_the_patch_whatever_the_exposure() {
        let (photo, brighter) = (texture(1.0, 0.0), texture(1.7, 30.0));
        let patch = photo.patch([12, 9], 4).unwrap();
        assert!((brighter.correlation(&patch, [12, 9]).unwrap() - 1.0).abs() < 1e-4);
        assert!(brighter.correlation(&patch, [13, 9]).unwrap() < 0.9);
        assert!(photo.correlation(&patch, [3, 9]).is_none());
        assert!(photo.patch([3, 9], 4).is_none());
    }

    #[test]
    fn a_sample_is_between_its_pixels() {
        let plane = texture(1.0, 0.0);
        let middle = plane.sample([2.5, 3.0]).unwrap();
        assert!((middle - 0.5 * (plane.at(2, 3) + plane.at(3, 3))).abs() < 1e-4);
        assert_eq!(plane.sample([29.5, 3.0]), None);
        assert_eq!(plane.reduced(2).values.len(), 150);
    }
}
