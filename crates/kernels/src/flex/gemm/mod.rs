//! Single-precision matrix products on slices.
//!
//! A tile of the output stays in registers while the inner dimension is traversed (Goto and van de
//! Geijn, *Anatomy of high-performance matrix multiplication*, 2008,
//! <https://doi.org/10.1145/1356052.1356053>). The left operand is read in place; the right operand
//! is first packed in the order in which it is read, unless there are few rows. The register width
//! is detected at run time.
//!
//! The order in which an element is summed depends only on the length of the inner dimension:
//! neither the number of threads nor the other rows change a bit of the result.

mod pack;
mod row;
mod tile;

use pulp::{Simd, WithSimd};

use self::pack::pack_panel;
pub(crate) use self::pack::{PackedRhs, tile_width};
use self::row::multiply_row;
pub(crate) use self::tile::{MAX_WIDTH, REGISTERS, Sums, add_packed};
use self::tile::{Tile, compute_tile};
use super::arch::arch;
use super::parallel::{for_each_chunk, is_worth_threads, map_tasks};
use super::scratch::Scratch;

/// Largest block of the inner dimension: this much of a panel of the right operand stays in the
/// first-level cache.
const MAX_BLOCK_DEPTH: usize = 384;

/// Rows multiplied by a panel before the next panel: this much of the left operand stays in the
/// second-level cache. A multiple of every tile height.
const BLOCK_ROWS: usize = 384;

/// Maximum rows per task; a multiple of every tile height.
const MAX_TASK_ROWS: usize = 96;

/// A multiple of every tile height.
const ROWS_MULTIPLE: usize = 12;

/// Up to this many rows, the right operand is read in place: packing would cost as much as it saves.
pub(crate) const MAX_UNPACKED_ROWS: usize = 64;

/// View of a matrix in a slice: its element `(i, j)` is `values[i * strides[0] + j * strides[1]]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// A row-major matrix.
    pub(crate) fn new(values: &'a [f32], columns: usize) -> Self {
        Self::strided(values, columns)
    }

    /// A matrix whose rows start `stride` elements apart.
    pub(crate) fn strided(values: &'a [f32], stride: usize) -> Self {
        Self {
            values,
            strides: [stride, 1],
        }
    }

    pub(crate) fn transposed(self) -> Self {
        let [rows, columns] = self.strides;
        Self {
            strides: [columns, rows],
            ..self
        }
    }

    /// The submatrix from an element to the lower right.
    pub(crate) fn from(self, row: usize, column: usize) -> Self {
        let start = row * self.strides[0] + column * self.strides[1];
        Self {
            values: &self.values[start.min(self.values.len())..],
            ..self
        }
    }
}

/// The right operand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rhs<'a> {
    Packed(&'a PackedRhs),
    /// Read in place; `depth` is its number of rows.
    Strided {
        matrix: Matrix<'a>,
        depth: usize,
    },
}

impl Rhs<'_> {
    fn depth(&self) -> usize {
        match *self {
            Rhs::Packed(packed) => packed.depth,
            Rhs::Strided { depth, .. } => depth,
        }
    }
}

/// Block size along the inner dimension, such that all blocks have about the same size.
fn block_depth(depth: usize) -> usize {
    depth
        .div_ceil(depth.div_ceil(MAX_BLOCK_DEPTH).max(1))
        .max(1)
}

/// A matrix product on the current thread.
pub(crate) struct Gemm<'a> {
    /// One of its strides is 1.
    pub(crate) lhs: Matrix<'a>,
    pub(crate) rows: usize,
    pub(crate) rhs: Rhs<'a>,
    /// Columns of the output: the first ones of the right operand.
    pub(crate) columns: usize,
    pub(crate) output: &'a mut [f32],
    /// Elements between the starts of rows of the output.
    pub(crate) stride: usize,
    /// Whether the product is added to the output instead of overwriting it.
    pub(crate) accumulate: bool,
}

impl Gemm<'_> {
    pub(crate) fn run(self) {
        arch().dispatch(Run(self));
    }
}

struct Run<'a>(Gemm<'a>);

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many rows as the accumulators leave registers for.
        if S::F32_LANES == 16 {
            self.blocks::<S, 12>(simd);
        } else {
            self.blocks::<S, 6>(simd);
        }
    }
}

