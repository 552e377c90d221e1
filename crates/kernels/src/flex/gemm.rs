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

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::parallel::{for_each_chunk, is_worth_threads};
use super::scratch::Scratch;

/// Largest block of the inner dimension: this much of a panel of the right operand stays in the
/// first-level cache.
const MAX_BLOCK_DEPTH: usize = 384;

/// Rows multiplied by a panel before the next panel: this much of the left operand stays in the
/// second-level cache. A multiple of every tile height.
const BLOCK_ROWS: usize = 384;

/// Unrolled steps along the inner dimension.
const UNROLLED: usize = 4;

/// Maximum rows per task; a multiple of every tile height.
const MAX_TASK_ROWS: usize = 96;

/// Rows of a panel that are packed together from a transposed operand.
const TRANSPOSED_ROWS: usize = 64;

/// A multiple of every tile height.
const ROWS_MULTIPLE: usize = 12;

/// Up to this many rows, the right operand is read in place: packing would cost as much as it saves.
pub(crate) const MAX_UNPACKED_ROWS: usize = 48;

/// Registers per row of a tile.
const REGISTERS: usize = 2;

/// Largest number of columns of a tile: two registers of 16 elements.
const MAX_WIDTH: usize = 32;

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

/// Columns of a tile on this processor.
fn tile_width(arch: Arch) -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    (REGISTERS * arch.dispatch(Lanes)).min(MAX_WIDTH)
}

/// The right operand, packed in the order in which tiles read it: panels as wide as a tile, row by
/// row, the last one padded with zeros.
#[derive(Debug)]
pub(crate) struct PackedRhs {
    values: Scratch,
    depth: usize,
    columns: usize,
    width: usize,
}

