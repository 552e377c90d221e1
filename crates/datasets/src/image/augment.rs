//! Data augmentation: random changes of images that keep their meaning.
//!
//! | key | what it does | reference |
//! |---|---|---|
//! | `shift`, `rotate`, `scale`, `shear` | one affine warp, bilinear, black outside | Simard et al., 2003, <https://doi.org/10.1109/ICDAR.2003.1227801> |
//! | `flip` | mirrors left and right | Krizhevsky et al., 2012, <https://doi.org/10.1145/3065386> |
//! | `vertical_flip`, `quarter_turns` | mirrors top and bottom, turns by 90 degrees | for images without an up, such as tissue |
//! | `elastic` | smooth random shifts of pixels | Simard et al., 2003, see above |
//! | `unwarped` | leaves some images without the changes above that interpolate | |
//! | `brightness`, `contrast`, `saturation`, `hue` | changes colors | `ColorJitter` of torchvision |
//! | `crop` | pads with black, crops at a random position | He et al., 2016, <https://arxiv.org/abs/1512.03385> |
//! | `erase` | fills a random box with noise | Zhong et al., *Random Erasing*, 2017, <https://arxiv.org/abs/1708.04896> |
//! | `mixup` | blends two images and their labels | Zhang et al., *mixup*, 2017, <https://arxiv.org/abs/1710.09412> |
//! | `cutmix` | pastes a box of one image into another | Yun et al., *CutMix*, 2019, <https://arxiv.org/abs/1905.04899> |
//!
//! All rows but the last two change one image, [`Augment::apply`], and the same change of position its mask,
//! [`AugmentParams::apply_mask`]. The last two join images of a batch:
//! [`Augment::sample_mix`] and [`Mix::blend`]. For images with boxes, [`augment_boxes`] does all of it, with a
//! [`Mosaic`] of four.
//!
//! Differs from the papers: the partner of an image in a batch is the next image instead of a
//! random one, which is the same for batches drawn at random.

mod canvas;
mod color;
mod elastic;
mod erase;
mod geometry;
mod grid;
#[cfg(test)]
mod joint_tests;
mod mix;
mod mosaic;
#[cfg(test)]
mod mosaic_tests;
#[cfg(test)]
mod tests;
mod warp;
mod window;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{IGNORE, Image, Mask};
use crate::random::{Stream, below, beta, symmetric, uniform};
use color::ColorJitter;
use elastic::Elastic;
use erase::Erase;
use mix::sample_box;
use warp::Warp;

pub use geometry::{Geometry, TransformedBoxes};
pub use mix::{Mix, MixKind};
pub use mosaic::{Mosaic, augment_boxes};
pub use window::CropWindow;

impl Image {
    /// Mirrors the image left and right.
    pub fn mirror(&mut self) {
        grid::mirror(&mut self.pixels, self.width, self.channels);
    }
}

/// Data augmentation: the random changes of an image and their strength. The default makes none.
///
/// ```
/// use tinderbox_datasets::{image::{Augment, Image}, random::stream};
///
/// let augment = Augment { shift: 0.1, rotate: 10.0, ..Augment::default() };
/// augment.validate()?;
/// let image = Image { height: 2, width: 2, channels: 1, pixels: vec![0, 50, 100, 150] };
/// let (seed, epoch, index) = (42, 0, 7);
/// let first = augment.apply(image.clone(), &mut stream(seed, &[epoch, index]));
/// let again = augment.apply(image, &mut stream(seed, &[epoch, index]));
/// assert_eq!(first, again);
/// # Ok::<(), tinderbox_datasets::image::AugmentError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Largest shift along each axis, as a fraction of that side, in `[0, 1)`.
    pub shift: f32,
    /// Largest rotation to either side, in degrees, in `[0, 180]`.
    pub rotate: f32,
    /// Largest change of size, as a fraction, in `[0, 0.9]`: 0.1 draws from 0.9 to 1.1.
    pub scale: f32,
    /// Largest slant to either side, in degrees, in `[0, 60]`.
    pub shear: f32,
    /// Probability of mirroring left and right, in `[0, 1]`. Not for digits or text.
    pub flip: f32,
    /// Probability of mirroring top and bottom, in `[0, 1]`. For images without an up.
    pub vertical_flip: f32,
    /// Probability of a turn by a random multiple of 90 degrees, in `[0, 1]`; of 180 degrees where the image
    /// is not square. For images without an up.
    pub quarter_turns: f32,
    /// Root mean square of the smooth shifts of an elastic deformation, as a fraction of the shorter side,
    /// in `[0, 0.2]`.
    pub elastic: f32,
    /// Probability, in `[0, 1]`, that an image is left sharp, without shift, rotation, scale, shear and elastic
    /// deformation: they interpolate, which blurs an image a little, and images to predict are not blurred.
    pub unwarped: f32,
    /// Largest change of brightness, as a fraction, in `[0, 1]`.
    pub brightness: f32,
    /// Largest change of contrast, as a fraction, in `[0, 1]`.
    pub contrast: f32,
    /// Largest change of saturation, as a fraction, in `[0, 1]`. Of color images.
    pub saturation: f32,
    /// Largest turn of the color wheel to either side, as a fraction of it, in `[0, 0.5]`. Of color images.
    pub hue: f32,
    /// Width of the black margin before the random cut, in pixels, in `0..=1024`; 0 is off.
    pub crop: usize,
    /// Probability of erasing a box, in `[0, 1]`.
    pub erase: f32,
    /// Both parameters of mixup's beta distribution, in `[0, 100]`; 0 is off.
    pub mixup: f32,
    /// Both parameters of `CutMix`'s beta distribution, in `[0, 100]`; 0 is off.
    pub cutmix: f32,
}

