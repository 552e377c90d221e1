//! Matrix products of single-precision numbers, on plain slices.
//!
//! A tile of the output stays in registers while the inner axis is walked (Goto and van de Geijn,
//! *Anatomy of high-performance matrix multiplication*, 2008,
//! <https://doi.org/10.1145/1356052.1356053>). The left factor is read where it lies; the right
//! factor is laid out first in the order it is read in, unless there are few rows. The width of the
//! processor's registers is found out at run time.
//!
//! Each element is summed in an order that depends on the length of the inner axis alone: neither
//! the number of threads nor the other rows change a bit of it.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::parallel::{for_each_chunk, is_worth_threads};
use super::scratch::Scratch;

/// Longest portion of the inner axis: of a panel of the right factor this much stays in the
/// nearest cache.
const MAX_DEPTH: usize = 384;

/// Rows that are multiplied by a panel before the next is taken: of the left factor this much stays
/// in the second cache. A multiple of every tile's height.
const BLOCK_ROWS: usize = 384;

/// Steps along the inner axis that are written out.
const UNROLLED: usize = 4;

/// Rows that one task multiplies if there are many; a multiple of every tile's height.
const TASK_ROWS: usize = 96;

/// Rows of a panel that are filled column by column at a time.
const TRANSPOSED_ROWS: usize = 64;

/// A multiple of every tile's height.
const ROWS_STEP: usize = 12;

/// With so few rows the right factor is read where it lies: laying it out would cost as much as it
/// saves.
pub(crate) const FEW_ROWS: usize = 48;

/// Registers side by side in a tile.
const REGISTERS: usize = 2;

/// Largest number of columns of a tile: two registers of 16 numbers.
const MAX_WIDTH: usize = 32;

/// A matrix in a slice: its element `(i, j)` is `values[i * strides[0] + j * strides[1]]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// A matrix whose rows lie one behind the other.
    pub(crate) fn new(values: &'a [f32], columns: usize) -> Self {
        Self::strided(values, columns)
    }

    /// A matrix whose rows begin `stride` numbers apart.
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

    /// The matrix without what is above and left of an element.
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

/// The right factor of a product, laid out as the tiles read it: panels of as many columns as a
/// tile has, row by row, the last filled up with zeros.
#[derive(Debug)]
pub(crate) struct Packed {
    values: Scratch,
    depth: usize,
    columns: usize,
    width: usize,
}

impl Packed {
    /// Joins matrices to one of `depth` rows and `columns` columns. Each comes with its number of
    /// rows and columns and with the place of its first element.
    pub(crate) fn join(
        [depth, columns]: [usize; 2],
        parts: &[(Matrix<'_>, [usize; 2], [usize; 2])],
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
            for &(part, size, place) in parts {
                pack_right(part, size, place, first, width, panel);
            }
        });
        Self {
            values,
            depth,
            columns,
            width,
        }
    }

    /// Lays out one matrix.
    pub(crate) fn new(matrix: Matrix<'_>, size: [usize; 2]) -> Self {
        Self::join(size, &[(matrix, size, [0, 0])])
    }

    /// Some rows of the panel that begins with a column.
    fn panel(&self, column: usize, start: usize, deep: usize) -> &[f32] {
        let at = column * self.depth + start * self.width;
        &self.values[at..at + deep * self.width]
    }
}

