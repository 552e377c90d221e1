//! Random changes of images that keep their class, so that a model sees more than was recorded.
//!
//! | key | what it does | reference |
//! |---|---|---|
//! | `shift`, `rotate`, `scale`, `shear` | one affine warp, bilinear, black outside | Simard et al., 2003, <https://doi.org/10.1109/ICDAR.2003.1227801> |
//! | `flip` | mirrors left and right | Krizhevsky et al., 2012, <https://doi.org/10.1145/3065386> |
//! | `crop` | pads with black, cuts at a random place | He et al., 2016, <https://arxiv.org/abs/1512.03385> |
//! | `erase` | fills a random box with noise | Zhong et al., *Random Erasing*, 2017, <https://arxiv.org/abs/1708.04896> |
//! | `mixup` | blends two images and their labels | Zhang et al., *mixup*, 2017, <https://arxiv.org/abs/1710.09412> |
//! | `cutmix` | pastes a box of one image into another | Yun et al., *CutMix*, 2019, <https://arxiv.org/abs/1905.04899> |
//!
//! The first four rows change one image: [`Augment::apply`]. The last two join images of a batch:
//! [`Augment::draw_mix`] and [`Mix::blend`].
//!
//! Differs from the papers: the partner of an image in a batch is the next image instead of a
//! random one, which is the same for batches drawn at random.

use rand_xoshiro::rand_core::Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Image;
use crate::random::{Stream, below, beta, symmetric, uniform, uniform_f64};

/// Which random changes are made, and how strong they are. The default makes none.
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
#[error("`{key}` must lie in {range}, is {value}")]
pub struct AugmentError {
    /// The key.
    pub key: &'static str,
    /// What it may be.
    pub range: &'static str,
    /// What it is.
    pub value: f64,
}

/// Smallest and largest share of the image that is erased.
const ERASE_AREA: (f32, f32) = (0.02, 0.4);

/// Smallest and largest height over width of what is erased.
const ERASE_ASPECT: (f32, f32) = (0.3, 1.0 / 0.3);

/// Boxes drawn until one fits into the image.
const ERASE_TRIALS: usize = 20;

impl Augment {
    /// Checks every key.
    ///
    /// # Errors
    ///
    /// If a key is out of its range or not a number.
    pub fn validate(&self) -> Result<(), AugmentError> {
        let largest_below_one = 1.0 - f32::EPSILON / 2.0;
        let keys = [
            ("shift", self.shift, largest_below_one, "[0, 1)"),
            ("rotate", self.rotate, 180.0, "[0, 180]"),
            ("scale", self.scale, 0.9, "[0, 0.9]"),
            ("shear", self.shear, 60.0, "[0, 60]"),
            ("flip", self.flip, 1.0, "[0, 1]"),
            ("erase", self.erase, 1.0, "[0, 1]"),
            ("mixup", self.mixup, 100.0, "[0, 100]"),
            ("cutmix", self.cutmix, 100.0, "[0, 100]"),
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
                range: "0..=1024",
                value: self.crop as f64,
            });
        }
        Ok(())
    }

    /// Whether nothing is changed, neither images nor batches.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Changes one image with draws from `rng`.
    ///
    /// Take `rng` from [`stream`](crate::random::stream) with epoch and index, so that the result
    /// depends on nothing else.
    pub fn apply(&self, image: Image, rng: &mut Stream) -> Image {
        let mut image = match self.draw_warp(&image, rng) {
            Some(warp) => warp.apply(&image),
            None => image,
        };
        if self.flip > 0.0 && uniform(rng) < self.flip {
            flip(&mut image);
        }
        if self.crop > 0 {
            image = pad_and_cut(&image, self.crop, rng);
        }
        if self.erase > 0.0 && uniform(rng) < self.erase {
            erase(&mut image, rng);
        }
        image
    }

    /// Draws how a batch of images of this size is mixed, or `None` if it is not.
    ///
    /// If both mixup and `CutMix` are on, a fair coin chooses.
    pub fn draw_mix(&self, height: usize, width: usize, rng: &mut Stream) -> Option<Mix> {
        let cutmix = match (self.mixup > 0.0, self.cutmix > 0.0) {
            (false, false) => return None,
            (true, true) => below(rng, 2) == 1,
            (_, cutmix) => cutmix,
        };
        if cutmix {
            return draw_box(f64::from(self.cutmix), height, width, rng);
        }
        let weight = beta(f64::from(self.mixup), rng) as f32;
        Some(Mix {
            weight,
            kind: MixKind::Mixup,
        })
    }

    fn draw_warp(&self, image: &Image, rng: &mut Stream) -> Option<Warp> {
        let limits = [self.shift, self.rotate, self.scale, self.shear];
        if limits.iter().all(|&limit| limit == 0.0) {
            return None;
        }
        let mut draw = |limit: f32| f64::from(symmetric(rng, limit));
        Some(Warp {
            right: draw(self.shift) * image.width as f64,
            down: draw(self.shift) * image.height as f64,
            angle: draw(self.rotate).to_radians(),
            scale: 1.0 + draw(self.scale),
            slant: draw(self.shear).to_radians().tan(),
        })
    }
}