impl Run<'_> {
    #[inline(always)]
    fn blocks<S: Simd, const ROWS: usize>(mut self, simd: S) {
        let depth = self.0.rhs.depth();
        let rows = self.0.rows;
        let step = block_depth(depth);
        if depth == 0 && !self.0.accumulate {
            self.clear();
        }
        for start in (0..depth).step_by(step) {
            let block_depth = step.min(depth - start);
            if self.row(simd, [start, block_depth]) {
                continue;
            }
            for row in (0..rows).step_by(BLOCK_ROWS) {
                let block_rows = BLOCK_ROWS.min(rows - row);
                self.tiles::<S, ROWS>(simd, [row, block_rows], [start, block_depth]);
            }
        }
    }

    fn clear(&mut self) {
        for row in 0..self.0.rows {
            self.0.output[row * self.0.stride..][..self.0.columns].fill(0.0);
        }
    }

    /// Computes a single row; returns false if there are more, or the right operand is packed.
    #[inline(always)]
    fn row<S: Simd>(&mut self, simd: S, [start, depth]: [usize; 2]) -> bool {
        let Rhs::Strided { matrix, .. } = self.0.rhs else {
            return false;
        };
        if self.0.rows != 1 || matrix.strides[1] != 1 {
            return false;
        }
        let accumulate = self.0.accumulate || start > 0;
        let output = &mut self.0.output[..self.0.columns];
        let (lhs, rhs) = (self.0.lhs.from(0, start), matrix.from(start, 0));
        multiply_row(simd, lhs, rhs, depth, output, accumulate);
        true
    }

    #[inline(always)]
    fn tiles<S: Simd, const ROWS: usize>(
        &mut self,
        simd: S,
        [row, rows]: [usize; 2],
        [start, depth]: [usize; 2],
    ) {
        let width = REGISTERS * S::F32_LANES;
        let Gemm {
            lhs,
            rhs,
            columns,
            stride,
            ..
        } = self.0;
        let accumulate = self.0.accumulate || start > 0;
        let mut packed = Scratch::new(0);
        for column in (0..columns).step_by(width) {
            let tile_columns = width.min(columns - column);
            let (panel, panel_stride) = match rhs {
                Rhs::Packed(rhs) => (rhs.panel(column, start, depth), width),
                Rhs::Strided { matrix, .. }
                    if tile_columns == width
                        && rows <= MAX_UNPACKED_ROWS
                        && matrix.strides[1] == 1 =>
                {
                    (matrix.from(start, column).values, matrix.strides[0])
                }
                Rhs::Strided { matrix, .. } => {
                    let block = matrix.from(start, column);
                    packed.set_len(depth * width);
                    if tile_columns < width {
                        packed.fill(0.0);
                    }
                    pack_panel(block, [depth, tile_columns], [0, 0], 0, width, &mut packed);
                    (&packed[..], width)
                }
            };
            for first in (0..rows).step_by(ROWS) {
                let tile = Tile {
                    output: &mut self.0.output[(row + first) * stride + column..],
                    stride,
                    shape: [ROWS.min(rows - first), tile_columns],
                    accumulate,
                };
                let lhs = lhs.from(row + first, start);
                compute_tile::<S, ROWS>(simd, lhs, panel, [panel_stride, depth], tile);
            }
        }
    }
}

/// Multiplies many rows by a packed matrix, in parallel. Each task passes its rows of the output and
/// the index of the first to `epilogue` while they are in cache.
///
/// - output: `[rows, columns]`
pub(crate) fn matmul_packed(
    lhs: Matrix<'_>,
    rows: usize,
    rhs: &PackedRhs,
    output: &mut [f32],
    epilogue: impl Fn(usize, &mut [f32]) + Sync + Send,
) {
    let columns = rhs.columns;
    if output.is_empty() {
        return;
    }
    let parallel = is_worth_threads(rows * columns * rhs.depth);
    let share = if parallel {
        rows.div_ceil(rayon::current_num_threads())
    } else {
        rows
    };
    let task_rows = share.next_multiple_of(ROWS_MULTIPLE).min(MAX_TASK_ROWS);
    for_each_chunk(output, task_rows * columns, parallel, |task, output| {
        Gemm {
            lhs: lhs.from(task * task_rows, 0),
            rows: output.len() / columns,
            rhs: Rhs::Packed(rhs),
            columns,
            output: &mut *output,
            stride: columns,
            accumulate: false,
        }
        .run();
        epilogue(task * task_rows, output);
    });
}

/// Multiplies matrices with few rows or few columns; the right operand is read once, in place.
///
/// - output: `[rows, columns]`
pub(crate) fn matmul(
    lhs: Matrix<'_>,
    rows: usize,
    rhs: Matrix<'_>,
    [depth, columns]: [usize; 2],
) -> Vec<f32> {
    let mut output = vec![0.0; rows * columns];
    if output.is_empty() {
        return output;
    }
    let threads = rayon::current_num_threads();
    if !is_worth_threads(rows * columns * depth) {
        matmul_strided(lhs, rhs, depth, columns, &mut output);
    } else if rows >= columns {
        let task_rows = rows.div_ceil(threads).next_multiple_of(ROWS_MULTIPLE);
        for_each_chunk(&mut output, task_rows * columns, true, |task, output| {
            let lhs = lhs.from(task * task_rows, 0);
            matmul_strided(lhs, rhs, depth, columns, output);
        });
    } else {
        let task_columns = columns.div_ceil(threads).next_multiple_of(MAX_WIDTH);
        let starts = (0..columns).step_by(task_columns);
        let blocks = map_tasks(starts.clone(), true, |start| {
            let block_columns = task_columns.min(columns - start);
            let mut block = vec![0.0; rows * block_columns];
            matmul_strided(lhs, rhs.from(0, start), depth, block_columns, &mut block);
            block
        });
        for (block, start) in blocks.iter().zip(starts) {
            let block_columns = task_columns.min(columns - start);
            for (line, source) in output.chunks_mut(columns).zip(block.chunks(block_columns)) {
                line[start..start + block_columns].copy_from_slice(source);
            }
        }
    }
    output
}

/// A product on the current thread, with both operands read in place.
fn matmul_strided(
    lhs: Matrix<'_>,
    rhs: Matrix<'_>,
    depth: usize,
    columns: usize,
    output: &mut [f32],
) {
    Gemm {
        lhs,
        rows: output.len() / columns,
        rhs: Rhs::Strided { matrix: rhs, depth },
        columns,
        output,
        stride: columns,
        accumulate: false,
    }
    .run();
}
