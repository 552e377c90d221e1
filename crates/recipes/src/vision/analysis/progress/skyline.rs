//! The upper edge of what stands before the sky, and how far it rises.

use tinderbox_datasets::image::Image;
use tinderbox_train::metrics;

use super::plane::Plane;
use super::transform::Transform;

/// Share of the height over which something must be solid to be the edge: a crane's jib is not.
const SOLID: f64 = 0.05;

/// Share of those pixels that are not sky.
const SOLID_SHARE: f64 = 0.85;

/// Share of the upper third that is sky, at least, or there is no skyline.
const LEAST_SKY: f64 = 0.1;

/// Share of the width that a rising part has at least, and share of the height that it rises.
const LEAST_WIDTH: f64 = 0.04;
const LEAST_RISE: f64 = 0.015;

/// Share of the height by which neighboring parts differ in their edge.
const STEP: f64 = 0.08;

/// Share of the rise by which a part may fall in between.
const FALL: f64 = 0.4;

/// Rising parts that are kept.
const MAX_PARTS: usize = 6;

/// Where a photo has sky: bright, bluish or gray, and without edges; none if there is hardly any.
pub(super) fn sky(image: &Image, gray: &Plane) -> Option<Vec<bool>> {
    let upper = gray.width * (gray.height / 5).max(1);
    let mut bright: Vec<f32> = gray.values[..upper].to_vec();
    bright.sort_by(f32::total_cmp);
    let least = 0.55 * bright[bright.len() * 3 / 4];
    let channels = image.channels;
    let is_sky = |at: usize| {
        let pixel = &image.pixels[at * channels..(at + 1) * channels];
        let is_warm = channels == 3 && u16::from(pixel[0]) > u16::from(pixel[2]) + 12;
        let [dx, dy] = gray.slope(at % gray.width, at / gray.width);
        gray.values[at] > least && !is_warm && dx.hypot(dy) < 14.0
    };
    let mask: Vec<bool> = (0..gray.values.len()).map(is_sky).collect();
    let third = gray.width * (gray.height / 3).max(1);
    let share = mask[..third].iter().filter(|&&sky| sky).count() as f64 / third as f64;
    (share >= LEAST_SKY).then_some(mask)
}

/// The upper edge in a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    /// Its row; below 0 above the reference.
    pub(super) y: f64,
    /// Whether it is the upper border of the photo: the edge itself is higher.
    pub(super) is_cut: bool,
}

/// The upper edge in each column of the reference, of a photo with sky.
pub(super) fn edges(
    sky: &[bool],
    [height, width]: [usize; 2],
    to_reference: &Transform,
    columns: usize,
) -> Vec<Option<Edge>> {
    let run = ((height as f64 * SOLID) as usize).max(3);
    let mut found: Vec<Option<Edge>> = vec![None; columns];
    for x in 0..width {
        let solid = |y: usize| usize::from(!sky[y * width + x]);
        let mut count: usize = (0..run.min(height)).map(solid).sum();
        let edge = (0..height.saturating_sub(run)).find(|&y| {
            let is_edge = count as f64 >= SOLID_SHARE * run as f64 && solid(y) == 1;
            count = count + solid(y + run) - solid(y);
            is_edge
        });
        let Some(y) = edge else { continue };
        let [column, y_reference] = to_reference.apply([x as f64, y as f64]);
        if (0.0..columns as f64).contains(&column) {
            found[column as usize] = Some(Edge {
                y: y_reference,
                is_cut: y <= 1,
            });
        }
    }
    // A photo that is a little smaller than the reference leaves single columns out.
    for at in 1..columns.saturating_sub(1) {
        if found[at].is_none() {
            found[at] = found[at - 1].filter(|_| found[at + 1].is_some());
        }
    }
    found
}

/// Columns of the reference with a building.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The parts of the skyline that rose, from left to right, and how many were left out because they also fall, as
/// the edge does where a crane stands; photos are in the order of time.
pub(super) fn rising(photos: &[Vec<Option<Edge>>], height: usize) -> (Vec<Part>, usize) {
    let Some(columns) = photos.first().map(Vec::len) else {
        return (Vec::new(), 0);
    };
    let third = (photos.len() / 3).max(1);
    // A crane's mast is narrower than this, so it neither makes a part nor divides one.
    let radius = ((columns as f64 * LEAST_WIDTH) as usize * 3 / 4).max(1);
    let first = levels(&photos[..third], columns, radius);
    let last = levels(&photos[photos.len() - third..], columns, radius);
    let is_rising = |at: usize| {
        let rise = first[at].zip(last[at]).map(|(first, last)| first - last);
        rise.is_some_and(|rise| rise > LEAST_RISE * height as f64)
    };
    // Adjacent buildings differ in height.
    let step = |at: usize| {
        let (left, right) = (at.saturating_sub(radius), (at + radius).min(columns - 1));
        let step = last[left]
            .zip(last[right])
            .map(|(left, right)| (left - right).abs());
        step.unwrap_or(0.0)
    };
    let is_step = |at: usize| step(at) > STEP * height as f64;
    // The middle of the columns around a step.
    let divides = |at: usize| {
        let before = (0..at).rev().take_while(|&near| is_step(near)).count();
        let after = (at..columns).take_while(|&near| is_step(near)).count();
        after > 0 && (before == after || before + 1 == after)
    };
    let mut parts: Vec<Part> = Vec::new();
    for at in (0..columns).filter(|&at| is_rising(at)) {
        match parts.last_mut() {
            Some(last) if last.end == at && !divides(at) => last.end = at + 1,
            _ => parts.push(Part {
                start: at,
                end: at + 1,
            }),
        }
    }
    parts.retain(|part| (part.end - part.start) as f64 >= LEAST_WIDTH * columns as f64);
    let all = parts.len();
    parts.retain(|&part| rises_steadily(photos, part));
    let left_out = all - parts.len();
    parts.sort_by_key(|part| part.start.abs_diff(part.end));
    parts.reverse();
    parts.truncate(MAX_PARTS);
    parts.sort_by_key(|part| part.start);
    (parts, left_out)
}