/// An affine warp about the centre: slant, then scale, then rotate, then shift.
struct Warp {
    /// Shift to the right, in pixels.
    right: f64,
    /// Shift downwards, in pixels.
    down: f64,
    /// Rotation from the right towards the bottom, in rad.
    angle: f64,
    /// Factor of both sides.
    scale: f64,
    /// Pixels to the right per pixel downwards.
    slant: f64,
}

/// Bits after the point of a fixed-point coordinate.
const POINT: u32 = 32;

impl Warp {
    /// For every pixel of the result, finds its place in the source and blends four neighbours.
    ///
    /// The place moves by a constant step from pixel to pixel, kept in fixed point: additions and
    /// shifts only, and a rotation by 90 degrees is exact.
    fn apply(&self, image: &Image) -> Image {
        let (height, width, channels) = (image.height, image.width, image.channels);
        let (sin, cos) = self.angle.sin_cos();
        // The inverse of rotate * scale * slant.
        let (xx, xy) = (
            (cos + self.slant * sin) / self.scale,
            (sin - self.slant * cos) / self.scale,
        );
        let (yx, yy) = (-sin / self.scale, cos / self.scale);
        let (middle_x, middle_y) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
        let (left, top) = (-middle_x - self.right, -middle_y - self.down);
        // Half of the last bit of the weights, so that they are rounded.
        let half = 1_i64 << (POINT - 9);
        let mut row_x = fixed(xx * left + xy * top + middle_x) + half;
        let mut row_y = fixed(yx * left + yy * top + middle_y) + half;
        let (xx, xy, yx, yy) = (fixed(xx), fixed(xy), fixed(yx), fixed(yy));

        let mut pixels = vec![0; image.pixels.len()];
        for row in pixels.chunks_exact_mut((width * channels).max(1)) {
            let (mut x, mut y) = (row_x, row_y);
            for pixel in row.chunks_exact_mut(channels) {
                sample(image, x, y, pixel);
                x += xx;
                y += yx;
            }
            row_x += xy;
            row_y += yy;
        }
        Image {
            height,
            width,
            channels,
            pixels,
        }
    }
}

fn fixed(value: f64) -> i64 {
    (value * (1_u64 << POINT) as f64).round() as i64
}

