//! A single row times a matrix that is read in place: bound by how fast that is read.

use pulp::Simd;

use super::Matrix;

/// Computes a row of the output, in tiles as wide as the registers allow, so that the rows of the
/// matrix are read in long runs.
///
/// - lhs: one row of `depth` elements
/// - rhs: `[depth, output.len()]` with adjacent columns
#[inline(always)]
pub(super) fn multiply_row<S: Simd>(
    simd: S,
    lhs: Matrix<'_>,
    rhs: Matrix<'_>,
    depth: usize,
    output: &mut [f32],
    accumulate: bool,
) {
    let columns = output.len();
    let mut column = 0;
    while column < columns {
        let rhs = rhs.from(0, column);
        let output = &mut output[column..];
        let registers = output.len() / S::F32_LANES;
        // AVX2 has 16 registers, AVX-512 and NEON 32.
        column += if registers >= 16 && S::F32_LANES == 16 {
            whole::<S, 16>(simd, lhs, rhs, depth, output, accumulate)
        } else if registers >= 8 {
            whole::<S, 8>(simd, lhs, rhs, depth, output, accumulate)
        } else if registers >= 4 {
            whole::<S, 4>(simd, lhs, rhs, depth, output, accumulate)
        } else if registers >= 1 {
            whole::<S, 1>(simd, lhs, rhs, depth, output, accumulate)
        } else {
            part(simd, lhs, rhs, depth, output, accumulate)
        };
    }
}

/// Computes as many columns as `N` registers hold; returns their number.
#[inline(always)]
fn whole<S: Simd, const N: usize>(
    simd: S,
    lhs: Matrix<'_>,
    rhs: Matrix<'_>,
    depth: usize,
    output: &mut [f32],
    accumulate: bool,
) -> usize {
    let width = N * S::F32_LANES;
    let mut sums = [simd.splat_f32s(0.0); N];
    for index in 0..depth {
        let factor = simd.splat_f32s(lhs.values[index * lhs.strides[1]]);
        let (line, _) = S::as_simd_f32s(&rhs.values[index * rhs.strides[0]..][..width]);
        let line = &line[..N];
        for register in 0..N {
            sums[register] = simd.mul_add_f32s(factor, line[register], sums[register]);
        }
    }
    let (output, _) = S::as_mut_simd_f32s(&mut output[..width]);
    for (output, sum) in output.iter_mut().zip(sums) {
        *output = if accumulate {
            simd.add_f32s(*output, sum)
        } else {
            sum
        };
    }
    width
}

/// Computes fewer columns than a register holds; returns their number.
#[inline(always)]
fn part<S: Simd>(
    simd: S,
    lhs: Matrix<'_>,
    rhs: Matrix<'_>,
    depth: usize,
    output: &mut [f32],
    accumulate: bool,
) -> usize {
    let columns = output.len();
    let mut sums = simd.splat_f32s(0.0);
    for index in 0..depth {
        let factor = simd.splat_f32s(lhs.values[index * lhs.strides[1]]);
        let line = &rhs.values[index * rhs.strides[0]..][..columns];
        sums = simd.mul_add_f32s(factor, simd.partial_load_f32s(line), sums);
    }
    if accumulate {
        sums = simd.add_f32s(simd.partial_load_f32s(output), sums);
    }
    simd.partial_store_f32s(output, sums);
    columns
}