/// A key of [`Augment`] is out of range.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("`{key}` must be {range} (got {value})")]
pub struct AugmentError {
    /// The key.
    pub key: &'static str,
    /// Its range.
    pub range: &'static str,
    /// Its value.
    pub value: f64,
}

/// The sampled changes of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct AugmentParams {
    /// The change of position, for the image and its boxes, mask or points.
    pub geometry: Geometry,
    /// The change of colors.
    color: Option<ColorJitter>,
    /// A box to erase, which changes pixels only.
    erase: Option<Erase>,
}

impl Augment {
    /// Checks every key.
    ///
    /// # Errors
    ///
    /// If a key is out of its range or not a number.
    pub fn validate(&self) -> Result<(), AugmentError> {
        let largest_below_one = 1.0 - f32::EPSILON / 2.0;
        let keys = [
            (
                "shift",
                self.shift,
                largest_below_one,
                "at least 0 and below 1",
            ),
            ("rotate", self.rotate, 180.0, "from 0 to 180"),
            ("scale", self.scale, 0.9, "from 0 to 0.9"),
            ("shear", self.shear, 60.0, "from 0 to 60"),
            ("flip", self.flip, 1.0, "from 0 to 1"),
            ("vertical_flip", self.vertical_flip, 1.0, "from 0 to 1"),
            ("quarter_turns", self.quarter_turns, 1.0, "from 0 to 1"),
            ("elastic", self.elastic, 0.2, "from 0 to 0.2"),
            ("unwarped", self.unwarped, 1.0, "from 0 to 1"),
            ("brightness", self.brightness, 1.0, "from 0 to 1"),
            ("contrast", self.contrast, 1.0, "from 0 to 1"),
            ("saturation", self.saturation, 1.0, "from 0 to 1"),
            ("hue", self.hue, 0.5, "from 0 to 0.5"),
            ("erase", self.erase, 1.0, "from 0 to 1"),
            ("mixup", self.mixup, 100.0, "from 0 to 100"),
            ("cutmix", self.cutmix, 100.0, "from 0 to 100"),
        ];
        for (key, value, end, range) in keys {
            if !(0.0..=end).contains(&value) {
                return Err(AugmentError {
                    key,
                    range,
                    value: f64::from(value),
                });
            }
        }
        if self.crop > 1024 {
            return Err(AugmentError {
                key: "crop",
                range: "from 0 to 1024",
                value: self.crop as f64,
            });
        }
        Ok(())
    }