/// Copies what a matrix has of one panel.
fn pack_right(
    part: Matrix<'_>,
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
    let [stride, step] = part.strides;
    let lines = panel.chunks_exact_mut(width).skip(row).take(rows);
    if step == 1 {
        for (index, line) in lines.enumerate() {
            let at = index * stride + start - column;
            let source = &part.values[at..at + end - start];
            // A length that the compiler knows needs no call.
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
    for (block, lines) in lines.chunks_mut(TRANSPOSED_ROWS).enumerate() {
        for place in start..end {
            let at = block * TRANSPOSED_ROWS * stride + (place - column) * step;
            let source = part.values[at..].iter().step_by(stride);
            for (line, value) in lines.iter_mut().zip(source) {
                line[place - first] = *value;
            }
        }
    }
}

/// The right factor of a product, wherever it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Right<'a> {
    /// Laid out.
    Packed(&'a Packed),
    /// Where it lies, with its number of rows.
    Rows { matrix: Matrix<'a>, depth: usize },
}

impl Right<'_> {
    fn depth(&self) -> usize {
        match *self {
            Right::Packed(packed) => packed.depth,
            Right::Rows { depth, .. } => depth,
        }
    }
}

/// Length of a portion of the inner axis, all as equal as can be.
fn portion(depth: usize) -> usize {
    depth.div_ceil(depth.div_ceil(MAX_DEPTH).max(1)).max(1)
}

/// One product, on this thread.
pub(crate) struct Product<'a> {
    /// Its rows or its columns lie in their order.
    pub(crate) left: Matrix<'a>,
    pub(crate) rows: usize,
    pub(crate) right: Right<'a>,
    /// Columns of the right factor that are multiplied, from the first.
    pub(crate) columns: usize,
    pub(crate) output: &'a mut [f32],
    /// From one row of the output to the next.
    pub(crate) stride: usize,
    /// Whether the product is added to what is there.
    pub(crate) add: bool,
}

impl Product<'_> {
    /// Computes it.
    pub(crate) fn run(self) {
        Arch::new().dispatch(Run(self));
    }
}

struct Run<'a>(Product<'a>);

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many rows as there are registers for, beside what is read.
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
        let depth = self.0.right.depth();
        let rows = self.0.rows;
        let step = portion(depth);
        if depth == 0 && !self.0.add {
            self.clear();
        }
        for start in (0..depth).step_by(step) {
            let deep = step.min(depth - start);
            for row in (0..rows).step_by(BLOCK_ROWS) {
                let high = BLOCK_ROWS.min(rows - row);
                self.tiles::<S, ROWS>(simd, [row, high], [start, deep]);
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
        [start, deep]: [usize; 2],
    ) {
        let width = REGISTERS * S::F32_LANES;
        let Product {
            left,
            right,
            columns,
            stride,
            ..
        } = self.0;
        let add = self.0.add || start > 0;
        let mut copy = Scratch::new(0);
        for column in (0..columns).step_by(width) {
            let wide = width.min(columns - column);
            let (panel, walk) = match right {
                Right::Packed(packed) => (packed.panel(column, start, deep), width),
                Right::Rows { matrix, .. }
                    if wide == width && rows <= FEW_ROWS && matrix.strides[1] == 1 =>
                {
                    (matrix.from(start, column).values, matrix.strides[0])
                }
                Right::Rows { matrix, .. } => {
                    let part = matrix.from(start, column);
                    copy.set_len(deep * width);
                    if wide < width {
                        copy.fill(0.0);
                    }
                    pack_right(part, [deep, wide], [0, 0], 0, width, &mut copy);
                    (&copy[..], width)
                }
            };
            for first in (0..rows).step_by(ROWS) {
                let place = Place {
                    output: &mut self.0.output[(row + first) * stride + column..],
                    stride,
                    size: [ROWS.min(rows - first), wide],
                    add,
                };
                let left = left.from(row + first, start);
                tile::<S, ROWS>(simd, left, panel, [walk, deep], place);
            }
        }
    }
}

/// Where a tile goes.
struct Place<'a> {
    output: &'a mut [f32],
    stride: usize,
    size: [usize; 2],
    add: bool,
}

/// Chooses the height: there may be few rows left. Rows that a tile has beyond those there are
/// repeat the last one, and are not stored.
#[inline(always)]
fn tile<S: Simd, const ROWS: usize>(
    simd: S,
    left: Matrix<'_>,
    panel: &[f32],
    walk: [usize; 2],
    place: Place<'_>,
) {
    match place.size[0] {
        1 => accumulate::<S, 1>(simd, left, panel, walk, place),
        2 => accumulate::<S, 2>(simd, left, panel, walk, place),
        3..=4 => accumulate::<S, 4>(simd, left, panel, walk, place),
        5..=8 if ROWS > 8 => accumulate::<S, 8>(simd, left, panel, walk, place),
        _ => accumulate::<S, ROWS>(simd, left, panel, walk, place),
    }
}

/// Sums of a tile.
type Sums<S, const HIGH: usize> = [[<S as Simd>::f32s; REGISTERS]; HIGH];

