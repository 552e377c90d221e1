//! What differs between two aligned photos, cell by cell.

use super::plane::Plane;
use super::transform::Transform;

/// Cells along the longer side of a photo.
const CELLS: usize = 60;

/// Pixels by which a patch may be misplaced: alignment is not exact, and near things shift against far ones.
const REACH: isize = 3;

/// Two patches that correlate less show different things.
const LEAST_CORRELATION: f32 = 0.5;

/// Standard deviation of the brightness below which a patch shows nothing to compare, of 255.
const LEAST_CONTRAST: f32 = 6.0;

/// What is known about a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Not on both photos.
    Outside,
    /// Sky or a smooth surface on both.
    Smooth,
    /// The same on both.
    Same,
    /// Different.
    Changed,
}

/// The cells of a photo, compared with an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChangeMap {
    pub(super) columns: usize,
    /// Side of a cell, in pixels.
    pub(super) side: usize,
    /// Row by row.
    pub(super) cells: Vec<Cell>,
}

impl ChangeMap {
    pub(super) fn count(&self, kind: Cell) -> usize {
        self.cells.iter().filter(|&&cell| cell == kind).count()
    }

    /// Share of the compared cells that changed; none if fewer than a tenth of all could be compared.
    pub(super) fn share(&self) -> Option<f64> {
        let (changed, same) = (self.count(Cell::Changed), self.count(Cell::Same));
        let compared = changed + same;
        (compared * 10 >= self.cells.len() && compared > 0)
            .then(|| changed as f64 / compared as f64)
    }
}

/// A photo with its sky, if it has one.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) gray: &'a Plane,
    pub(super) sky: Option<&'a [bool]>,
}

/// Compares a photo with an earlier one; `to_before` leads from its pixels to those of the earlier one.
///
/// Normalized cross-correlation does not see exposure, and the earlier photo is brought to the brightness and
/// contrast of the photo, so that contrasts are comparable too.
pub(super) fn compare(now: Seen<'_>, before: Seen<'_>, to_before: &Transform) -> ChangeMap {
    let side = (now.gray.longest() / CELLS).max(8);
    let (warped, sky) = warp(now.gray, before, to_before);
    let (columns, rows) = (now.gray.width / side, now.gray.height / side);
    let compared = Compared {
        now,
        warped: &warped,
        before_sky: &sky,
        side,
    };
    let cells = (0..columns * rows).map(|at| compared.cell(at % columns, at / columns));
    let mut cells: Vec<Cell> = cells.collect();
    remove_single(&mut cells, columns);
    ChangeMap {
        columns,
        side,
        cells,
    }
}

/// The earlier photo as the camera of the later one sees it, in its exposure, and where it has sky; NaN outside.
fn warp(now: &Plane, before: Seen<'_>, to_before: &Transform) -> (Plane, Vec<bool>) {
    let pixels = (0..now.values.len()).map(|at| {
        let point = to_before.apply([(at % now.width) as f64, (at / now.width) as f64]);
        let value = before.gray.sample(point)?;
        let place = point[1].round() as usize * before.gray.width + point[0].round() as usize;
        Some((value, before.sky.is_some_and(|sky| sky[place])))
    });
    let pixels: Vec<Option<(f32, bool)>> = pixels.collect();
    let both = pixels.iter().zip(&now.values);
    let both = both.filter_map(|(pixel, &value)| Some((f64::from(pixel.as_ref()?.0), value)));
    let (mut sums, mut count) = ([0.0; 4], 0.0);
    for (old, new) in both {
        let new = f64::from(new);
        for (sum, value) in sums.iter_mut().zip([old, new, old * old, new * new]) {
            *sum += value;
        }
        count += 1.0;
    }
    let [old, new, olds, news] = sums.map(|sum| sum / f64::max(count, 1.0));
    let spread = |mean: f64, squares: f64| (squares - mean * mean).max(1.0).sqrt();
    let gain = (spread(new, news) / spread(old, olds)) as f32;
    let (old, new) = (old as f32, new as f32);
    let value = |pixel: &Option<(f32, bool)>| {
        pixel.map_or(f32::NAN, |(value, _)| (value - old) * gain + new)
    };
    let warped = Plane {
        values: pixels.iter().map(value).collect(),
        ..*now
    };
    let sky = pixels.iter().map(|pixel| pixel.is_some_and(|(_, sky)| sky));
    (warped, sky.collect())
}

struct Compared<'a> {
    now: Seen<'a>,
    warped: &'a Plane,
    before_sky: &'a [bool],
    side: usize,
}

