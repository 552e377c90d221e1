//! Random erasing: a box filled with noise.

use rand_xoshiro::rand_core::Rng;

use crate::image::Image;
use crate::random::{Stream, below, uniform};

/// Smallest and largest fraction of the image that is erased.
const AREA: (f32, f32) = (0.02, 0.4);

/// Smallest and largest aspect ratio (height over width) of the erased box.
const ASPECT: (f32, f32) = (0.3, 1.0 / 0.3);

/// Boxes drawn until one fits into the image.
const TRIALS: usize = 20;

/// A sampled box and the noise it is filled with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Erase {
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) width: usize,
    /// `[height, width, channels]` of the box.
    noise: Vec<u8>,
}

impl Erase {
    /// Samples a box as algorithm 1 of the paper does; `None` if none fits.
    pub(super) fn sample([height, width, channels]: [usize; 3], rng: &mut Stream) -> Option<Self> {
        for _ in 0..TRIALS {
            let mut draw = |(start, end): (f32, f32)| start + (end - start) * uniform(rng);
            let area = draw(AREA) * (height * width) as f32;
            let aspect = draw(ASPECT);
            let box_height = (area * aspect).sqrt().round() as usize;
            let box_width = (area / aspect).sqrt().round() as usize;
            if !(1..height).contains(&box_height) || !(1..width).contains(&box_width) {
                continue;
            }
            let top = below(rng, height - box_height + 1);
            let left = below(rng, width - box_width + 1);
            let mut noise = vec![0; box_height * box_width * channels];
            // One row at a time: the generator is read in words, so the rows decide what is drawn.
            for row in noise.chunks_exact_mut((box_width * channels).max(1)) {
                rng.fill_bytes(row);
            }
            return Some(Self {
                top,
                left,
                width: box_width,
                noise,
            });
        }
        None
    }

    /// Fills the box.
    pub(super) fn apply(&self, image: &mut Image) {
        let row_bytes = self.width * image.channels;
        for (row, noise) in self.noise.chunks_exact(row_bytes.max(1)).enumerate() {
            let start = ((self.top + row) * image.width + self.left) * image.channels;
            image.pixels[start..start + row_bytes].copy_from_slice(noise);
        }
    }
}
