//! The innermost loops: a tile of the output stays in registers.

use pulp::Simd;

use super::Matrix;
use crate::flex::scratch::Scratch;

/// Registers per row of a tile.
pub(crate) const REGISTERS: usize = 2;

/// Largest number of columns of a tile: two registers of 16 elements.
pub(crate) const MAX_WIDTH: usize = 32;

/// Unrolled steps along the inner dimension.
const UNROLLED: usize = 4;

/// A tile of the output.
pub(super) struct Tile<'a> {
    pub(super) output: &'a mut [f32],
    pub(super) stride: usize,
    /// Rows and columns that exist.
    pub(super) shape: [usize; 2],
    pub(super) accumulate: bool,
}

/// Selects a tile height for the rows that are left. Excess rows of a tile repeat the last row and
/// are not stored.
#[inline(always)]
pub(super) fn compute_tile<S: Simd, const ROWS: usize>(
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
pub(crate) type Sums<S, const ROWS: usize> = [[<S as Simd>::f32s; REGISTERS]; ROWS];

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
    let mut lhs_rows: [&[f32]; ROWS] = [&[]; ROWS];
    for (row, lhs_row) in lhs_rows.iter_mut().enumerate() {
        *lhs_row = &lhs.values[row.min(rows - 1) * lhs.strides[0]..][..depth];
    }
    add_packed(simd, sums, &lhs_rows, panel);
}

/// Adds the products of rows of equal length with the first `N` registers of each row of a packed panel.
#[inline(always)]
pub(crate) fn add_packed<S: Simd, const ROWS: usize, const N: usize>(
    simd: S,
    sums: &mut [[S::f32s; N]; ROWS],
    lhs_rows: &[&[f32]; ROWS],
    panel: &[f32],
) {
    let depth = lhs_rows[0].len();
    let (lines, _) = S::as_simd_f32s(panel);
    let (lines, _) = lines.as_chunks::<REGISTERS>();
    let lines = &lines[..depth];
    // Unrolled, so that fewer addresses are computed.
    let (blocks, rest) = lines.as_chunks::<UNROLLED>();
    let whole = blocks.len();
    // No `map`: the compiler does not inline its closure.
    let mut lhs_blocks: [&[[f32; UNROLLED]]; ROWS] = [&[]; ROWS];
    for (lhs_blocks, row) in lhs_blocks.iter_mut().zip(lhs_rows) {
        *lhs_blocks = &row.as_chunks::<UNROLLED>().0[..whole];
    }
    let mut total = *sums;
    for (index, block) in blocks.iter().enumerate() {
        for step in 0..UNROLLED {
            for row in 0..ROWS {
                let lhs = simd.splat_f32s(lhs_blocks[row][index][step]);
                for register in 0..N {
                    total[row][register] =
                        simd.mul_add_f32s(lhs, block[step][register], total[row][register]);
                }
            }
        }
    }
    for (line, index) in rest.iter().zip(whole * UNROLLED..) {
        for row in 0..ROWS {
            let lhs = simd.splat_f32s(lhs_rows[row][index]);
            for register in 0..N {
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
