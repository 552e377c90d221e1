//! All photos of a series in the view of one of them: where the camera was, what changed, what rose.

use tinderbox_datasets::parallel_map;

use super::align::{Alignment, NotAligned, align};
use super::change::{ChangeMap, Seen, compare};
use super::items::{Item, Value, dates};
use super::matching::Levels;
use super::plan::Unit;
use super::plane::Plane;
use super::series::Photo;
use super::skyline::{Edge, Part, edges, level, median, rising, sky};
use super::transform::Transform;

/// Where a photo lies over the reference.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Placed {
    /// It is the reference.
    Reference,
    /// Aligned with the reference or, if that failed, with the photo of this number.
    Aligned(Alignment, Option<usize>),
    Not(NotAligned),
}

impl Placed {
    /// How far the middle of a photo of this size moved on its way to the reference, in its pixels.
    pub(super) fn shift(&self, [height, width]: [usize; 2]) -> Option<[f64; 2]> {
        let middle = [0.5 * (width as f64 - 1.0), 0.5 * (height as f64 - 1.0)];
        let [x, y] = self.to_reference()?.apply(middle);
        Some([x - middle[0], y - middle[1]])
    }

    pub(super) fn to_reference(&self) -> Option<Transform> {
        match self {
            Self::Reference => Some(Transform::IDENTITY),
            Self::Aligned(found, _) => Some(found.to_reference),
            Self::Not(_) => None,
        }
    }
}

/// The differences of a photo from an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The number of the earlier photo.
    pub(super) before: usize,
    pub(super) map: ChangeMap,
}

/// A part of the skyline over time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Height {
    pub(super) part: Part,
    /// Its upper edge on each photo, in rows of the reference.
    pub(super) levels: Vec<Option<Edge>>,
}

/// What the photos show without a model.
pub(super) struct Views {
    /// The number of the photo that the others are aligned with.
    pub(super) reference: usize,
    pub(super) placed: Vec<Placed>,
    pub(super) changes: Vec<Option<Change>>,
    pub(super) heights: Vec<Height>,
    /// Parts of the skyline that rose and fell, and are no height.
    pub(super) unsteady: usize,
    /// Photos with sky.
    pub(super) with_sky: usize,
}

impl Views {
    /// `columns` are parts of the width of the reference whose height is wanted; those that rise if there is none.
    pub(super) fn of(photos: &[Photo], columns: &[[f64; 2]]) -> Self {
        let grays = parallel_map(photos, |photo| Plane::of(&photo.image));
        let skies = parallel_map(photos.iter().zip(&grays), |(photo, gray)| {
            sky(&photo.image, gray)
        });
        let (reference, placed) = place(&grays);
        let seen = |at: usize| Seen {
            gray: &grays[at],
            sky: skies[at].as_deref(),
        };
        let earlier = earlier(photos, &placed);
        let changes = parallel_map(earlier.iter().enumerate(), |(at, before)| {
            let before = (*before)?;
            let back = placed[before].to_reference()?.inverse()?;
            let to_before = placed[at].to_reference()?.then(&back);
            Some(Change {
                before,
                map: compare(seen(at), seen(before), &to_before),
            })
        });
        let width = grays[reference].width;
        let skyline = |at: usize| {
            let (sky, gray) = (skies[at].as_ref()?, &grays[at]);
            let motion = placed[at].to_reference()?;
            Some(edges(sky, [gray.height, gray.width], &motion, width))
        };
        let skylines: Vec<Option<Vec<Option<Edge>>>> = (0..photos.len()).map(skyline).collect();
        let size = [grays[reference].height, width];
        let (heights, unsteady) = heights(&skylines, columns, size);
        Self {
            reference,
            heights,
            unsteady,
            with_sky: skies.iter().flatten().count(),
            placed,
            changes,
        }
    }

    /// The rise of each part since the first date, as a share of the height of the reference photo.
    pub(super) fn items(&self, photos: &[Photo]) -> Vec<Item> {
        let several = self.heights.len() > 1;
        let rows = photos
            .get(self.reference)
            .map_or(1, |photo| photo.image.height) as f64;
        let item = |(at, height): (usize, &Height)| Item {
            name: if several {
                format!("height {}", at + 1)
            } else {
                "height".to_owned()
            },
            unit: Unit::Share,
            values: rises(photos, height, rows),
        };
        self.heights.iter().enumerate().map(item).collect()
    }
}

