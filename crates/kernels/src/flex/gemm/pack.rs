//! Packing of the right operand.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::Matrix;
use super::tile::{MAX_WIDTH, REGISTERS};
use crate::flex::arch::arch;
use crate::flex::parallel::{for_each_chunk, is_worth_threads};
use crate::flex::scratch::Scratch;

/// Rows and columns that are transposed together.
const SQUARE: usize = 8;

/// Panels per task.
const GROUP: usize = 8;

/// Rows that are copied to all panels of a group together.
const ROWS: usize = 8;

/// Columns of a tile on this processor.
pub(crate) fn tile_width() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    (REGISTERS * arch().dispatch(Lanes)).min(MAX_WIDTH)
}

/// The right operand, packed in the order in which tiles read it: panels as wide as a tile, row by
/// row, the last one padded with zeros.
#[derive(Debug)]
pub(crate) struct PackedRhs {
    values: Scratch,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    /// Columns of a panel.
    pub(crate) width: usize,
}

impl PackedRhs {
    /// Packs a block matrix of shape `[depth, columns]`. Each block has its shape and the row and
    /// column of its first element.
    pub(crate) fn from_blocks(
        [depth, columns]: [usize; 2],
        blocks: &[(Matrix<'_>, [usize; 2], [usize; 2])],
    ) -> Self {
        let width = tile_width();
        let panel_len = (depth * width).max(1);
        let mut values = Scratch::new(columns.div_ceil(width) * depth * width);
        let parallel = is_worth_threads(8 * values.len());
        let group = if parallel {
            GROUP
        } else {
            usize::MAX / panel_len
        };
        for_each_chunk(&mut values, group * panel_len, parallel, |index, panels| {
            let first = if parallel { index * GROUP * width } else { 0 };
            if first + panels.len() / depth.max(1) > columns {
                let start = panels.len() - panel_len;
                panels[start..].fill(0.0);
            }
            for &(block, shape, origin) in blocks {
                pack_group(block, shape, origin, first, [depth, width], panels);
            }
        });
        Self {
            values,
            depth,
            columns,
            width,
        }
    }

    /// Packs a matrix.
    pub(crate) fn new(matrix: Matrix<'_>, shape: [usize; 2]) -> Self {
        Self::from_blocks(shape, &[(matrix, shape, [0, 0])])
    }

    /// Packs something else than a matrix: `fill` receives the columns of each panel and the panel,
    /// whose contents are unspecified.
    pub(crate) fn from_panels(
        [depth, columns]: [usize; 2],
        parallel: bool,
        fill: impl Fn(Range<usize>, &mut [f32]) + Sync + Send,
    ) -> Self {
        let width = tile_width();
        let mut values = Scratch::new(columns.div_ceil(width) * depth * width);
        let panel_len = (depth * width).max(1);
        for_each_chunk(&mut values, panel_len, parallel, |index, panel| {
            let first = index * width;
            fill(first..(first + width).min(columns), panel);
        });
        Self {
            values,
            depth,
            columns,
            width,
        }
    }

    /// All panels, one after another.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    /// The columns of each panel.
    pub(crate) fn panels(&self) -> impl ExactSizeIterator<Item = Range<usize>> {
        let starts = (0..self.columns).step_by(self.width);
        starts.map(|first| first..(first + self.width).min(self.columns))
    }

    /// Some rows of the panel that starts at a column.
    pub(crate) fn panel(&self, column: usize, row: usize, rows: usize) -> &[f32] {
        let start = column * self.depth + row * self.width;
        &self.values[start..start + rows * self.width]
    }
}

/// Copies the intersection of a block with adjacent panels, the first of which starts at column
/// `first`.
fn pack_group(
    block: Matrix<'_>,
    [rows, columns]: [usize; 2],
    [row, column]: [usize; 2],
    first: usize,
    [depth, width]: [usize; 2],
    panels: &mut [f32],
) {
    // A few rows for all panels before the next rows, so that the rows are read in long runs.
    let step = if block.strides[1] == 1 { ROWS } else { rows };
    for start in (0..rows).step_by(step.max(1)) {
        let shape = [step.min(rows - start), columns];
        let origin = [row + start, column];
        let block = block.from(start, 0);
        for (index, panel) in panels.chunks_mut(depth * width).enumerate() {
            pack_panel(block, shape, origin, first + index * width, width, panel);
        }
    }
}

/// Copies the intersection of a block with the panel that starts at column `first`.
pub(super) fn pack_panel(
    block: Matrix<'_>,
    [rows, columns]: [usize; 2],
    [row, column]: [usize; 2],
    first: usize,
    width: usize,
    panel: &mut [f32],
) {
    let start = first.max(column);
    let end = (first + width).min(column + columns);
    if start >= end {
        return;
    }
    let [row_stride, column_stride] = block.strides;
    let lines = panel.chunks_exact_mut(width).skip(row).take(rows);
    if column_stride == 1 {
        for (index, line) in lines.enumerate() {
            let offset = index * row_stride + start - column;
            let source = &block.values[offset..offset + end - start];
            // A constant length is copied without a call.
            match (
                line.first_chunk_mut::<MAX_WIDTH>(),
                source.first_chunk::<MAX_WIDTH>(),
            ) {
                (Some(line), Some(source)) => *line = *source,
                _ => line[start - first..end - first].copy_from_slice(source),
            }
        }
        return;
    }
    drop(lines);
    let shape = [rows, end - start];
    let source = block.from(0, start - column);
    let panel = &mut panel[row * width + start - first..];
    pack_transposed(source, shape, width, panel);
}

/// Copies a matrix with adjacent rows to lines that are `width` apart.
fn pack_transposed(
    source: Matrix<'_>,
    [rows, columns]: [usize; 2],
    width: usize,
    panel: &mut [f32],
) {
    for row in (0..rows).step_by(SQUARE) {
        for column in (0..columns).step_by(SQUARE) {
            let source = source.from(row, column);
            let panel = &mut panel[row * width + column..];
            let shape = [SQUARE.min(rows - row), SQUARE.min(columns - column)];
            if shape == [SQUARE; 2] && source.strides[0] == 1 {
                transpose_square(source.values, source.strides[1], width, panel);
                continue;
            }
            for column in 0..shape[1] {
                for row in 0..shape[0] {
                    let [row_stride, column_stride] = source.strides;
                    panel[row * width + column] =
                        source.values[row * row_stride + column * column_stride];
                }
            }
        }
    }
}

/// Transposes a square; of constant size, so that it is unrolled.
fn transpose_square(source: &[f32], stride: usize, width: usize, panel: &mut [f32]) {
    let mut lines = [[0.0; SQUARE]; SQUARE];
    for column in 0..SQUARE {
        if let Some(source) = source[column * stride..].first_chunk::<SQUARE>() {
            for row in 0..SQUARE {
                lines[row][column] = source[row];
            }
        }
    }
    for (panel, line) in panel.chunks_mut(width).zip(&lines) {
        panel[..SQUARE].copy_from_slice(line);
    }
}