impl PackedRhs {
    /// Packs a block matrix of shape `[depth, columns]`. Each block has its shape and the row and
    /// column of its first element.
    pub(crate) fn from_blocks(
        [depth, columns]: [usize; 2],
        blocks: &[(Matrix<'_>, [usize; 2], [usize; 2])],
    ) -> Self {
        let width = tile_width(Arch::new());
        let panel_len = (depth * width).max(1);
        let mut values = Scratch::new(columns.div_ceil(width) * depth * width);
        let parallel = is_worth_threads(8 * values.len());
        for_each_chunk(&mut values, panel_len, parallel, |index, panel| {
            let first = index * width;
            if first + width > columns {
                panel.fill(0.0);
            }
            for &(block, shape, origin) in blocks {
                pack_panel(block, shape, origin, first, width, panel);
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

    /// Some rows of the panel that starts at a column.
    fn panel(&self, column: usize, row: usize, rows: usize) -> &[f32] {
        let start = column * self.depth + row * self.width;
        &self.values[start..start + rows * self.width]
    }
}

/// Copies the intersection of a block with the panel that starts at column `first`.
fn pack_panel(
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
    let mut lines: Vec<_> = lines.collect();
    for (chunk, lines) in lines.chunks_mut(TRANSPOSED_ROWS).enumerate() {
        for index in start..end {
            let offset = chunk * TRANSPOSED_ROWS * row_stride + (index - column) * column_stride;
            let source = block.values[offset..].iter().step_by(row_stride);
            for (line, value) in lines.iter_mut().zip(source) {
                line[index - first] = *value;
            }
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
        Arch::new().dispatch(Run(self));
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

/// A tile of the output.
struct Tile<'a> {
    output: &'a mut [f32],
    stride: usize,
    /// Rows and columns that exist.
    shape: [usize; 2],
    accumulate: bool,
}

/// Selects a tile height for the rows that are left. Excess rows of a tile repeat the last row and
/// are not stored.
#[inline(always)]
fn compute_tile<S: Simd, const ROWS: usize>(
    simd: S,
    lhs: Matrix<'_>,
    panel: &[f32],
    panel_shape: [usize; 2],
    tile: Tile<'_>,
) {
    match tile.shape[0] {
        1 => accumulate::<S, 1>(simd, lhs, panel, panel_shape, tile),
        2 => accumulate::<S, 2>(simd, lhs, panel, panel_shape, tile),
        3..=4 => accumulate::<S, 4>(simd, lhs, panel, panel_shape, tile),
        5..=8 if ROWS > 8 => accumulate::<S, 8>(simd, lhs, panel, panel_shape, tile),
        _ => accumulate::<S, ROWS>(simd, lhs, panel, panel_shape, tile),
    }
}

/// Accumulators of a tile.
type Sums<S, const ROWS: usize> = [[<S as Simd>::f32s; REGISTERS]; ROWS];

/// Traverses the inner dimension. The rows of the panel are `stride` apart.
#[inline(always)]
fn accumulate<S: Simd, const ROWS: usize>(
    simd: S,
    lhs: Matrix<'_>,
    panel: &[f32],
    [stride, depth]: [usize; 2],
    mut tile: Tile<'_>,
) {
    let rows = tile.shape[0];
    let mut sums: Sums<S, ROWS> = [[simd.splat_f32s(0.0); REGISTERS]; ROWS];
    if lhs.strides[1] != 1 {
        column_major(simd, &mut sums, lhs, panel, [stride, depth, rows]);
    } else if stride == REGISTERS * S::F32_LANES {
        row_major_packed(simd, &mut sums, lhs, panel, [depth, rows]);
    } else {
        row_major_strided(simd, &mut sums, lhs, panel, [stride, depth, rows]);
    }
    store(simd, &sums, &mut tile);
}

/// For a row-major left operand and a packed panel.
#[inline(always)]
fn row_major_packed<S: Simd, const ROWS: usize>(
    simd: S,
    sums: &mut Sums<S, ROWS>,
    lhs: Matrix<'_>,
    panel: &[f32],
    [depth, rows]: [usize; 2],
) {
    let (lines, _) = S::as_simd_f32s(panel);
    let (lines, _) = lines.as_chunks::<REGISTERS>();
    let lines = &lines[..depth];
    // Unrolled, so that fewer addresses are computed.
    let (blocks, rest) = lines.as_chunks::<UNROLLED>();
    let whole = blocks.len();
    let mut lhs_rows: [&[f32]; ROWS] = [&[]; ROWS];
    let mut lhs_blocks: [&[[f32; UNROLLED]]; ROWS] = [&[]; ROWS];
    for row in 0..ROWS {
        lhs_rows[row] = &lhs.values[row.min(rows - 1) * lhs.strides[0]..][..depth];
        lhs_blocks[row] = &lhs_rows[row].as_chunks::<UNROLLED>().0[..whole];
    }
    let mut total = *sums;
    for (index, block) in blocks.iter().enumerate() {
        for step in 0..UNROLLED {
            for row in 0..ROWS {
                let lhs = simd.splat_f32s(lhs_blocks[row][index][step]);
                for register in 0..REGISTERS {
                    total[row][register] =
                        simd.mul_add_f32s(lhs, block[step][register], total[row][register]);
                }
            }
        }
    }
    for (line, index) in rest.iter().zip(whole * UNROLLED..) {
        for row in 0..ROWS {
            let lhs = simd.splat_f32s(lhs_rows[row][index]);
            for register in 0..REGISTERS {
                total[row][register] = simd.mul_add_f32s(lhs, line[register], total[row][register]);
            }
        }
    }
    *sums = total;
}

/// For a row-major left operand and a panel that is read in place.
#[inline(always)]
fn row_major_strided<S: Simd, const ROWS: usize>(
    simd: S,
    sums: &mut Sums<S, ROWS>,
    lhs: Matrix<'_>,
    panel: &[f32],
    [stride, depth, rows]: [usize; 3],
) {
    let mut lhs_rows: [&[f32]; ROWS] = [&[]; ROWS];
    for (row, lhs_row) in lhs_rows.iter_mut().enumerate() {
        *lhs_row = &lhs.values[row.min(rows - 1) * lhs.strides[0]..][..depth];
    }
    let mut total = *sums;
    for index in 0..depth {
        let (line, _) = S::as_simd_f32s(&panel[index * stride..]);
        let line = &line[..REGISTERS];
        for row in 0..ROWS {
            let lhs = simd.splat_f32s(lhs_rows[row][index]);
            for register in 0..REGISTERS {
                total[row][register] = simd.mul_add_f32s(lhs, line[register], total[row][register]);
            }
        }
    }
    *sums = total;
}

/// For a column-major left operand.
#[inline(always)]
fn column_major<S: Simd, const ROWS: usize>(
    simd: S,
    sums: &mut Sums<S, ROWS>,
    lhs: Matrix<'_>,
    panel: &[f32],
    [stride, depth, rows]: [usize; 3],
) {
    let mut total = *sums;
    // Excess rows could read past the end of the left operand.
    let mut padded = Scratch::new(0);
    let (columns, column_stride) = if rows < ROWS {
        padded.set_len(depth * ROWS);
        for (index, column) in padded.chunks_exact_mut(ROWS).enumerate() {
            let source = &lhs.values[index * lhs.strides[1]..][..rows];
            column[..rows].copy_from_slice(source);
        }
        (&padded[..], ROWS)
    } else {
        (lhs.values, lhs.strides[1])
    };
    for index in 0..depth {
        let (line, _) = S::as_simd_f32s(&panel[index * stride..]);
        let line = &line[..REGISTERS];
        let column = &columns[index * column_stride..][..ROWS];
        for row in 0..ROWS {
            let lhs = simd.splat_f32s(column[row]);
            for register in 0..REGISTERS {
                total[row][register] = simd.mul_add_f32s(lhs, line[register], total[row][register]);
            }
        }
    }
    *sums = total;
}

#[inline(always)]
fn store<S: Simd>(simd: S, sums: &[[S::f32s; REGISTERS]], tile: &mut Tile<'_>) {
    let [rows, columns] = tile.shape;
    let width = REGISTERS * S::F32_LANES;
    for (row, sums) in sums.iter().enumerate().take(rows) {
        let line = &mut tile.output[row * tile.stride..][..columns];
        if columns == width {
            let (line, _) = S::as_mut_simd_f32s(line);
            for (target, sum) in line.iter_mut().zip(sums) {
                *target = if tile.accumulate {
                    simd.add_f32s(*target, *sum)
                } else {
                    *sum
                };
            }
            continue;
        }
        let mut whole = [0.0; MAX_WIDTH];
        let (registers, _) = S::as_mut_simd_f32s(&mut whole);
        for (target, sum) in registers.iter_mut().zip(sums) {
            *target = *sum;
        }
        for (target, sum) in line.iter_mut().zip(whole) {
            *target = if tile.accumulate { *target + sum } else { sum };
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
        let tasks = output.par_chunks_mut(task_rows * columns).enumerate();
        tasks.for_each(|(task, output)| {
            let lhs = lhs.from(task * task_rows, 0);
            matmul_strided(lhs, rhs, depth, columns, output);
        });
    } else {
        let task_columns = columns.div_ceil(threads).next_multiple_of(MAX_WIDTH);
        let starts: Vec<usize> = (0..columns).step_by(task_columns).collect();
        let blocks: Vec<Vec<f32>> = starts
            .par_iter()
            .map(|&start| {
                let block_columns = task_columns.min(columns - start);
                let mut block = vec![0.0; rows * block_columns];
                matmul_strided(lhs, rhs.from(0, start), depth, block_columns, &mut block);
                block
            })
            .collect();
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
