//! The probabilities of the classes of pixels, and what follows from them at the size of the photo.

use tinderbox_datasets::image::{Image, Mask, resize_image};

use super::guided::{Coefficients, luminance};

/// The probability of each class at each pixel, at the resolution of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// The probabilities, `[classes, height, width]`.
    pub values: Vec<f32>,
}

/// The classes of the pixels of a photo, at its own size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segmented {
    /// The class of each pixel.
    pub mask: Mask,
    /// How much of each pixel belongs to another class than 0, the background, from 0 to 255.
    pub alpha: Vec<u8>,
}

impl Probabilities {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.values.len() / (self.height * self.width).max(1)
    }

    /// The probabilities of one class, `[height, width]`.
    pub fn class(&self, class: usize) -> &[f32] {
        let plane = self.height * self.width;
        &self.values[class * plane..][..plane]
    }

    /// The classes at the size of the photo, interpolated; with `refine`, along the edges that the photo
    /// has, by a guided filter.
    pub fn segment(&self, photo: &Image, refine: bool) -> Segmented {
        let (height, width) = (photo.height, photo.width);
        let guide = refine.then(|| Guide {
            photo: luminance(photo),
            small: luminance(&resize_image(photo, self.height, self.width)),
        });
        let pixels = height * width;
        let mut best = vec![f32::NEG_INFINITY; pixels];
        let mut classes = vec![0_u16; pixels];
        let mut background = vec![0.0_f32; pixels];
        // Two classes have one decision, whose other side follows.
        let binary = self.classes() == 2;
        for (class, number) in (0..self.classes()).zip(0_u16..) {
            if binary && class == 0 {
                continue;
            }
            let plane = self.plane(class, guide.as_ref(), [height, width]);
            if binary {
                let pixels = plane.iter().zip(&mut classes).zip(&mut background);
                for ((&p, class), background) in pixels {
                    *class = u16::from(p >= 0.5);
                    *background = 1.0 - p;
                }
                continue;
            }
            for (at, &p) in plane.iter().enumerate() {
                if p > best[at] {
                    (best[at], classes[at]) = (p, number);
                }
            }
            if class == 0 {
                background = plane;
            }
        }
        let alpha = |&p: &f32| ((1.0 - p).clamp(0.0, 1.0) * 255.0).round() as u8;
        Segmented {
            alpha: background.iter().map(alpha).collect(),
            mask: Mask {
                height,
                width,
                classes,
            },
        }
    }

    /// The probabilities of a class at the size of the photo.
    fn plane(&self, class: usize, guide: Option<&Guide>, photo: [usize; 2]) -> Vec<f32> {
        let small = [self.height, self.width];
        let Some(guide) = guide else {
            return upscale(self.class(class), small, photo);
        };
        let Coefficients { slope, offset } =
            Coefficients::fit(&guide.small, self.class(class), small);
        let slope = upscale(&slope, small, photo);
        let mut plane = upscale(&offset, small, photo);
        for ((value, slope), light) in plane.iter_mut().zip(slope).zip(&guide.photo) {
            *value = (*value + slope * light).clamp(0.0, 1.0);
        }
        plane
    }
}

struct Guide {
    photo: Vec<f32>,
    small: Vec<f32>,
}

/// Bilinear interpolation between the centers of pixels.
pub(crate) fn upscale(values: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    if from == to {
        return values.to_vec();
    }
    let axis = |axis: usize| -> Vec<(usize, usize, f32)> {
        let scale = from[axis] as f32 / to[axis] as f32;
        let sample = |at: usize| {
            let center = ((at as f32 + 0.5) * scale - 0.5).clamp(0.0, (from[axis] - 1) as f32);
            let first = center as usize;
            let second = (first + 1).min(from[axis] - 1);
            (first, second, center - first as f32)
        };
        (0..to[axis]).map(sample).collect()
    };
    let (rows, columns) = (axis(0), axis(1));
    let mut output = Vec::with_capacity(to[0] * to[1]);
    let mut row = vec![0.0_f32; from[1]];
    for (first, second, share) in rows {
        let pair = values[first * from[1]..][..from[1]]
            .iter()
            .zip(&values[second * from[1]..][..from[1]]);
        for (value, (a, b)) in row.iter_mut().zip(pair) {
            *value = a + (b - a) * share;
        }
        let mixed = |&(first, second, share): &(usize, usize, f32)| {
            row[first] + (row[second] - row[first]) * share
        };
        output.extend(columns.iter().map(mixed));
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_is_between_the_centers_of_pixels() {
        assert_eq!(upscale(&[0.0, 1.0], [1, 2], [1, 4]), [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(upscale(&[3.0], [1, 1], [2, 2]), [3.0; 4]);
    }

    #[test]
    fn the_class_is_the_most_probable_one_at_the_size_of_the_photo() {
        let photo = Image {
            height: 2,
            width: 4,
            channels: 1,
            pixels: vec![0; 8],
        };
        let binary = Probabilities {
            height: 1,
            width: 2,
            values: vec![1.0, 0.0, 0.0, 1.0],
        };
        let segmented = binary.segment(&photo, false);
        assert_eq!(segmented.mask.classes, [0, 0, 1, 1, 0, 0, 1, 1]);
        assert_eq!(segmented.alpha[..4], [0, 64, 191, 255]);
        let three = Probabilities {
            height: 1,
            width: 2,
            values: vec![0.1, 0.5, 0.2, 0.4, 0.7, 0.1],
        };
        let segmented = three.segment(&photo, false);
        assert_eq!(segmented.mask.classes[..4], [2, 2, 0, 0]);
    }

    #[test]
    fn refinement_follows_the_edge_of_the_photo() {
        // The edge of the photo lies at column 20 of 64, that of the mask at 24.
        let (height, width) = (32, 64);
        let pixels = (0..height * width).map(|at| if at % width < 20 { 0 } else { 255 });
        let photo = Image {
            height,
            width,
            channels: 1,
            pixels: pixels.collect(),
        };
        let [h, w] = [16, 32];
        let foreground: Vec<f32> = (0..h * w)
            .map(|at| if at % w < 12 { 0.0 } else { 1.0 })
            .collect();
        let background = foreground.iter().map(|p| 1.0 - p);
        let probabilities = Probabilities {
            height: h,
            width: w,
            values: background.chain(foreground.iter().copied()).collect(),
        };
        let wrong = |refine: bool| {
            let segmented = probabilities.segment(&photo, refine);
            let classes = segmented.mask.classes.iter().enumerate();
            classes
                .filter(|(at, class)| **class != u16::from(at % width >= 20))
                .count()
        };
        assert_eq!(wrong(false), 4 * height);
        assert!(wrong(true) <= height, "{}", wrong(true));
    }
}
