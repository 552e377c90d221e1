//! A large image as overlapping tiles whose results are blended.

use std::ops::Range;

/// A grid of overlapping tiles over an image, with a weight for every pixel of every tile.
///
/// Neighbors overlap by at least `overlap` pixels, and all by nearly the same. The weights rise
/// linearly from the edge of a tile that has a neighbor, and the weights of all tiles at a pixel sum to
/// 1: a result is the weighted sum of those of the tiles.
///
/// ```
/// use tinderbox_predict::vision::Tiles;
///
/// let tiles = Tiles::new(100, 250, 100, 20);
/// let lefts: Vec<usize> = tiles.iter().map(|tile| tile.left).collect();
/// assert_eq!(lefts, [0, 75, 150]);
/// let total: f32 = tiles
///     .iter()
///     .filter(|tile| tile.columns().contains(&80))
///     .map(|tile| tile.weight(5, 80 - tile.left))
///     .sum();
/// assert!((total - 1.0).abs() < 1e-6);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Tiles {
    vertical: Axis,
    horizontal: Axis,
}

/// One tile of [`Tiles`]. It lies within the image; where the image is smaller than a tile, so is this.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tile<'a> {
    /// Row of the image that its first row is.
    pub top: usize,
    /// Column of the image that its first column is.
    pub left: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// Weight of each row; the weight of a pixel is the product with that of its column.
    pub row_weights: &'a [f32],
    /// Weight of each column.
    pub column_weights: &'a [f32],
}

impl Tiles {
    /// Covers an image of `height` times `width` pixels with tiles of `tile` times `tile` pixels.
    ///
    /// # Panics
    ///
    /// If a size is 0, or `overlap` is not less than `tile`.
    pub fn new(height: usize, width: usize, tile: usize, overlap: usize) -> Self {
        assert!(height > 0 && width > 0, "the image is empty");
        assert!(
            overlap < tile,
            "an overlap of {overlap} pixels leaves nothing of a tile of {tile}"
        );
        Self {
            vertical: Axis::new(height, tile, overlap),
            horizontal: Axis::new(width, tile, overlap),
        }
    }

    /// Number of tiles.
    pub fn len(&self) -> usize {
        self.rows() * self.columns()
    }

    /// Whether there are no tiles, which is never so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of rows of tiles.
    pub fn rows(&self) -> usize {
        self.vertical.starts.len()
    }

    /// Number of columns of tiles.
    pub fn columns(&self) -> usize {
        self.horizontal.starts.len()
    }

    /// All tiles, row by row.
    pub fn iter(&self) -> impl Iterator<Item = Tile<'_>> {
        (0..self.rows()).flat_map(|row| self.row(row))
    }

    /// The tiles of one row of tiles, from 0, from left to right.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Tile<'_>> {
        let (vertical, horizontal) = (&self.vertical, &self.horizontal);
        (0..self.columns()).map(move |column| Tile {
            top: vertical.starts[row],
            left: horizontal.starts[column],
            height: vertical.length,
            width: horizontal.length,
            row_weights: &vertical.weights[row],
            column_weights: &horizontal.weights[column],
        })
    }
}

impl Tile<'_> {
    /// The rows of the image that it covers.
    pub fn rows(&self) -> Range<usize> {
        self.top..self.top + self.height
    }

    /// The columns of the image that it covers.
    pub fn columns(&self) -> Range<usize> {
        self.left..self.left + self.width
    }

    /// The weight of the pixel at a row and column of the tile.
    ///
    /// # Panics
    ///
    /// If the pixel lies outside of the tile.
    pub fn weight(&self, row: usize, column: usize) -> f32 {
        self.row_weights[row] * self.column_weights[column]
    }
}

/// Overlapping intervals of one length.
#[derive(Clone, Debug, PartialEq)]
struct Axis {
    length: usize,
    starts: Vec<usize>,
    /// Of every position of every interval.
    weights: Vec<Vec<f32>>,
}

impl Axis {
    fn new(side: usize, tile: usize, overlap: usize) -> Self {
        let length = tile.min(side);
        let count = if side <= tile {
            1
        } else {
            (side - overlap).div_ceil(tile - overlap)
        };
        let start = |index: usize| (index * (side - length)).checked_div(count - 1);
        let starts: Vec<usize> = (0..count).map(|index| start(index).unwrap_or(0)).collect();
        let mut weights: Vec<Vec<f32>> = (0..count).map(|at| ramps(&starts, length, at)).collect();
        let mut sums = vec![0.0_f32; side];
        for (start, weights) in starts.iter().zip(&weights) {
            let covered = sums[*start..].iter_mut().zip(weights);
            covered.for_each(|(sum, weight)| *sum += weight);
        }
        for (start, weights) in starts.iter().zip(&mut weights) {
            let covered = weights.iter_mut().zip(&sums[*start..]);
            covered.for_each(|(weight, sum)| *weight /= sum);
        }
        Self {
            length,
            starts,
            weights,
        }
    }
}

/// Weights that rise over the overlap with the interval before and fall over that with the next one.
fn ramps(starts: &[usize], length: usize, at: usize) -> Vec<f32> {
    let (start, end) = (starts[at], starts[at] + length);
    let before = at.checked_sub(1).map(|at| starts[at] + length);
    let overlap_before = before.map_or(0, |end| end.saturating_sub(start));
    let after = starts.get(at + 1);
    let overlap_after = after.map_or(0, |&next| end.saturating_sub(next));
    let ramp = |distance: usize, overlap: usize| {
        if overlap == 0 {
            return 1.0;
        }
        ((distance as f32 + 0.5) / overlap as f32).min(1.0)
    };
    (0..length)
        .map(|at| ramp(at, overlap_before).min(ramp(length - 1 - at, overlap_after)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_has_weights_that_sum_to_one() {
        for (height, width, tile, overlap) in [
            (1, 1, 8, 0),
            (8, 8, 8, 4),
            (9, 30, 8, 0),
            (9, 30, 8, 4),
            (33, 17, 16, 15),
            (100, 5, 32, 8),
        ] {
            let tiles = Tiles::new(height, width, tile, overlap);
            let mut sums = vec![0.0_f32; height * width];
            for tile in tiles.iter() {
                for (y, row) in tile.rows().enumerate() {
                    for (x, column) in tile.columns().enumerate() {
                        let weight = tile.weight(y, x);
                        assert!(weight > 0.0);
                        sums[row * width + column] += weight;
                    }
                }
            }
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{tile}");
        }
    }

    #[test]
    fn neighbors_overlap_as_asked_and_the_last_ends_with_the_image() {
        let tiles = Tiles::new(512, 1000, 256, 64);
        assert_eq!((tiles.rows(), tiles.columns(), tiles.len()), (3, 5, 15));
        let columns: Vec<_> = tiles.row(0).map(|tile| tile.columns()).collect();
        assert!(
            columns
                .windows(2)
                .all(|pair| pair[0].end - pair[1].start >= 64)
        );
        assert_eq!(columns.last().unwrap().end, 1000);
    }

    #[test]
    fn weights_fall_toward_a_neighbor_only() {
        let tiles = Tiles::new(10, 15, 10, 5);
        let first = tiles.iter().next().unwrap();
        assert_eq!(first.row_weights, [1.0; 10]);
        assert_eq!(first.column_weights[..5], [1.0; 5]);
        assert_eq!(first.column_weights[5..], [0.9, 0.7, 0.5, 0.3, 0.1]);
    }
}