/// The reference, the first photo unless most others fit better to the one in the middle, and where all are.
fn place(grays: &[Plane]) -> (usize, Vec<Placed>) {
    let all = place_on(grays, 0);
    let count = |all: &[Placed]| all.iter().filter_map(Placed::to_reference).count();
    let middle = grays.len() / 2;
    if count(&all) * 2 >= grays.len() {
        return (0, all);
    }
    let other = place_on(grays, middle);
    if count(&other) > count(&all) {
        (middle, other)
    } else {
        (0, all)
    }
}

fn place_on(grays: &[Plane], reference: usize) -> Vec<Placed> {
    let levels: Vec<Levels<'_>> = parallel_map(grays, Levels::of);
    let mut placed = parallel_map(0..grays.len(), |at| {
        if at == reference {
            return Placed::Reference;
        }
        match align(&levels[at], &levels[reference]) {
            Ok(found) => Placed::Aligned(found, None),
            Err(not) => Placed::Not(not),
        }
    });
    // Where hardly any photo fits, the camera did not stay, and each try would only take its time.
    let direct = placed.iter().filter_map(Placed::to_reference).count();
    if direct * 3 < grays.len() {
        return placed;
    }
    // Too much may have changed since the reference, and not since the photo before.
    for at in 0..grays.len() {
        let before = (0..at)
            .rev()
            .find(|&near| placed[near].to_reference().is_some());
        let (Placed::Not(_), Some(near)) = (&placed[at], before) else {
            continue;
        };
        if let (Ok(mut found), Some(motion), true) = (
            align(&levels[at], &levels[near]),
            placed[near].to_reference(),
            near != reference,
        ) {
            found.to_reference = found.to_reference.then(&motion);
            placed[at] = Placed::Aligned(found, Some(near));
        }
    }
    placed
}

/// The photo that the first aligned photo of each date is compared with: that of the date before.
fn earlier(photos: &[Photo], placed: &[Placed]) -> Vec<Option<usize>> {
    let mut earlier = vec![None; photos.len()];
    let mut last = None;
    for (_, range) in dates(photos) {
        let first = range
            .into_iter()
            .find(|&at| placed[at].to_reference().is_some());
        if let Some(first) = first {
            earlier[first] = last;
            last = Some(first);
        }
    }
    earlier
}

fn heights(
    skylines: &[Option<Vec<Option<Edge>>>],
    columns: &[[f64; 2]],
    [height, width]: [usize; 2],
) -> (Vec<Height>, usize) {
    let (parts, unsteady) = if columns.is_empty() {
        let known: Vec<Vec<Option<Edge>>> = skylines.iter().flatten().cloned().collect();
        if known.len() < 2 {
            return (Vec::new(), 0);
        }
        rising(&known, height)
    } else {
        let place = |share: f64| (share * width as f64).round() as usize;
        let part = |&[start, end]: &[f64; 2]| Part {
            start: place(start),
            end: place(end).max(place(start) + 1),
        };
        (columns.iter().map(part).collect(), 0)
    };
    let levels = |part: Part| Height {
        part,
        levels: skylines
            .iter()
            .map(|edges| level(edges.as_ref()?, part))
            .collect(),
    };
    let all = parts.into_iter().map(levels);
    let seen = all.filter(|height| height.levels.iter().flatten().count() > 1);
    (seen.collect(), unsteady)
}

/// The rise on each date, the median of its photos.
fn rises(photos: &[Photo], height: &Height, rows: f64) -> Vec<Value> {
    let mut values = Vec::new();
    let mut first = None;
    for (date, range) in dates(photos) {
        let levels: Vec<Edge> = height.levels[range].iter().flatten().copied().collect();
        let y = median(levels.iter().map(|edge| edge.y));
        first = first.or(y);
        // A thousandth of the height is as much as alignment can tell apart.
        let rise = first
            .zip(y)
            .map(|(first, y)| (1e3 * (first - y) / rows).round() / 1e3 + 0.0);
        values.push(Value {
            date,
            value: rise,
            is_bound: levels.iter().any(|edge| edge.is_cut),
        });
    }
    values
}