/// Walks along the inner axis. The rows of the right factor are `stride` apart.
#[inline(always)]
fn accumulate<S: Simd, const HIGH: usize>(
    simd: S,
    left: Matrix<'_>,
    panel: &[f32],
    [stride, deep]: [usize; 2],
    mut place: Place<'_>,
) {
    let high = place.size[0];
    let mut sums: Sums<S, HIGH> = [[simd.splat_f32s(0.0); REGISTERS]; HIGH];
    if left.strides[1] != 1 {
        by_columns(simd, &mut sums, left, panel, [stride, deep, high]);
    } else if stride == REGISTERS * S::F32_LANES {
        by_rows(simd, &mut sums, left, panel, [deep, high]);
    } else {
        by_rows_apart(simd, &mut sums, left, panel, [stride, deep, high]);
    }
    store(simd, &sums, &mut place);
}

/// For a left factor whose rows lie in their order, and a right factor that is laid out.
#[inline(always)]
fn by_rows<S: Simd, const HIGH: usize>(
    simd: S,
    sums: &mut Sums<S, HIGH>,
    left: Matrix<'_>,
    panel: &[f32],
    [deep, high]: [usize; 2],
) {
    let (lines, _) = S::as_simd_f32s(panel);
    let (lines, _) = lines.as_chunks::<REGISTERS>();
    let lines = &lines[..deep];
    // A few numbers of each row at a time, so that their places are computed less often.
    let (blocks, rest) = lines.as_chunks::<UNROLLED>();
    let whole = blocks.len();
    let mut rows: [&[f32]; HIGH] = [&[]; HIGH];
    let mut parts: [&[[f32; UNROLLED]]; HIGH] = [&[]; HIGH];
    for row in 0..HIGH {
        rows[row] = &left.values[row.min(high - 1) * left.strides[0]..][..deep];
        parts[row] = &rows[row].as_chunks::<UNROLLED>().0[..whole];
    }
    let mut total = *sums;
    for (index, block) in blocks.iter().enumerate() {
        for step in 0..UNROLLED {
            for row in 0..HIGH {
                let left = simd.splat_f32s(parts[row][index][step]);
                for place in 0..REGISTERS {
                    total[row][place] =
                        simd.mul_add_f32s(left, block[step][place], total[row][place]);
                }
            }
        }
    }
    for (line, index) in rest.iter().zip(whole * UNROLLED..) {
        for row in 0..HIGH {
            let left = simd.splat_f32s(rows[row][index]);
            for place in 0..REGISTERS {
                total[row][place] = simd.mul_add_f32s(left, line[place], total[row][place]);
            }
        }
    }
    *sums = total;
}

/// For a left factor whose rows lie in their order, and a right factor that is read where it lies.
#[inline(always)]
fn by_rows_apart<S: Simd, const HIGH: usize>(
    simd: S,
    sums: &mut Sums<S, HIGH>,
    left: Matrix<'_>,
    panel: &[f32],
    [stride, deep, high]: [usize; 3],
) {
    let mut rows: [&[f32]; HIGH] = [&[]; HIGH];
    for (row, numbers) in rows.iter_mut().enumerate() {
        *numbers = &left.values[row.min(high - 1) * left.strides[0]..][..deep];
    }
    let mut total = *sums;
    for index in 0..deep {
        let (line, _) = S::as_simd_f32s(&panel[index * stride..]);
        let line = &line[..REGISTERS];
        for row in 0..HIGH {
            let left = simd.splat_f32s(rows[row][index]);
            for place in 0..REGISTERS {
                total[row][place] = simd.mul_add_f32s(left, line[place], total[row][place]);
            }
        }
    }
    *sums = total;
}

