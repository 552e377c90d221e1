//! Alignment of a photo with another one of the same place, from patches around corners.
//!
//! Shift of the whole photo, then the best place of each corner's patch (normalized cross-correlation), then the
//! motion that most of them agree on: random sample consensus (Fischler and Bolles 1981,
//! <https://doi.org/10.1145/358669.358692>), as the building itself has changed.

use tinderbox_datasets::random::{Stream, below, stream};

use super::matching::{Levels, matches};
use super::transform::{Pair, Transform, distance};

/// Corners that must agree, and their least share of all that were found again.
pub(super) const LEAST_AGREEING: usize = 16;
const LEAST_SHARE: f64 = 0.15;

/// Samples that are tried for a similarity (2 corners) and a homography (4 corners).
const TRIES: [usize; 2] = [600, 2_000];

/// Share of the longer side by which a corner of the photo may move.
const LARGEST_MOTION: f64 = 0.35;

/// How a photo lies over the reference.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alignment {
    /// From its pixels to those of the reference.
    pub(super) to_reference: Transform,
    /// Median distance of the agreeing corners from their place, in pixels.
    pub(super) residual: f64,
    /// Corners that agree.
    pub(super) agreeing: usize,
    /// Corners that were found again.
    pub(super) matched: usize,
}

/// Why a photo was not aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAligned {
    /// Corners that agree on a motion.
    pub(super) agreeing: usize,
    /// Corners that were found again.
    pub(super) matched: usize,
    /// Corners of the photo.
    pub(super) corners: usize,
    pub(super) reason: Reason,
}

/// What an alignment lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The photo has too few corners.
    FewCorners,
    /// Too few of them agree on a motion.
    NoAgreement,
    /// Those that agree lie in one part of the photo, which says nothing about the rest.
    OnePart,
}

/// The motion from a photo to the reference; the same result for the same photos.
pub(super) fn align(photo: &Levels<'_>, reference: &Levels<'_>) -> Result<Alignment, NotAligned> {
    let (pairs, corners) = matches(photo, reference);
    let size = photo.size().map(|side| side as f64);
    let side = size[0].max(size[1]);
    let consensus = Consensus {
        pairs: &pairs,
        size,
        // 3 pixels of the 960 of a reduced photo.
        tolerance: (side / 320.0).max(1.5),
    };
    let mut random = stream(0, &[pairs.len() as u64]);
    let simple = consensus.best(2, TRIES[0], &mut random);
    let full = consensus.best(4, TRIES[1], &mut random);
    // The simpler motion, unless a good part of the corners needs the other.
    let (transform, agreeing) = match (simple, full) {
        (Some(simple), Some(full)) if full.1.len() as f64 > 1.15 * simple.1.len() as f64 => full,
        (Some(simple), _) => simple,
        (None, full) => full.unwrap_or((Transform::IDENTITY, Vec::new())),
    };
    let (agree, matched) = (agreeing.len(), pairs.len());
    let share = agree as f64 / matched.max(1) as f64;
    let reason = if corners < LEAST_AGREEING {
        Some(Reason::FewCorners)
    } else if agree < LEAST_AGREEING || share < LEAST_SHARE {
        Some(Reason::NoAgreement)
    } else {
        (!is_spread(&agreeing, size)).then_some(Reason::OnePart)
    };
    if let Some(reason) = reason {
        return Err(NotAligned {
            agreeing: agree,
            matched,
            corners,
            reason,
        });
    }
    let mut errors: Vec<f64> = agreeing
        .iter()
        .map(|pair| error(&transform, pair))
        .collect();
    errors.sort_by(f64::total_cmp);
    Ok(Alignment {
        to_reference: transform,
        residual: errors[errors.len() / 2],
        agreeing: agree,
        matched,
    })
}

fn error(transform: &Transform, [from, to]: &Pair) -> f64 {
    distance(transform.apply(*from), *to)
}

/// Whether the corners lie all over the photo, not at one object.
fn is_spread(pairs: &[Pair], size: [f64; 2]) -> bool {
    let extent = |axis: usize| {
        let mut places: Vec<f64> = pairs.iter().map(|pair| pair[0][axis]).collect();
        places.sort_by(f64::total_cmp);
        let at = |share: f64| places[((places.len() - 1) as f64 * share) as usize];
        at(0.95) - at(0.05)
    };
    extent(0) > 0.25 * size[1] && extent(1) > 0.15 * size[0]
}

/// Pairs of corners of which only some agree.
struct Consensus<'a> {
    pairs: &'a [Pair],
    size: [f64; 2],
    tolerance: f64,
}

