//! Weights as elements of transformed tiles.

use std::ops::Range;

use super::super::product::{MAX_WIDTH, tile_width};
use super::super::weights::Axes;
use super::ELEMENTS;
use crate::flex::parallel::{for_each_chunk, is_worth_threads};
use crate::flex::scratch::Scratch;
use crate::flex::simd_math::vectorized;

/// Weights of 3×3 filters as `G g Gᵀ`, in panels of a tile's width of columns: for each panel and
/// element one row per channel of the source.
#[derive(Debug)]
pub(crate) struct TransformedWeights {
    values: Scratch,
    rows: usize,
    pub(super) columns: usize,
    pub(super) width: usize,
}

/// One number per column of a panel.
type Lanes = [f32; MAX_WIDTH];

impl TransformedWeights {
    /// Transforms the weight; `taps` is the order in which a window meets them.
    pub(in super::super) fn new(axes: Axes, weight: &[f32], taps: &[usize; 9]) -> Self {
        let width = tile_width();
        let Axes { rows, columns, .. } = axes;
        let panel_len = ELEMENTS * rows * width;
        let mut values = Scratch::new(columns.div_ceil(width) * panel_len);
        let parallel = is_worth_threads(16 * values.len());
        for_each_chunk(&mut values, panel_len.max(1), parallel, |panel, values| {
            let first = panel * width;
            let columns = first..(first + width).min(columns);
            for row in 0..rows {
                let filters = gather(axes, weight, taps, row, columns.clone());
                let elements = transform(&filters);
                for (index, element) in elements.iter().enumerate() {
                    let start = (index * rows + row) * width;
                    values[start..start + width].copy_from_slice(&element[..width]);
                }
            }
        });
        Self {
            values,
            rows,
            columns,
            width,
        }
    }

    /// Number of panels.
    pub(super) fn panels(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    /// `[channels, width]` of an element.
    pub(super) fn panel(&self, panel: usize, element: usize) -> &[f32] {
        let len = self.rows * self.width;
        let start = (panel * ELEMENTS + element) * len;
        &self.values[start..start + len]
    }

    /// Columns of a panel that exist.
    pub(super) fn columns_of(&self, panel: usize) -> Range<usize> {
        let first = panel * self.width;
        first..(first + self.width).min(self.columns)
    }
}

/// The filters of a row and some columns, one tap after another.
fn gather(
    axes: Axes,
    weight: &[f32],
    taps: &[usize; 9],
    row: usize,
    columns: Range<usize>,
) -> [Lanes; 9] {
    let mut filters = [[0.0; MAX_WIDTH]; 9];
    for (lane, column) in columns.enumerate() {
        let start = row * axes.row_stride + column * axes.column_stride;
        let source = &weight[start..start + 9];
        for (filter, &tap) in filters.iter_mut().zip(taps) {
            filter[lane] = source[tap];
        }
    }
    filters
}

/// `G g Gᵀ` with the rows `(1, 0, 0)`, `(½, ½, ½)`, `(½, -½, ½)` and `(0, 0, 1)` of `G`.
fn transform(filters: &[Lanes; 9]) -> [Lanes; ELEMENTS] {
    let mut rows = [[0.0; MAX_WIDTH]; 12];
    let mut elements = [[0.0; MAX_WIDTH]; ELEMENTS];
    vectorized(
        #[inline(always)]
        || {
            for column in 0..3 {
                for lane in 0..MAX_WIDTH {
                    let sums = expand([
                        filters[column][lane],
                        filters[3 + column][lane],
                        filters[6 + column][lane],
                    ]);
                    for row in 0..4 {
                        rows[3 * row + column][lane] = sums[row];
                    }
                }
            }
            for row in 0..4 {
                for lane in 0..MAX_WIDTH {
                    let sums = expand([
                        rows[3 * row][lane],
                        rows[3 * row + 1][lane],
                        rows[3 * row + 2][lane],
                    ]);
                    for column in 0..4 {
                        elements[4 * row + column][lane] = sums[column];
                    }
                }
            }
        },
    );
    elements
}

/// `G` times a vector.
#[inline(always)]
fn expand([first, middle, last]: [f32; 3]) -> [f32; 4] {
    let even = 0.5 * (first + last);
    let odd = 0.5 * middle;
    [first, even + odd, even - odd, last]
}