/// For a left factor whose columns lie in their order.
#[inline(always)]
fn by_columns<S: Simd, const HIGH: usize>(
    simd: S,
    sums: &mut Sums<S, HIGH>,
    left: Matrix<'_>,
    panel: &[f32],
    [stride, deep, high]: [usize; 3],
) {
    let mut total = *sums;
    // The last rows may have nothing behind them to read instead of rows that are not there.
    let mut padded = Scratch::new(0);
    let (columns, apart) = if high < HIGH {
        padded.set_len(deep * HIGH);
        for (index, column) in padded.chunks_exact_mut(HIGH).enumerate() {
            let source = &left.values[index * left.strides[1]..][..high];
            column[..high].copy_from_slice(source);
        }
        (&padded[..], HIGH)
    } else {
        (left.values, left.strides[1])
    };
    for index in 0..deep {
        let (line, _) = S::as_simd_f32s(&panel[index * stride..]);
        let line = &line[..REGISTERS];
        let column = &columns[index * apart..][..HIGH];
        for row in 0..HIGH {
            let left = simd.splat_f32s(column[row]);
            for place in 0..REGISTERS {
                total[row][place] = simd.mul_add_f32s(left, line[place], total[row][place]);
            }
        }
    }
    *sums = total;
}

#[inline(always)]
fn store<S: Simd>(simd: S, sums: &[[S::f32s; REGISTERS]], place: &mut Place<'_>) {
    let [high, wide] = place.size;
    let width = REGISTERS * S::F32_LANES;
    for (row, sums) in sums.iter().enumerate().take(high) {
        let line = &mut place.output[row * place.stride..][..wide];
        if wide == width {
            let (line, _) = S::as_mut_simd_f32s(line);
            for (target, sum) in line.iter_mut().zip(sums) {
                *target = if place.add {
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
            *target = if place.add { *target + sum } else { sum };
        }
    }
}

/// Multiplies many rows, each task some of them, and hands each task's rows of the output with the
/// number of the first to `finish` while they are near.
///
/// - output: `[rows, columns]`
pub(crate) fn multiply_rows(
    left: Matrix<'_>,
    rows: usize,
    right: &Packed,
    output: &mut [f32],
    finish: impl Fn(usize, &mut [f32]) + Sync + Send,
) {
    let columns = right.columns;
    if output.is_empty() {
        return;
    }
    let parallel = is_worth_threads(rows * columns * right.depth);
    let share = if parallel {
        rows.div_ceil(rayon::current_num_threads())
    } else {
        rows
    };
    let task = share.next_multiple_of(ROWS_STEP).min(TASK_ROWS);
    for_each_chunk(output, task * columns, parallel, |index, output| {
        let product = Product {
            left: left.from(index * task, 0),
            rows: output.len() / columns,
            right: Right::Packed(right),
            columns,
            output: &mut *output,
            stride: columns,
            add: false,
        };
        product.run();
        finish(index * task, output);
    });
}

/// Multiplies a matrix of few rows or few columns with one that is read once, where it lies.
///
/// - output: `[rows, columns]`
pub(crate) fn multiply(
    left: Matrix<'_>,
    rows: usize,
    right: Matrix<'_>,
    [depth, columns]: [usize; 2],
) -> Vec<f32> {
    let mut output = vec![0.0; rows * columns];
    if output.is_empty() {
        return output;
    }
    let threads = rayon::current_num_threads();
    let product = |left, rows, right, columns, output: &mut [f32]| {
        let product = Product {
            left,
            rows,
            right: Right::Rows {
                matrix: right,
                depth,
            },
            columns,
            output,
            stride: columns,
            add: false,
        };
        product.run();
    };
    if !is_worth_threads(rows * columns * depth) {
        product(left, rows, right, columns, &mut output);
    } else if rows >= columns {
        let task = rows.div_ceil(threads).next_multiple_of(ROWS_STEP);
        let tasks = output.par_chunks_mut(task * columns).enumerate();
        tasks.for_each(|(index, output)| {
            let left = left.from(index * task, 0);
            product(left, output.len() / columns, right, columns, output);
        });
    } else {
        let task = columns.div_ceil(threads).next_multiple_of(MAX_WIDTH);
        let starts: Vec<usize> = (0..columns).step_by(task).collect();
        let pieces: Vec<Vec<f32>> = starts
            .par_iter()
            .map(|&start| {
                let wide = task.min(columns - start);
                let mut piece = vec![0.0; rows * wide];
                product(left, rows, right.from(0, start), wide, &mut piece);
                piece
            })
            .collect();
        for (piece, start) in pieces.iter().zip(starts) {
            let wide = task.min(columns - start);
            for (line, source) in output.chunks_mut(columns).zip(piece.chunks(wide)) {
                line[start..start + wide].copy_from_slice(source);
            }
        }
    }
    output
}