impl Consensus<'_> {
    fn fit(&self, pairs: &[Pair], points: usize) -> Option<Transform> {
        let side = self.size[0].max(self.size[1]);
        let found = if points == 2 {
            Transform::similarity(pairs)
        } else {
            Transform::homography(pairs, side)
        };
        found.filter(|motion| motion.is_small(self.size, LARGEST_MOTION * side))
    }

    fn agreeing(&self, motion: &Transform) -> Vec<Pair> {
        let agrees = |pair: &&Pair| error(motion, pair) <= self.tolerance;
        self.pairs.iter().filter(agrees).copied().collect()
    }

    /// The motion of `points` corners that most corners agree on, fitted to all of them.
    fn best(
        &self,
        points: usize,
        tries: usize,
        random: &mut Stream,
    ) -> Option<(Transform, Vec<Pair>)> {
        if self.pairs.len() < points {
            return None;
        }
        let mut best: Option<(Transform, usize)> = None;
        for _ in 0..tries {
            let sample = (0..points).map(|_| self.pairs[below(random, self.pairs.len())]);
            let sample: Vec<Pair> = sample.collect();
            let Some(motion) = self.fit(&sample, points) else {
                continue;
            };
            let agree = |pair: &&Pair| error(&motion, pair) <= self.tolerance;
            let count = self.pairs.iter().filter(agree).count();
            if best.is_none_or(|(_, most)| count > most) {
                best = Some((motion, count));
            }
        }
        let (mut motion, _) = best?;
        for _ in 0..4 {
            motion = self.fit(&self.agreeing(&motion), points).unwrap_or(motion);
        }
        Some((motion, self.agreeing(&motion)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::plane::Plane;
    use super::*;

    /// A scene of random blocks, seen by a camera that moved; the block in the middle is new.
    fn scene(shift: [f64; 2], tilt: f64, new: bool) -> Plane {
        let (height, width) = (180_usize, 270_usize);
        let value = |at: usize| {
            let (x, y) = ((at % width) as f64, (at / width) as f64);
            let depth = 1.0 + tilt * (x - 135.0);
            let (x, y) = (x / depth + shift[0] + 40.0, y / depth + shift[1] + 40.0);
            if new && (120.0..180.0).contains(&x) && (90.0..150.0).contains(&y) {
                return ((x / 6.0) as usize * 31 % 17 * 14) as f32;
            }
            let noise = |x: f64, y: f64| {
                let cell = (x as usize) * 7919 + (y as usize) * 104_729;
                ((cell ^ (cell >> 3)) * 2_654_435_761 % 1009) as f32 / 1009.0
            };
            100.0 * noise(x / 9.0, y / 9.0) + 100.0 * noise(x / 23.0, y / 17.0)
        };
        Plane {
            height,
            width,
            values: (0..height * width).map(value).collect(),
        }
    }

    #[test]
    fn the_shift_of_the_camera_is_found_within_a_pixel_although_something_was_built() {
        let (before, after) = (
            scene([0.0, 0.0], 0.0, false),
            scene([13.0, -6.0], 0.0, true),
        );
        let found = align(&Levels::of(&after), &Levels::of(&before)).unwrap();
        for corner in [[0.0, 0.0], [269.0, 0.0], [0.0, 179.0], [269.0, 179.0]] {
            let [x, y] = found.to_reference.apply(corner);
            let error = distance([x, y], [corner[0] + 13.0, corner[1] - 6.0]);
            assert!(error < 1.0, "{corner:?}: {error}");
        }
        assert!(found.residual < 1.0, "{}", found.residual);
    }

    #[test]
    fn a_camera_that_turned_needs_a_homography() {
        let (before, after) = (
            scene([0.0, 0.0], 0.0, false),
            scene([4.0, 2.0], 3e-4, false),
        );
        let found = align(&Levels::of(&after), &Levels::of(&before)).unwrap();
        for [x, y] in [[10.0, 10.0], [260.0, 10.0], [135.0, 90.0], [20.0, 170.0]] {
            let depth = 1.0 + 3e-4 * (x - 135.0);
            let wanted = [x / depth + 4.0, y / depth + 2.0];
            let error = distance(found.to_reference.apply([x, y]), wanted);
            assert!(error < 1.5, "{x} {y}: {error}");
        }
    }

    #[test]
    fn another_place_is_not_aligned() {
        let (before, other) = (
            scene([0.0, 0.0], 0.0, false),
            scene([2_000.0, 900.0], 0.0, false),
        );
        let other = align(&Levels::of(&other), &Levels::of(&before)).unwrap_err();
        assert_eq!(other.reason, Reason::NoAgreement);
        let blank = Plane {
            values: vec![90.0; before.values.len()],
            ..before
        };
        let none = align(&Levels::of(&blank), &Levels::of(&before)).unwrap_err();
        assert_eq!((none.corners, none.reason), (0, Reason::FewCorners));
    }

    #[test]
    fn corners_in_one_part_of_the_photo_do_not_align_it() {
        let mut part = scene([0.0, 0.0], 0.0, false);
        let width = part.width;
        for (at, value) in part.values.iter_mut().enumerate() {
            let (x, y) = (at % width, at / width);
            if !(110..150).contains(&x) || !(40..140).contains(&y) {
                *value = 90.0;
            }
        }
        let not = align(&Levels::of(&part), &Levels::of(&part)).unwrap_err();
        assert_eq!(
            (not.agreeing, not.reason),
            (not.matched, Reason::OnePart),
            "{not:?}"
        );
    }
}