impl Compared<'_> {
    fn cell(&self, column: usize, row: usize) -> Cell {
        let (left, top) = (column * self.side, row * self.side);
        let gray = self.now.gray;
        let mut pixels = [0_usize; 4];
        for y in top..top + self.side {
            for at in y * gray.width + left..y * gray.width + left + self.side {
                let sky_now = self.now.sky.is_some_and(|sky| sky[at]);
                let all = [
                    true,
                    self.warped.values[at].is_nan(),
                    sky_now,
                    self.before_sky[at],
                ];
                pixels
                    .iter_mut()
                    .zip(all)
                    .for_each(|(count, is)| *count += usize::from(is));
            }
        }
        let [all, outside, sky_now, sky_before] = pixels;
        if outside * 4 > all {
            return Cell::Outside;
        }
        match (sky_now * 2 > all, sky_before * 2 > all) {
            (true, true) => Cell::Smooth,
            (false, false) => self.texture([left + self.side / 2, top + self.side / 2]),
            // Thin parts of a crane are neither: most of the cell must have become sky, or have been it.
            _ if sky_now.abs_diff(sky_before) * 2 > all => Cell::Changed,
            _ => Cell::Smooth,
        }
    }

    /// Compares the squares around a point, one and a half cells large.
    fn texture(&self, center: [usize; 2]) -> Cell {
        let radius = self.side * 3 / 4;
        let gray = self.now.gray;
        // At the border the square moves inside.
        let inside = |at: usize, side: usize| {
            at.clamp(radius, (side - 1).saturating_sub(radius).max(radius))
        };
        let place = [
            inside(center[0], gray.width),
            inside(center[1], gray.height),
        ];
        let (Some(new), Some(old)) = (gray.patch(place, radius), self.warped.patch(place, radius))
        else {
            return Cell::Outside;
        };
        if old.contrast.is_nan() {
            return Cell::Outside;
        }
        match (new.contrast < LEAST_CONTRAST, old.contrast < LEAST_CONTRAST) {
            (true, true) => return Cell::Smooth,
            (false, false) => {}
            // A weak texture that faded is no change.
            _ if new.contrast.max(old.contrast) < 2.0 * LEAST_CONTRAST => return Cell::Smooth,
            _ => return Cell::Changed,
        }
        let place = place.map(usize::cast_signed);
        for down in -REACH..=REACH {
            for right in -REACH..=REACH {
                let at = [place[0] + right, place[1] + down];
                let score = self.warped.correlation(&new, at);
                if score.is_some_and(|score| score >= LEAST_CORRELATION) {
                    return Cell::Same;
                }
            }
        }
        Cell::Changed
    }
}

/// A changed cell without a changed neighbor is noise more often than not.
fn remove_single(cells: &mut [Cell], columns: usize) {
    let before = cells.to_vec();
    let rows = cells.len() / columns.max(1);
    for (at, cell) in cells.iter_mut().enumerate() {
        let (x, y) = (at % columns, at / columns);
        let around = |at: usize, end: usize| at.saturating_sub(1)..(at + 2).min(end);
        let changed = around(y, rows)
            .flat_map(|row| around(x, columns).map(move |column| row * columns + column))
            .filter(|&near| before[near] == Cell::Changed);
        if *cell == Cell::Changed && changed.count() == 1 {
            *cell = Cell::Same;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A texture of 240 by 160 pixels with another one in `new`.
    fn plane(gain: f32, new: bool) -> Plane {
        let value = |at: usize| {
            let (x, y) = (at % 240, at / 240);
            let is_new = new && (96..144).contains(&x) && (64..96).contains(&y);
            let seed = if is_new { 7 } else { 0 };
            let cell = (x / 3 + seed) * 7_919 + (y / 3 + 3 * seed) * 104_729;
            let mixed = ((cell ^ (cell >> 7)) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            gain * (mixed >> 56) as f32 * 0.8 + 10.0
        };
        Plane {
            height: 160,
            width: 240,
            values: (0..240 * 160).map(value).collect(),
        }
    }

    fn seen(gray: &Plane) -> Seen<'_> {
        Seen { gray, sky: None }
    }

    #[test]
    fn another_exposure_is_no_change() {
        let (now, before) = (plane(0.5, false), plane(1.0, false));
        let map = compare(seen(&now), seen(&before), &Transform::IDENTITY);
        assert_eq!(map.share(), Some(0.0));
    }

    #[test]
    fn what_was_built_is_marked_and_nothing_else() {
        let (now, before) = (plane(0.7, true), plane(1.0, false));
        let map = compare(seen(&now), seen(&before), &Transform::IDENTITY);
        assert_eq!((map.columns, map.side), (30, 8));
        let (mut inner, mut found) = (0, 0);
        for (at, cell) in map.cells.iter().enumerate() {
            let (x, y) = (at % 30 * 8 + 4, at / 30 * 8 + 4);
            let changed = *cell == Cell::Changed;
            if (100..140).contains(&x) && (68..92).contains(&y) {
                inner += 1;
                found += usize::from(changed);
            }
            let near = (86..154).contains(&x) && (54..106).contains(&y);
            assert!(near || !changed, "{x} {y}");
        }
        // A patch may be like another one by chance.
        assert!(inner == 15 && found >= 13, "{found} of {inner}");
    }

    #[test]
    fn sky_that_became_a_building_is_a_change_and_clouds_are_none() {
        let (now, before) = (plane(1.0, true), plane(1.0, false));
        let all = vec![true; 240 * 160];
        let none = vec![false; 240 * 160];
        let sky = |gray, sky| Seen {
            gray,
            sky: Some(sky),
        };
        let map = |now_sky, before_sky| {
            compare(
                sky(&now, now_sky),
                sky(&before, before_sky),
                &Transform::IDENTITY,
            )
        };
        assert_eq!(map(&all[..], &all[..]).share(), None);
        assert_eq!(map(&none[..], &all[..]).share(), Some(1.0));
    }
}
