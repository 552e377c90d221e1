//! Mixing of the images of a batch: mixup and `CutMix`.

use crate::random::{Stream, beta, uniform_f64};

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

/// Draws the box of a `CutMix`: its center is uniform, what leaves the image is cut off, and the
/// weight is the share of the image that is left. An empty box mixes nothing.
pub(super) fn sample_box(alpha: f64, height: usize, width: usize, rng: &mut Stream) -> Option<Mix> {
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
