//! The innermost loops: products whose left rows are windows of an image.
//!
//! A tile of the output stays in registers while a window is traversed, as in `flex::gemm`. With the channels of a pixel together, a line of a
//! window is one run of numbers, which is read where it is: nothing is unrolled or packed but weights.

use pulp::{Simd, WithSimd};

use crate::flex::arch::arch;
use crate::flex::gemm::{REGISTERS, Sums, add_packed};
use crate::flex::scratch::Scratch;

/// Rows of the highest tile.
const MAX_ROWS: usize = 12;

/// Lines of a window in a channels-last image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Number of lines.
    pub(super) lines: usize,
    /// Elements between the starts of two lines.
    pub(super) stride: usize,
    /// Elements of a line: its pixels times the channels.
    pub(super) run: usize,
}

/// Multiplies windows by some columns of the weights.
pub(super) struct Product<'a> {
    pub(super) source: &'a [f32],
    /// First element of each window in the source.
    pub(super) starts: &'a [usize],
    pub(super) window: Window,
    /// Weights of the columns: one row of a tile's width per element of a window.
    pub(super) panel: &'a [f32],
    pub(super) output: &'a mut [f32],
    /// First element of each window's result in the output.
    pub(super) targets: &'a [usize],
    /// Columns that exist, at most a tile's width.
    pub(super) columns: usize,
}

impl Window {
    /// A row of a matrix.
    pub(super) fn row(len: usize) -> Self {
        Self {
            lines: 1,
            stride: 0,
            run: len,
        }
    }
}

impl Product<'_> {
    pub(super) fn run(self) {
        arch().dispatch(self);
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // Few columns need only one register of each row of the panel.
        if self.columns <= S::F32_LANES {
            self.tiles::<S, 1>(simd);
        } else {
            self.tiles::<S, REGISTERS>(simd);
        }
    }
}

impl Product<'_> {
    /// Computes all rows, with `N` registers for each.
    #[inline(always)]
    fn tiles<S: Simd, const N: usize>(&mut self, simd: S) {
        let mut first = 0;
        while first < self.starts.len() {
            let left = self.starts.len() - first;
            // As many rows as the accumulators leave registers for.
            first += if S::F32_LANES == 16 {
                match left {
                    1 => self.tile::<S, 1, N>(simd, first),
                    2 => self.tile::<S, 2, N>(simd, first),
                    3..=4 => self.tile::<S, 4, N>(simd, first),
                    5..=8 | 13..=16 => self.tile::<S, 8, N>(simd, first),
                    _ => self.tile::<S, 12, N>(simd, first),
                }
            } else {
                match left {
                    1 => self.tile::<S, 1, N>(simd, first),
                    2 => self.tile::<S, 2, N>(simd, first),
                    3..=4 | 7..=8 => self.tile::<S, 4, N>(simd, first),
                    _ => self.tile::<S, 6, N>(simd, first),
                }
            };
        }
    }

    /// Computes up to `ROWS` rows and returns how many. Excess rows repeat the last one and are not
    /// stored.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const N: usize>(&mut self, simd: S, first: usize) -> usize {
        let rows = ROWS.min(self.starts.len() - first);
        let starts = &self.starts[first..first + rows];
        let Window { lines, stride, run } = self.window;
        let width = REGISTERS * S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); N]; ROWS];
        for line in 0..lines {
            let sources: [&[f32]; ROWS] = std::array::from_fn(|row| {
                let start = starts[row.min(rows - 1)] + line * stride;
                &self.source[start..start + run]
            });
            let panel = &self.panel[line * run * width..(line + 1) * run * width];
            add_packed::<S, ROWS, N>(simd, &mut sums, &sources, panel);
        }
        let targets = &self.targets[first..first + rows];
        for (sums, &target) in sums.iter().zip(targets) {
            let output = &mut self.output[target..target + self.columns];
            store(simd, sums, output);
        }
        rows
    }
}

/// Stores the first elements of a row of a tile.
#[inline(always)]
fn store<S: Simd, const N: usize>(simd: S, sums: &[S::f32s; N], output: &mut [f32]) {
    if output.len() == N * S::F32_LANES {
        let (registers, _) = S::as_mut_simd_f32s(output);
        for (register, sum) in registers.iter_mut().zip(sums) {
            *register = *sum;
        }
        return;
    }
    for (sum, output) in sums.iter().zip(output.chunks_mut(S::F32_LANES)) {
        simd.partial_store_f32s(output, *sum);
    }
}