    /// Whether nothing is changed, neither images nor batches.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Samples the changes of one image of the shape `[height, width, channels]`: its geometry first,
    /// then its erased box and its colors.
    ///
    /// Take `rng` from [`stream`](crate::random::stream) with epoch and index, so that the result
    /// depends on nothing else.
    pub fn sample(&self, shape: [usize; 3], rng: &mut Stream) -> AugmentParams {
        let [height, width, _] = shape;
        let unwarped = self.unwarped > 0.0 && uniform(rng) < self.unwarped;
        let warp = self.sample_warp(height, width, rng).filter(|_| !unwarped);
        let flip = self.flip > 0.0 && uniform(rng) < self.flip;
        let mut shift = || {
            if self.crop == 0 {
                return 0;
            }
            self.crop.cast_signed() - below(rng, 2 * self.crop + 1).cast_signed()
        };
        let (down, right) = (shift(), shift());
        let elastic = (self.elastic > 0.0 && height > 0 && width > 0)
            .then(|| Elastic::sample(self.elastic, height, width, rng))
            .filter(|_| !unwarped);
        let vertical_flip = self.vertical_flip > 0.0 && uniform(rng) < self.vertical_flip;
        let turns = self.sample_turns(height == width, rng);
        let erase = if self.erase > 0.0 && uniform(rng) < self.erase {
            Erase::sample(shape, rng)
        } else {
            None
        };
        let color = ColorJitter::sample(self, rng);
        AugmentParams {
            geometry: Geometry {
                height,
                width,
                elastic,
                warp,
                flip,
                vertical_flip,
                turns,
                down,
                right,
            },
            color,
            erase,
        }
    }

    /// Changes one image with draws from `rng`: [`sample`](Self::sample) and
    /// [`AugmentParams::apply_image`] in one call, for targets without a position such as a class.
    pub fn apply(&self, image: Image, rng: &mut Stream) -> Image {
        let shape = [image.height, image.width, image.channels];
        self.sample(shape, rng).apply_image(image)
    }

    /// Draws how a batch of images of this size is mixed, or `None` if it is not.
    ///
    /// If both mixup and `CutMix` are on, a fair coin chooses.
    pub fn sample_mix(&self, height: usize, width: usize, rng: &mut Stream) -> Option<Mix> {
        let cutmix = match (self.mixup > 0.0, self.cutmix > 0.0) {
            (false, false) => return None,
            (true, true) => below(rng, 2) == 1,
            (_, cutmix) => cutmix,
        };
        if cutmix {
            return sample_box(f64::from(self.cutmix), height, width, rng);
        }
        let weight = beta(f64::from(self.mixup), rng) as f32;
        Some(Mix {
            weight,
            kind: MixKind::Mixup,
        })
    }

    /// Quarter turns to the right: 0 to 3 of a square, 0 or 2 of another shape.
    fn sample_turns(&self, square: bool, rng: &mut Stream) -> u8 {
        if self.quarter_turns == 0.0 || uniform(rng) >= self.quarter_turns {
            return 0;
        }
        // No turn is one of them, so that with a probability of 1 all are equally likely.
        if square {
            below(rng, 4) as u8
        } else {
            2 * below(rng, 2) as u8
        }
    }

    fn sample_warp(&self, height: usize, width: usize, rng: &mut Stream) -> Option<Warp> {
        let limits = [self.shift, self.rotate, self.scale, self.shear];
        if limits.iter().all(|&limit| limit == 0.0) {
            return None;
        }
        let mut draw = |limit: f32| f64::from(symmetric(rng, limit));
        Some(Warp {
            right: draw(self.shift) * width as f64,
            down: draw(self.shift) * height as f64,
            angle: draw(self.rotate).to_radians(),
            scale: 1.0 + draw(self.scale),
            shear: draw(self.shear).to_radians().tan(),
        })
    }
}

impl AugmentParams {
    /// The changed image.
    ///
    /// # Panics
    ///
    /// If the image is not of the shape that was sampled for.
    pub fn apply_image(&self, image: Image) -> Image {
        let mut image = image;
        if let Some(color) = &self.color {
            color.apply(&mut image);
        }
        let mut image = self.geometry.apply_image(image);
        if let Some(erase) = &self.erase {
            erase.apply(&mut image);
        }
        image
    }

    /// The changed image, `fill` where nothing was. Colors change last, those of `fill` too, so that the border of
    /// a canvas of that color cannot be seen.
    fn apply_image_on(&self, image: Image, fill: u8) -> Image {
        let mut image = self.geometry.apply_image_on(image, fill);
        if let Some(color) = &self.color {
            color.apply(&mut image);
        }
        if let Some(erase) = &self.erase {
            erase.apply(&mut image);
        }
        image
    }

    /// The mask after the same change of position: the class of the nearest pixel, [`IGNORE`] where the
    /// image has nothing. Colors and the erased box leave it as it is.
    ///
    /// # Panics
    ///
    /// If the mask is not of the shape that was sampled for.
    pub fn apply_mask(&self, mask: Mask) -> Mask {
        self.geometry.apply_mask(mask, IGNORE)
    }
}