/// Writes the bilinear sample at the fixed-point place `x`, `y`; outside, the image is black.
fn sample(image: &Image, x: i64, y: i64, to: &mut [u8]) {
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
    // A negative place becomes a huge one, so one comparison per axis is enough.
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
                    0
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

/// Mirrors left and right.
fn flip(image: &mut Image) {
    let (width, channels) = (image.width, image.channels);
    for row in image.pixels.chunks_exact_mut((width * channels).max(1)) {
        for left in 0..width / 2 {
            let right = width - 1 - left;
            for c in 0..channels {
                row.swap(left * channels + c, right * channels + c);
            }
        }
    }
}

/// Cuts the image at a random place out of itself with a black margin.
fn pad_and_cut(image: &Image, margin: usize, rng: &mut Stream) -> Image {
    let (height, width, channels) = (image.height, image.width, image.channels);
    let (top, left) = (below(rng, 2 * margin + 1), below(rng, 2 * margin + 1));
    let mut pixels = vec![0; image.pixels.len()];
    // Columns of the result that lie inside the source.
    let first = margin.saturating_sub(left).min(width);
    let last = (width + margin).saturating_sub(left).min(width);
    if first < last {
        for row in 0..height {
            let Some(from) = (row + top)
                .checked_sub(margin)
                .filter(|&from| from < height)
            else {
                continue;
            };
            let from = (from * width + first + left - margin) * channels;
            let to = (row * width + first) * channels;
            let len = (last - first) * channels;
            pixels[to..to + len].copy_from_slice(&image.pixels[from..from + len]);
        }
    }
    Image {
        height,
        width,
        channels,
        pixels,
    }
}

/// Fills a random box with noise, as the paper's algorithm 1 does.
fn erase(image: &mut Image, rng: &mut Stream) {
    let (height, width, channels) = (image.height, image.width, image.channels);
    for _ in 0..ERASE_TRIALS {
        let mut draw = |(start, end): (f32, f32)| start + (end - start) * uniform(rng);
        let area = draw(ERASE_AREA) * (height * width) as f32;
        let aspect = draw(ERASE_ASPECT);
        let box_height = (area * aspect).sqrt().round() as usize;
        let box_width = (area / aspect).sqrt().round() as usize;
        if !(1..height).contains(&box_height) || !(1..width).contains(&box_width) {
            continue;
        }
        let top = below(rng, height - box_height + 1);
        let left = below(rng, width - box_width + 1);
        for row in top..top + box_height {
            let start = (row * width + left) * channels;
            rng.fill_bytes(&mut image.pixels[start..start + box_width * channels]);
        }
        return;
    }
}

/// How the images of a batch are joined with their partners.
///
/// The partner of image `i` in a batch of `n` is image `(i + 1) % n`. A loss joins the labels in the
/// same way: `(1 - weight) * own + weight * partner`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// Weight of the partner's label, in `[0, 1]`.
    pub weight: f32,
    /// How the pixels are joined.
    pub kind: MixKind,
}

/// How the pixels of two images are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MixKind {
    /// Every pixel is a weighted mean.
    Mixup,
    /// The pixels of a box are the partner's.
    CutMix {
        /// First row of the box.
        top: usize,
        /// First column of the box.
        left: usize,
        /// Rows of the box.
        height: usize,
        /// Columns of the box.
        width: usize,
    },
}

impl Mix {
    /// Joins every image of a batch with its partner, in place.
    ///
    /// # Shapes
    ///
    /// - `pixels`: `[batch, channels, height, width]`
    ///
    /// # Panics
    ///
    /// If `pixels` is not of that size, or the box of a `CutMix` leaves the image.
    pub fn blend(
        &self,
        pixels: &mut [f32],
        batch: usize,
        channels: usize,
        height: usize,
        width: usize,
    ) {
        let size = channels * height * width;
        assert_eq!(
            pixels.len(),
            batch * size,
            "pixels are [batch, channels, height, width]"
        );
        if pixels.is_empty() {
            return;
        }
        // The last image is joined with the first as it was.
        let first = pixels[..size].to_vec();
        for i in 0..batch {
            let (before, after) = pixels.split_at_mut((i + 1) * size);
            let own = &mut before[i * size..];
            let partner = if after.is_empty() {
                &first
            } else {
                &after[..size]
            };
            self.join(own, partner, height, width);
        }
    }

    /// Joins one image `[channels, height, width]` with its partner.
    fn join(&self, own: &mut [f32], partner: &[f32], height: usize, width: usize) {
        match self.kind {
            MixKind::Mixup => {
                for (own, partner) in own.iter_mut().zip(partner) {
                    *own += self.weight * (partner - *own);
                }
            }
            MixKind::CutMix {
                top,
                left,
                height: rows,
                width: columns,
            } => {
                assert!(
                    top + rows <= height && left + columns <= width,
                    "the box leaves the image"
                );
                let planes = own.chunks_exact_mut(height * width);
                for (own, partner) in planes.zip(partner.chunks_exact(height * width)) {
                    for row in top..top + rows {
                        let span = row * width + left..row * width + left + columns;
                        own[span.clone()].copy_from_slice(&partner[span]);
                    }
                }
            }
        }
    }
}

