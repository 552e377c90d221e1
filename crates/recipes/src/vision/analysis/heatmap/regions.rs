//! Connected regions and peaks of a map.

/// A connected set of cells.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Region {
    /// First row, first column, height and width, in cells.
    pub(super) bounds: [usize; 4],
    /// Number of cells.
    pub(super) cells: usize,
    /// Mean of their values.
    pub(super) mean: f64,
    /// Largest of their values.
    pub(super) highest: f32,
}

/// For each cell the number of its region, from 0, and the number of regions: cells of `inside` that touch at
/// a side or a corner belong together.
pub(super) fn label(inside: &[bool], width: usize) -> (Vec<Option<u32>>, usize) {
    let mut labels: Vec<Option<u32>> = vec![None; inside.len()];
    let height = inside.len() / width.max(1);
    let mut count = 0;
    let mut open = Vec::new();
    for start in 0..inside.len() {
        if !inside[start] || labels[start].is_some() {
            continue;
        }
        labels[start] = Some(count);
        open.push(start);
        while let Some(at) = open.pop() {
            let (row, column) = (at / width, at % width);
            for row in row.saturating_sub(1)..(row + 2).min(height) {
                for column in column.saturating_sub(1)..(column + 2).min(width) {
                    let next = row * width + column;
                    if inside[next] && labels[next].is_none() {
                        labels[next] = Some(count);
                        open.push(next);
                    }
                }
            }
        }
        count += 1;
    }
    (labels, count as usize)
}

/// The regions of at least a value, those with the highest value first.
pub(super) fn regions(values: &[f32], width: usize, threshold: f64) -> Vec<Region> {
    let inside: Vec<bool> = values
        .iter()
        .map(|&value| f64::from(value) >= threshold)
        .collect();
    let (labels, count) = label(&inside, width);
    let empty = Region {
        bounds: [usize::MAX, usize::MAX, 0, 0],
        cells: 0,
        mean: 0.0,
        highest: f32::MIN,
    };
    let mut regions = vec![empty; count];
    for (at, label) in labels.iter().enumerate() {
        let Some(label) = label else { continue };
        let region = &mut regions[*label as usize];
        let [top, left, bottom, right] = &mut region.bounds;
        (*top, *left) = ((*top).min(at / width), (*left).min(at % width));
        (*bottom, *right) = ((*bottom).max(at / width + 1), (*right).max(at % width + 1));
        region.cells += 1;
        region.mean += f64::from(values[at]);
        region.highest = region.highest.max(values[at]);
    }
    for region in &mut regions {
        let [top, left, bottom, right] = region.bounds;
        region.bounds = [top, left, bottom - top, right - left];
        region.mean /= region.cells as f64;
    }
    regions.sort_by(|a, b| b.highest.total_cmp(&a.highest).then(b.cells.cmp(&a.cells)));
    regions
}

/// Cells of at least `lowest` that no cell with a higher value lies near, by falling value: the highest one, then
/// the highest that is more than `radius` cells away from it along an axis, and so on.
pub(super) fn peaks(values: &[f32], width: usize, radius: usize, lowest: f32) -> Vec<usize> {
    let height = values.len() / width.max(1);
    let mut order: Vec<usize> = (0..values.len())
        .filter(|&at| values[at] >= lowest)
        .collect();
    // Stable: of equal cells the first in the image.
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let mut near = vec![false; values.len()];
    let mut peaks = Vec::new();
    for at in order {
        if near[at] {
            continue;
        }
        peaks.push(at);
        let (row, column) = (at / width, at % width);
        let columns = column.saturating_sub(radius)..(column + radius + 1).min(width);
        for row in row.saturating_sub(radius)..(row + radius + 1).min(height) {
            near[row * width + columns.start..row * width + columns.end].fill(true);
        }
    }
    peaks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_touch_at_a_corner_are_one_region() {
        #[rustfmt::skip]
        let values = [
            0.9, 0.0, 0.0, 0.0,
            0.0, 0.6, 0.0, 0.5,
            0.0, 0.0, 0.0, 0.5,
        ];
        let found = regions(&values, 4, 0.5);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].bounds, found[0].cells), ([0, 0, 2, 2], 2));
        assert!((found[0].mean - 0.75).abs() < 1e-6);
        assert_eq!((found[1].bounds, found[1].cells), ([1, 3, 2, 1], 2));
        assert!(regions(&values, 4, 0.95).is_empty());
        let everything = regions(&values, 4, 0.0);
        assert_eq!(
            (everything[0].bounds, everything[0].cells),
            ([0, 0, 3, 4], 12)
        );
    }

    #[test]
    fn peaks_keep_their_distance() {
        let mut values = vec![0.1; 100];
        (values[11], values[12], values[88]) = (0.9, 0.8, 0.7);
        assert_eq!(peaks(&values, 10, 2, 0.5), [11, 88]);
        assert_eq!(peaks(&values, 10, 0, 0.5), [11, 12, 88]);
        assert_eq!(peaks(&values, 10, 10, 0.0), [11]);
        assert!(peaks(&values, 10, 2, 0.95).is_empty());
    }
}
