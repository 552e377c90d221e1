//! Histograms of oriented gradients (HOG).
//!
//! Reference: Dalal and Triggs, *Histograms of oriented gradients for human detection*, 2005,
//! <https://doi.org/10.1109/CVPR.2005.177>: the gradient of the channel where it is largest, linear interpolation
//! between cells and orientations, blocks of 2x2 cells with their norm limited as in L2-Hys.
//! Differs from it: the four normalizations of a cell are averaged, and directions with sign are next to
//! orientations without, as in Felzenszwalb et al., *Object detection with discriminatively trained part-based
//! models*, 2010, <https://doi.org/10.1109/TPAMI.2009.167>: fewer values, and bright objects differ from dark ones.

use std::f32::consts::TAU;

use tinderbox_datasets::image::Image;

/// Side of a cell, in pixels.
pub(super) const CELL: usize = 8;

/// Bins of orientations without sign.
const ORIENTATIONS: usize = 9;

/// Bins of directions, with sign.
const DIRECTIONS: usize = 2 * ORIENTATIONS;

/// Blocks of 2x2 cells that a cell is in.
const BLOCKS: usize = 4;

/// Values of a cell: directions, orientations, and the sum of the directions by block.
pub(super) const FEATURES: usize = DIRECTIONS + ORIENTATIONS + BLOCKS;

/// Largest value of a normalized histogram.
const LIMIT: f32 = 0.2;

/// Added to the squared norm of a block: where gradients are below a gray level, noise stays small.
const NOISE: f32 = 0.02;

/// Factor of the sums, which brings them to the size of the other values.
const SUM_SCALE: f32 = 0.2357;

/// The features of the cells of an image.
pub(super) struct HogMap {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// `[rows, columns, FEATURES]`.
    pub(super) values: Vec<f32>,
}

impl HogMap {
    /// The features of so many cells of a row.
    pub(super) fn strip(&self, row: usize, column: usize, cells: usize) -> &[f32] {
        &self.values[(row * self.columns + column) * FEATURES..][..cells * FEATURES]
    }
}

/// Computes the features of the whole cells of an image.
pub(super) fn hog(image: &Image) -> HogMap {
    let [rows, columns] = [image.height / CELL, image.width / CELL];
    let cells = histograms(image, rows, columns);
    let energies: Vec<f32> = cells.iter().map(energy).collect();
    let mut values = Vec::with_capacity(cells.len() * FEATURES);
    for (at, cell) in cells.iter().enumerate() {
        let scales = block_scales(&energies, [rows, columns], [at / columns, at % columns]);
        values.extend(normalized(cell, scales));
    }
    HogMap {
        rows,
        columns,
        values,
    }
}

/// The directions of the gradients in each cell.
fn histograms(image: &Image, rows: usize, columns: usize) -> Vec<[f32; DIRECTIONS]> {
    let mut cells = vec![[0.0; DIRECTIONS]; rows * columns];
    let across: Vec<_> = (0..columns * CELL)
        .map(|x| cells_around(x, columns))
        .collect();
    for y in 0..rows * CELL {
        let down = cells_around(y, rows);
        for (x, across) in across.iter().enumerate() {
            let [dx, dy] = gradient(image, y, x);
            let magnitude = (dx * dx + dy * dy).sqrt();
            if magnitude <= 0.0 {
                continue;
            }
            let position = (dy.atan2(dx) / TAU * DIRECTIONS as f32).rem_euclid(DIRECTIONS as f32);
            let (first, share) = (position as usize % DIRECTIONS, position.fract());
            let second = (first + 1) % DIRECTIONS;
            for (row, row_weight) in down {
                for &(column, weight) in across {
                    let weight = magnitude * row_weight * weight;
                    let cell = &mut cells[row * columns + column];
                    cell[first] += weight * (1.0 - share);
                    cell[second] += weight * share;
                }
            }
        }
    }
    cells
}

/// The two cells next to a pixel along an axis with their weights; one outside of the image has none.
fn cells_around(at: usize, cells: usize) -> [(usize, f32); 2] {
    let position = (at as f32 + 0.5) / CELL as f32 + 0.5;
    let (second, weight) = (position as usize, position.fract());
    let before = second.checked_sub(1);
    [
        before.map_or((0, 0.0), |first| (first, 1.0 - weight)),
        if second < cells {
            (second, weight)
        } else {
            (0, 0.0)
        },
    ]
}

/// Differences to the right and down at a pixel, of the channel where they are largest; 1 is black to white.
fn gradient(image: &Image, y: usize, x: usize) -> [f32; 2] {
    let channels = image.channels;
    let pixel = |y: usize, x: usize| &image.pixels[(y * image.width + x) * channels..][..channels];
    let (left, right) = (
        pixel(y, x.saturating_sub(1)),
        pixel(y, (x + 1).min(image.width - 1)),
    );
    let (above, below) = (
        pixel(y.saturating_sub(1), x),
        pixel((y + 1).min(image.height - 1), x),
    );
    let mut largest = ([0, 0], 0);
    for channel in 0..channels {
        let dx = i32::from(right[channel]) - i32::from(left[channel]);
        let dy = i32::from(below[channel]) - i32::from(above[channel]);
        let square = dx * dx + dy * dy;
        if square > largest.1 {
            largest = ([dx, dy], square);
        }
    }
    largest.0.map(|difference| difference as f32 / 255.0)
}

/// Squared norm of the orientations of a cell.
fn energy(cell: &[f32; DIRECTIONS]) -> f32 {
    orientations(cell).map(|value| value * value).iter().sum()
}

/// Directions without their sign.
fn orientations(cell: &[f32; DIRECTIONS]) -> [f32; ORIENTATIONS] {
    std::array::from_fn(|at| cell[at] + cell[at + ORIENTATIONS])
}

