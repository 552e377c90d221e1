//! Weights as elements of transformed tiles.

use std::ops::Range;

use super::super::weights::Axes;
use super::ELEMENTS;
use crate::flex::gemm::{MAX_WIDTH, PackedRhs};
use crate::flex::parallel::is_worth_threads;
use crate::flex::simd_math::vectorized;

/// Weights of 3×3 filters as `G g Gᵀ`: a matrix of `[channels, columns]` for each element, one below
/// the other.
#[derive(Debug)]
pub(crate) struct TransformedWeights(PackedRhs);

/// One number per column of a panel.
type Lanes = [f32; MAX_WIDTH];

impl TransformedWeights {
    /// Transforms the weight; `taps` is the order in which a window meets them.
    pub(in super::super) fn new(axes: Axes, weight: &[f32], taps: &[usize; 9]) -> Self {
        let Axes { rows, columns, .. } = axes;
        let depth = ELEMENTS * rows;
        let parallel = is_worth_threads(16 * depth * columns);
        Self(PackedRhs::from_panels(
            [depth, columns],
            parallel,
            |columns, panel| {
                let width = panel.len() / depth;
                for row in 0..rows {
                    let filters = gather(axes, weight, taps, row, columns.clone());
                    for (index, element) in transform(&filters).iter().enumerate() {
                        let start = (index * rows + row) * width;
                        panel[start..start + width].copy_from_slice(&element[..width]);
                    }
                }
            },
        ))
    }

    /// Columns of all panels.
    pub(super) fn columns(&self) -> usize {
        self.0.columns
    }

    /// Columns of a panel, with those that do not exist.
    pub(super) fn width(&self) -> usize {
        self.0.width
    }

    /// The columns of each panel.
    pub(super) fn panels(&self) -> impl ExactSizeIterator<Item = Range<usize>> {
        self.0.panels()
    }

    /// `[channels, width]` of an element, for the panel that starts at a column.
    pub(super) fn panel(&self, column: usize, element: usize) -> &[f32] {
        let rows = self.0.depth / ELEMENTS;
        self.0.panel(column, element * rows, rows)
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