/// The median edge around each column over some photos.
fn levels(photos: &[Vec<Option<Edge>>], columns: usize, radius: usize) -> Vec<Option<f64>> {
    let of_column = |at: usize| {
        median(
            photos
                .iter()
                .filter_map(|edges| edges[at])
                .map(|edge| edge.y),
        )
    };
    let single: Vec<Option<f64>> = (0..columns).map(of_column).collect();
    let around = |at: usize| at.saturating_sub(radius)..(at + radius + 1).min(columns);
    (0..columns)
        .map(|at| median(single[around(at)].iter().copied().flatten()))
        .collect()
}

/// Whether a part never falls by more than [`FALL`] of its whole rise from one photo to a later one.
fn rises_steadily(photos: &[Vec<Option<Edge>>], part: Part) -> bool {
    let levels = photos
        .iter()
        .filter_map(|edges| level(edges, part))
        .map(|edge| edge.y);
    let levels: Vec<f64> = levels.collect();
    let (Some(first), Some(last)) = (levels.first(), levels.last()) else {
        return false;
    };
    let (mut highest, mut fall) = (*first, 0.0);
    for &y in &levels {
        highest = f64::min(highest, y);
        fall = f64::max(fall, y - highest);
    }
    first > last && fall <= FALL * (first - last)
}

/// The median edge of a part; none if fewer than half of its columns have one.
pub(super) fn level(edges: &[Option<Edge>], part: Part) -> Option<Edge> {
    let found = edges.get(part.start..part.end.min(edges.len()))?;
    let known: Vec<Edge> = found.iter().flatten().copied().collect();
    if known.len() * 2 < found.len() || known.is_empty() {
        return None;
    }
    let cut = known.iter().filter(|edge| edge.is_cut).count();
    Some(Edge {
        y: median(known.iter().map(|edge| edge.y))?,
        is_cut: cut * 2 >= known.len(),
    })
}

/// The median; none of nothing.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    metrics::median(&mut values.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sky over ground at row 80, with a building 40 columns wide and a jib, a thin line, over it.
    fn mask(top: usize) -> Vec<bool> {
        let is_sky = |at: usize| {
            let (x, y) = (at % 120, at / 120);
            let building = (30..70).contains(&x) && y >= top;
            y != 20 && y < 80 && !building
        };
        (0..120 * 100).map(is_sky).collect()
    }

    #[test]
    fn the_edge_is_that_of_the_building_and_the_part_that_rose_is_found() {
        let photos: Vec<Vec<Option<Edge>>> = [60, 58, 52, 45, 40]
            .map(|top| edges(&mask(top), [100, 120], &Transform::IDENTITY, 120))
            .to_vec();
        let (parts, left_out) = rising(&photos, 100);
        assert_eq!((parts.len(), left_out), (1, 0));
        assert!(parts[0].start.abs_diff(30) < 4 && parts[0].end.abs_diff(70) < 4);
        let levels: Vec<f64> = photos
            .iter()
            .map(|edges| level(edges, parts[0]).unwrap().y)
            .collect();
        assert_eq!(levels, [60.0, 58.0, 52.0, 45.0, 40.0]);
        assert!(!level(&photos[0], parts[0]).unwrap().is_cut);
    }

    #[test]
    fn two_buildings_are_two_parts_and_an_edge_that_falls_again_is_none() {
        let edge = |y: f64| Some(Edge { y, is_cut: false });
        let photo = |left: f64, right: f64, crane: f64| -> Vec<Option<Edge>> {
            let y = |x: usize| match x {
                10..40 => left,
                40..70 => right,
                90..110 => crane,
                _ => 80.0,
            };
            (0..120).map(|x| edge(y(x))).collect()
        };
        let photos = [
            photo(60.0, 70.0, 70.0),
            photo(50.0, 65.0, 40.0),
            photo(40.0, 60.0, 79.0),
            photo(30.0, 55.0, 60.0),
        ];
        let (parts, left_out) = rising(&photos, 100);
        assert_eq!((parts.len(), left_out), (2, 1), "{parts:?}");
        assert!(parts[0].end.abs_diff(40) <= 3 && parts[1].start.abs_diff(40) <= 3);
        let end = level(&photos[3], parts[1]).unwrap();
        assert!((end.y - 55.0).abs() < 1e-9);
    }

    #[test]
    fn a_building_that_leaves_the_photo_is_cut() {
        let edges = edges(&mask(0), [100, 120], &Transform::IDENTITY, 120);
        let found = level(&edges, Part { start: 30, end: 70 }).unwrap();
        assert!(found.is_cut && found.y.abs() < 1e-9);
        assert!(rising(&[edges.clone(), edges], 100).0.is_empty());
    }

    #[test]
    fn a_room_has_no_sky() {
        let pixels: Vec<u8> = (0..60 * 40).map(|at| (at * 91 % 251) as u8).collect();
        let image = Image {
            height: 40,
            width: 60,
            channels: 1,
            pixels,
        };
        assert_eq!(sky(&image, &Plane::of(&image)), None);
    }
}