/// One over the norm of each block that a cell is in; beyond the border the cells at the border are repeated.
fn block_scales(
    energies: &[f32],
    [rows, columns]: [usize; 2],
    [row, column]: [usize; 2],
) -> [f32; BLOCKS] {
    let (above, below) = (row.saturating_sub(1), (row + 1).min(rows - 1));
    let (left, right) = (column.saturating_sub(1), (column + 1).min(columns - 1));
    let at = |row: usize, column: usize| energies[row * columns + column];
    [(above, left), (above, right), (below, left), (below, right)].map(
        |(other_row, other_column)| {
            let sum = at(row, column)
                + at(row, other_column)
                + at(other_row, column)
                + at(other_row, other_column);
            (sum + NOISE).sqrt().recip()
        },
    )
}

/// The values of a cell with the norms of its blocks.
fn normalized(cell: &[f32; DIRECTIONS], scales: [f32; BLOCKS]) -> [f32; FEATURES] {
    let mut values = [0.0; FEATURES];
    let (directions, rest) = values.split_at_mut(DIRECTIONS);
    let (without_sign, sums) = rest.split_at_mut(ORIENTATIONS);
    let orientations = orientations(cell);
    for (scale, sum) in scales.into_iter().zip(sums) {
        let limited = |value: &f32| (value * scale).min(LIMIT);
        for (into, value) in directions.iter_mut().zip(cell.iter().map(limited)) {
            *into += 0.5 * value;
            *sum += SUM_SCALE * value;
        }
        for (into, value) in without_sign
            .iter_mut()
            .zip(orientations.iter().map(limited))
        {
            *into += 0.5 * value;
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square image of 5x5 cells.
    fn image(channels: usize, value: impl Fn(usize, usize, usize) -> u8) -> Image {
        let side = 5 * CELL;
        let pixels = (0..side * side * channels).map(|at| {
            let pixel = at / channels;
            value(pixel / side, pixel % side, at % channels)
        });
        Image {
            height: side,
            width: side,
            channels,
            pixels: pixels.collect(),
        }
    }

    /// The features of the cell in the middle.
    fn middle(image: &Image) -> Vec<f32> {
        hog(image).strip(2, 2, 1).to_vec()
    }

    /// The bins that are not empty.
    fn filled(values: &[f32]) -> Vec<usize> {
        (0..values.len()).filter(|&at| values[at] > 1e-4).collect()
    }

    #[test]
    fn a_vertical_edge_fills_the_direction_across_it() {
        // The edge is in the middle of the middle cell.
        let step = |bright: bool| if bright { 200 } else { 50 };
        let values = middle(&image(1, |_, x, _| step(x >= 20)));
        let sums = [27, 28, 29, 30];
        assert_eq!(filled(&values), [&[0, DIRECTIONS][..], &sums].concat());
        // The other way round: the opposite direction, the same orientation.
        let values = middle(&image(1, |_, x, _| step(x < 20)));
        assert_eq!(
            filled(&values),
            [&[ORIENTATIONS, DIRECTIONS][..], &sums].concat()
        );
    }

    #[test]
    fn an_edge_between_two_bins_fills_both_alike() {
        // A ramp at 10 degrees, half of a bin.
        let (sin, cos) = 10_f32.to_radians().sin_cos();
        let ramp = |y: usize, x: usize, _| (5.0 * (x as f32 * cos + y as f32 * sin)) as u8;
        let values = middle(&image(1, ramp));
        assert!(values[0] > 0.1, "{values:?}");
        assert!((values[0] - values[1]).abs() < 0.05, "{values:?}");
        assert!(values[2..DIRECTIONS].iter().all(|value| *value < 0.05));
    }

    #[test]
    fn contrast_is_normalized_and_limited() {
        let edges = |contrast: u8| {
            let cross = move |y: usize, x: usize, _| contrast * u8::from((x >= 20) != (y >= 20));
            middle(&image(1, cross))
        };
        let (weak, strong) = (edges(60), edges(240));
        for (weak, strong) in weak.iter().zip(&strong) {
            assert!((weak - strong).abs() < 0.01, "{weak} {strong}");
        }
        // Each of four blocks gives at most 0.2, and half of it is taken.
        let most = 0.5 * LIMIT * BLOCKS as f32;
        let bins = &strong[..DIRECTIONS + ORIENTATIONS];
        assert!(bins.iter().all(|value| *value <= most + 1e-6));
        assert!(bins.iter().any(|value| *value > 0.5 * most), "{bins:?}");
    }

    #[test]
    fn the_channel_with_the_largest_gradient_counts() {
        let color = |y: usize, x: usize, channel: usize| match channel {
            0 => u8::from(y >= 20) * 10,
            1 => u8::from(x >= 20) * 180,
            _ => 90,
        };
        let values = middle(&image(3, color));
        // The first channel counts where the second one is even: its edge is a weak one at 90 degrees.
        let down = values[ORIENTATIONS / 2];
        assert!(down > 0.0 && values[0] > 2.0 * down, "{values:?}");
    }

    #[test]
    fn a_constant_image_has_no_gradients() {
        let map = hog(&image(3, |_, _, channel| 40 * channel as u8));
        assert_eq!((map.rows, map.columns), (5, 5));
        assert_eq!(map.values, vec![0.0; 25 * FEATURES]);
    }

    #[test]
    fn pixels_beyond_the_last_whole_cell_are_left_out() {
        let small = Image {
            height: 2 * CELL + 5,
            width: CELL - 1,
            channels: 1,
            pixels: vec![9; (2 * CELL + 5) * (CELL - 1)],
        };
        let map = hog(&small);
        assert_eq!((map.rows, map.columns, map.values.len()), (2, 0, 0));
    }
}