/// Multiplies windows, transposed, by rows of gradients: the gradient of the weights.
pub(super) struct GradientProduct<'a> {
    pub(super) source: &'a [f32],
    /// First element of each window in the source.
    pub(super) starts: &'a [usize],
    pub(super) window: Window,
    /// Gradients in panels: for each tile's width of columns, one row per window, padded with zeros.
    pub(super) panels: &'a [f32],
    /// Sums, `[window, columns]`.
    pub(super) output: &'a mut [f32],
    pub(super) columns: usize,
    /// Whether the products are added to the output instead of overwriting it.
    pub(super) accumulate: bool,
}

impl GradientProduct<'_> {
    pub(super) fn run(self) {
        arch().dispatch(self);
    }
}

impl WithSimd for GradientProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Window { lines, stride, run } = self.window;
        let mut left = Scratch::new(self.starts.len() * MAX_ROWS);
        for line in 0..lines {
            let mut first = 0;
            while first < run {
                let at = [line * stride + first, line * run + first];
                let left = &mut left[..];
                // Only rows that exist are read.
                first += if S::F32_LANES == 16 {
                    match run - first {
                        1 => self.tiles::<S, 1>(simd, at, left),
                        2..=3 => self.tiles::<S, 2>(simd, at, left),
                        4..=7 => self.tiles::<S, 4>(simd, at, left),
                        8..=11 | 16 => self.tiles::<S, 8>(simd, at, left),
                        _ => self.tiles::<S, MAX_ROWS>(simd, at, left),
                    }
                } else {
                    match run - first {
                        1 => self.tiles::<S, 1>(simd, at, left),
                        2..=3 => self.tiles::<S, 2>(simd, at, left),
                        4..=5 | 8 => self.tiles::<S, 4>(simd, at, left),
                        _ => self.tiles::<S, 6>(simd, at, left),
                    }
                };
            }
        }
    }
}

impl GradientProduct<'_> {
    /// Computes `ROWS` rows, from an element of each window to a row of the output.
    #[inline(always)]
    fn tiles<S: Simd, const ROWS: usize>(
        &mut self,
        simd: S,
        [at, row]: [usize; 2],
        left: &mut [f32],
    ) -> usize {
        // Copied, because the windows are so far apart that a cache holds few of them.
        let (left, _) = left.as_chunks_mut::<ROWS>();
        let left = &mut left[..self.starts.len()];
        for (left, &start) in left.iter_mut().zip(self.starts) {
            left.copy_from_slice(&self.source[start + at..][..ROWS]);
        }
        let width = REGISTERS * S::F32_LANES;
        let panels = self.panels.chunks_exact(width * left.len());
        for (panel, first) in panels.zip((0..self.columns).step_by(width)) {
            let sums = transposed_product::<S, ROWS>(simd, left, panel);
            let columns = width.min(self.columns - first);
            for (index, sums) in sums.iter().enumerate() {
                let start = (row + index) * self.columns + first;
                let output = &mut self.output[start..start + columns];
                if self.accumulate {
                    add(simd, sums, output);
                } else {
                    store(simd, sums, output);
                }
            }
        }
        ROWS
    }
}

#[inline(always)]
fn transposed_product<S: Simd, const ROWS: usize>(
    simd: S,
    left: &[[f32; ROWS]],
    panel: &[f32],
) -> Sums<S, ROWS> {
    let (lines, _) = S::as_simd_f32s(panel);
    let (lines, _) = lines.as_chunks::<REGISTERS>();
    let mut sums: Sums<S, ROWS> = [[simd.splat_f32s(0.0); REGISTERS]; ROWS];
    for (line, values) in lines.iter().zip(left) {
        for (sums, &value) in sums.iter_mut().zip(values) {
            let value = simd.splat_f32s(value);
            for register in 0..REGISTERS {
                sums[register] = simd.mul_add_f32s(value, line[register], sums[register]);
            }
        }
    }
    sums
}

/// Adds the first elements of a row of a tile.
#[inline(always)]
fn add<S: Simd>(simd: S, sums: &[S::f32s; REGISTERS], output: &mut [f32]) {
    if output.len() == REGISTERS * S::F32_LANES {
        let (registers, _) = S::as_mut_simd_f32s(output);
        for (register, sum) in registers.iter_mut().zip(sums) {
            *register = simd.add_f32s(*register, *sum);
        }
        return;
    }
    for (sum, output) in sums.iter().zip(output.chunks_mut(S::F32_LANES)) {
        let total = simd.add_f32s(simd.partial_load_f32s(output), *sum);
        simd.partial_store_f32s(output, total);
    }
}