/// Draws the box of a `CutMix`: its centre is uniform, what leaves the image is cut off, and the
/// weight is the share of the image that is left. An empty box mixes nothing.
fn draw_box(alpha: f64, height: usize, width: usize, rng: &mut Stream) -> Option<Mix> {
    let side = (1.0 - beta(alpha, rng)).max(0.0).sqrt();
    let (middle_y, middle_x) = (uniform_f64(rng), uniform_f64(rng));
    let cut = |middle: f64, len: usize| {
        let (len, middle) = (len as f64, middle * len as f64);
        let start = (middle - side * len / 2.0).round().clamp(0.0, len) as usize;
        let end = (middle + side * len / 2.0).round().clamp(0.0, len) as usize;
        (start, end - start)
    };
    let ((top, rows), (left, columns)) = (cut(middle_y, height), cut(middle_x, width));
    let area = rows * columns;
    let kind = MixKind::CutMix {
        top,
        left,
        height: rows,
        width: columns,
    };
    (area > 0).then(|| Mix {
        weight: area as f32 / (height * width) as f32,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::random::stream;

    fn image(height: usize, width: usize, channels: usize) -> Image {
        let pixels = (1..=height * width * channels)
            .map(|i| (i * 37 % 251) as u8)
            .collect();
        Image {
            height,
            width,
            channels,
            pixels,
        }
    }

    fn all_on() -> Augment {
        Augment {
            shift: 0.1,
            rotate: 15.0,
            scale: 0.1,
            shear: 5.0,
            flip: 0.5,
            crop: 4,
            erase: 0.5,
            mixup: 0.2,
            cutmix: 1.0,
        }
    }

    fn still() -> Warp {
        Warp {
            right: 0.0,
            down: 0.0,
            angle: 0.0,
            scale: 1.0,
            slant: 0.0,
        }
    }

    #[test]
    fn off_changes_nothing_and_draws_nothing() {
        let augment = Augment::default();
        assert!(augment.is_none() && augment.validate().is_ok());
        let mut rng = stream(0, &[]);
        assert_eq!(augment.apply(image(5, 7, 3), &mut rng), image(5, 7, 3));
        assert_eq!(augment.draw_mix(5, 7, &mut rng), None);
        assert_eq!(rng, stream(0, &[]));
    }

    #[test]
    fn equal_words_give_equal_pixels_and_other_words_do_not() {
        let augment = all_on();
        let draw = |words: &[u64]| augment.apply(image(28, 28, 1), &mut stream(42, words));
        assert_eq!(draw(&[1, 7]), draw(&[1, 7]));
        assert_ne!(draw(&[1, 7]), draw(&[1, 8]));
        assert_ne!(draw(&[1, 7]), draw(&[2, 7]));
    }

    /// The bytes that augmentation gave when seeds were first stored with trained weights: a change of a
    /// draw, of their order or of the arithmetic changes them.
    #[test]
    fn seeded_augmentation_is_byte_identical_to_the_stored_one() {
        let only = |change: fn(&mut Augment)| {
            let mut augment = Augment::default();
            change(&mut augment);
            augment
        };
        let cases = [
            all_on(),
            only(|a| a.shift = 0.2),
            only(|a| (a.rotate, a.scale) = (30.0, 0.3)),
            only(|a| a.shear = 10.0),
            only(|a| a.flip = 0.5),
            only(|a| a.crop = 4),
            only(|a| a.erase = 1.0),
        ];
        let hashes = cases.map(|augment| {
            let mut hasher = crate::ContentHasher::default();
            for (height, width, channels) in [(28, 28, 1), (17, 32, 3)] {
                for index in 0..20 {
                    let mut rng = stream(42, &[1, index]);
                    let result = augment.apply(image(height, width, channels), &mut rng);
                    hasher.bytes(&result.pixels);
                    // The next draw shows how many were made.
                    hasher.bytes(&rng.next_u64().to_le_bytes());
                }
            }
            hasher.finish()
        });
        let stored: [u64; 7] = [
            0x27aa_f970_7323_81f0,
            0x8650_d064_e83b_b9ff,
            0x7110_ea24_7c53_f1c7,
            0x1267_0009_e977_f260,
            0x961c_1ca6_6da2_f5b1,
            0x8605_eadd_5eb7_a6fb,
            0x45f0_6fd0_0466_495f,
        ];
        assert_eq!(hashes, stored);
    }

    #[test]
    fn validate_names_the_key_and_its_range() {
        assert_eq!(all_on().validate(), Ok(()));
        let wrong = Augment {
            rotate: 181.0,
            ..Augment::default()
        };
        let error = wrong.validate().unwrap_err();
        assert_eq!(error.to_string(), "`rotate` must lie in [0, 180], is 181");
        for wrong in [
            Augment {
                shift: 1.0,
                ..Augment::default()
            },
            Augment {
                flip: -0.1,
                ..Augment::default()
            },
            Augment {
                mixup: f32::NAN,
                ..Augment::default()
            },
            Augment {
                cutmix: f32::INFINITY,
                ..Augment::default()
            },
            Augment {
                crop: 1025,
                ..Augment::default()
            },
        ] {
            assert!(wrong.validate().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_quarter_turn_is_exact() {
        for side in [4, 5] {
            let source = image(side, side, 3);
            let turned = Warp {
                angle: std::f64::consts::FRAC_PI_2,
                ..still()
            }
            .apply(&source);
            for row in 0..side {
                for column in 0..side {
                    for c in 0..3 {
                        // From the right towards the bottom: the left column becomes the top row.
                        let from = ((side - 1 - column) * side + row) * 3 + c;
                        let to = (row * side + column) * 3 + c;
                        assert_eq!(turned.pixels[to], source.pixels[from]);
                    }
                }
            }
        }
    }

    #[test]
    fn a_shift_moves_right_and_down_and_leaves_black() {
        let source = image(3, 4, 1);
        let shifted = Warp {
            right: 1.0,
            down: 1.0,
            ..still()
        }
        .apply(&source);
        let p = &source.pixels;
        assert_eq!(
            shifted.pixels,
            [0, 0, 0, 0, 0, p[0], p[1], p[2], 0, p[4], p[5], p[6]],
        );
        let away = Warp {
            right: 40.0,
            ..still()
        }
        .apply(&source);
        assert_eq!(away.pixels, [0; 12]);
    }

    #[test]
    fn scale_and_slant_move_the_corners_as_named() {
        let mut dot = Image {
            height: 5,
            width: 5,
            channels: 1,
            pixels: vec![0; 25],
        };
        dot.pixels[5 + 3] = 200;
        // One up and one right of the centre.
        let doubled = Warp {
            scale: 2.0,
            ..still()
        }
        .apply(&dot);
        assert_eq!(doubled.pixels[4], 200);
        let slanted = Warp {
            slant: 1.0,
            ..still()
        }
        .apply(&dot);
        assert_eq!((slanted.pixels[5 + 2], slanted.pixels[5 + 3]), (200, 0));
    }

    #[test]
    fn half_a_pixel_is_the_mean_of_two() {
        let source = Image {
            height: 1,
            width: 3,
            channels: 1,
            pixels: vec![10, 20, 40],
        };
        let moved = Warp {
            right: -0.5,
            ..still()
        }
        .apply(&source);
        assert_eq!(moved.pixels, [15, 30, 20]);
    }

    #[test]
    fn flipping_twice_changes_nothing() {
        for (width, channels) in [(4, 1), (5, 3), (1, 3)] {
            let mut flipped = image(3, width, channels);
            flip(&mut flipped);
            assert_eq!(flipped == image(3, width, channels), width == 1);
            flip(&mut flipped);
            assert_eq!(flipped, image(3, width, channels));
        }
    }

    #[test]
    fn a_cut_is_a_shift_by_at_most_the_margin() {
        let source = image(4, 5, 3);
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..300 {
            let cut = pad_and_cut(&source, 1, &mut stream(0, &[index]));
            let shifted = (0..9).find(|&case| {
                let (down, right) = (f64::from(case / 3 - 1), f64::from(case % 3 - 1));
                Warp {
                    right,
                    down,
                    ..still()
                }
                .apply(&source)
                    == cut
            });
            seen.insert(shifted.unwrap());
        }
        assert_eq!(seen.len(), 9);
        // A margin wider than the image may leave nothing, but nothing breaks.
        for index in 0..200 {
            let cut = pad_and_cut(&source, 20, &mut stream(1, &[index]));
            assert_eq!(cut.pixels.len(), 60);
        }
    }

    #[test]
    fn erasing_changes_one_box_of_the_stated_area() {
        let white = Image {
            height: 32,
            width: 32,
            channels: 1,
            pixels: vec![255; 1024],
        };
        let mut changed = 0;
        for index in 0..100 {
            let mut erased = white.clone();
            erase(&mut erased, &mut stream(3, &[index]));
            let area = erased.pixels.iter().filter(|&&v| v != 255).count();
            assert!(area < 450, "{area}");
            changed += usize::from(area > 10);
        }
        assert!(changed > 90, "{changed}");
        let mut tiny = image(1, 1, 1);
        erase(&mut tiny, &mut stream(3, &[]));
        assert_eq!(tiny, image(1, 1, 1));
    }

    #[test]
    fn mixup_is_the_weighted_mean_with_the_next_image() {
        let mut pixels = vec![0.0, 8.0, 4.0, 4.0, 8.0, 0.0];
        let mix = Mix {
            weight: 0.25,
            kind: MixKind::Mixup,
        };
        mix.blend(&mut pixels, 3, 1, 1, 2);
        assert_eq!(pixels, [1.0, 7.0, 5.0, 3.0, 6.0, 2.0]);
        let mut alone = vec![1.0, 2.0];
        mix.blend(&mut alone, 1, 2, 1, 1);
        assert_eq!(alone, [1.0, 2.0]);
        mix.blend(&mut [], 0, 1, 2, 2);
    }

    #[test]
    fn the_weight_of_cutmix_is_the_area_of_its_box() {
        let augment = Augment {
            cutmix: 1.0,
            ..Augment::default()
        };
        let (channels, height, width) = (3, 8, 12);
        let size = channels * height * width;
        let mut mean = 0.0;
        for index in 0..400 {
            let Some(mix) = augment.draw_mix(height, width, &mut stream(9, &[index])) else {
                continue;
            };
            // Two images, all 0 and all 1.
            let mut pixels = [vec![0.0; size], vec![1.0; size]].concat();
            mix.blend(&mut pixels, 2, channels, height, width);
            let share = pixels[..size].iter().sum::<f32>() / size as f32;
            assert!((share - mix.weight).abs() < 1e-6, "{mix:?}");
            let share = pixels[size..].iter().sum::<f32>() / size as f32;
            assert!((share - (1.0 - mix.weight)).abs() < 1e-6, "{mix:?}");
            mean += mix.weight / 400.0;
        }
        // Half without clipping at the border.
        assert!((0.2..0.5).contains(&mean), "{mean}");
    }

    #[test]
    fn a_coin_chooses_between_mixup_and_cutmix() {
        let mixups = (0..1000)
            .filter_map(|index| all_on().draw_mix(28, 28, &mut stream(0, &[index])))
            .filter(|mix| mix.kind == MixKind::Mixup)
            .count();
        assert!((430..570).contains(&mixups), "{mixups}");
        let only = Augment {
            mixup: 0.2,
            ..Augment::default()
        };
        let mix = only.draw_mix(28, 28, &mut stream(0, &[])).unwrap();
        assert_eq!(mix.kind, MixKind::Mixup);
    }

    #[test]
    fn a_patch_may_name_some_keys_but_no_unknown_one() {
        use serde::de::value::{Error, MapDeserializer};
        let read = |key: &'static str| {
            let pairs = MapDeserializer::<_, Error>::new([(key, 0.5_f32)].into_iter());
            Augment::deserialize(pairs)
        };
        assert_eq!(
            read("flip").unwrap(),
            Augment {
                flip: 0.5,
                ..Augment::default()
            }
        );
        assert!(
            read("flop")
                .unwrap_err()
                .to_string()
                .contains("unknown field `flop`")
        );
    }

    #[test]
    #[ignore = "measures time; run alone with `--ignored --nocapture`"]
    fn a_warp_of_mnist_size_is_fast() {
        let augment = Augment {
            shift: 0.1,
            rotate: 10.0,
            scale: 0.1,
            ..Augment::default()
        };
        let source = image(28, 28, 1);
        let start = Instant::now();
        let mut sum = 0_usize;
        for index in 0..20_000 {
            let warped = augment.apply(source.clone(), &mut stream(0, &[index]));
            sum += usize::from(warped.pixels[400]);
        }
        let micros = start.elapsed().as_secs_f64() * 1e6 / 20_000.0;
        println!("{micros:.2} us per image ({sum})");
        assert!(micros < 15.0);
    }
}
