//! Sums of each channel over the pixels of a batch, `[pixels, channels]`.

use std::ops::Range;

use crate::flex::parallel::{is_worth_threads, run_tasks};
use crate::flex::simd_math::vectorized;

/// Rows that are summed in single precision.
const ROWS: usize = 64;

/// Smallest row, in elements: the loop over a row pays off.
const MIN_WIDTH: usize = 256;

/// Cost of an element, in multiply-adds.
const COST: usize = 16;

/// Pixels grouped into rows that are long enough for SIMD, and rows into blocks that are summed
/// independently. The last row may be incomplete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    channels: usize,
    /// Elements of a row, a multiple of the channels.
    width: usize,
    elements: usize,
}

impl Rows {
    pub(super) fn new(channels: usize, elements: usize) -> Self {
        assert!(channels > 0, "there are no channels");
        let mut repeat = 1;
        while !(channels * repeat).is_multiple_of(16) || channels * repeat < MIN_WIDTH {
            repeat *= 2;
        }
        Self {
            channels,
            width: channels * repeat,
            elements,
        }
    }

    /// Elements of a block.
    pub(super) fn block(self) -> usize {
        ROWS * self.width
    }

    pub(super) fn blocks(self) -> usize {
        self.elements.div_ceil(self.block())
    }

    /// Number of rows that have a value in each column, of consecutive columns, in a block.
    fn counts(self, block: usize) -> [(Range<usize>, f64); 2] {
        let len = self.block().min(self.elements - block * self.block());
        let (rows, rest) = (len / self.width, len % self.width);
        [
            (0..rest, rows as f64 + 1.0),
            (rest..self.width, rows as f64),
        ]
    }

    /// Repeats a value of each channel over the columns.
    pub(super) fn repeat<T: Copy>(self, channels: &[T]) -> Vec<T> {
        channels.iter().copied().cycle().take(self.width).collect()
    }

    /// Adds the columns of each channel.
    pub(super) fn fold(self, columns: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.channels];
        for columns in columns.chunks_exact(self.channels) {
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum += column;
            }
        }
        sums
    }

    /// Calls `sum` with each block, its item and `N` vectors of zeros of a row's width, and returns
    /// these.
    pub(super) fn sum_blocks<const N: usize, T: Send>(
        self,
        items: Vec<T>,
        sum: impl Fn(Range<usize>, T, [&mut [f32]; N]) + Send + Sync,
    ) -> Vec<f32> {
        let size = N * self.width;
        let mut sums = vec![0.0; items.len() * size];
        let visit = |(index, (sums, item)): (usize, (&mut [f32], T))| {
            let start = index * self.block();
            let mut sums = sums.chunks_exact_mut(self.width);
            let sums = [(); N].map(|()| sums.next().unwrap_or_default());
            sum(start..(start + self.block()).min(self.elements), item, sums);
        };
        let blocks = sums.chunks_mut(size).zip(items).enumerate();
        run_tasks(blocks, is_worth_threads(COST * self.elements), visit);
        sums
    }
}

/// Mean and biased variance of each channel, in one pass over memory.
///
/// Each block sums the deviations from the mean of its first quarter, and their squares, in single
/// precision. That mean is within 1.8 standard deviations of the block's, so that little cancels. The blocks are combined in double precision (Chan, Golub and `LeVeque`, 1979,
/// <http://i.stanford.edu/pub/cstr/reports/cs/tr/79/773/CS-TR-79-773.pdf>).
pub(super) fn moments(input: &[f32], channels: usize) -> [Vec<f64>; 2] {
    let rows = Rows::new(channels, input.len());
    let width = rows.width;
    let sums = rows.sum_blocks(
        vec![(); rows.blocks()],
        |block, (), [centers, sums, squares]| {
            let input = &input[block];
            vectorized(
                #[inline(always)]
                || sum_deviations(input, centers, sums, squares),
            );
        },
    );
    let pixels = (input.len() / channels) as f64;
    let mut totals = vec![0.0_f64; width];
    for (index, block) in sums.chunks_exact(3 * width).enumerate() {
        let (centers, sums) = (&block[..width], &block[width..2 * width]);
        for (columns, count) in rows.counts(index) {
            let totals = totals[columns.clone()].iter_mut();
            let parts = centers[columns.clone()].iter().zip(&sums[columns]);
            for (total, (&center, &sum)) in totals.zip(parts) {
                *total += count * f64::from(center) + f64::from(sum);
            }
        }
    }
    let means: Vec<f64> = rows.fold(&totals).iter().map(|sum| sum / pixels).collect();
    let repeated = rows.repeat(&means);
    totals.fill(0.0);
    for (index, block) in sums.chunks_exact(3 * width).enumerate() {
        let (centers, sums) = block.split_at(width);
        let (sums, squares) = sums.split_at(width);
        for (columns, count) in rows.counts(index) {
            for column in columns {
                let shift = f64::from(centers[column]) - repeated[column];
                let (sum, square) = (f64::from(sums[column]), f64::from(squares[column]));
                totals[column] += square + shift * (2.0 * sum + count * shift);
            }
        }
    }
    let variances = rows.fold(&totals).iter().map(|sum| sum / pixels).collect();
    [means, variances]
}

/// Chooses the center of each column and sums the deviations and their squares.
#[inline(always)]
fn sum_deviations(block: &[f32], centers: &mut [f32], sums: &mut [f32], squares: &mut [f32]) {
    let width = centers.len();
    let first_rows = (block.len() / width).div_ceil(4).max(1);
    // Relative to the first row, in case the mean is far from zero.
    let first = &block[..width.min(block.len())];
    sums[..first.len()].copy_from_slice(first);
    let quarter = &block[..(first_rows * width).min(block.len())];
    for row in quarter.chunks(width).skip(1) {
        for ((center, x), first) in centers.iter_mut().zip(row).zip(first) {
            *center += x - first;
        }
    }
    let factor = 1.0 / first_rows as f32;
    for (center, first) in centers.iter_mut().zip(&mut *sums) {
        *center = *center * factor + *first;
        *first = 0.0;
    }
    let groups = block.chunks_exact(4 * width);
    let rest = groups.remainder();
    let [centers, sums, squares] = [centers, sums, squares].map(|values| &mut values[..width]);
    for group in groups {
        let [a, b, c, d] = four(group, width);
        for i in 0..width {
            let [a, b, c, d] = [a, b, c, d].map(|row| row[i] - centers[i]);
            sums[i] += (a + b) + (c + d);
            squares[i] += (a * a + b * b) + (c * c + d * d);
        }
    }
    for row in rest.chunks(width) {
        let columns = sums.iter_mut().zip(squares.iter_mut()).zip(&*centers);
        for (((sum, square), center), x) in columns.zip(row) {
            let x = x - center;
            *sum += x;
            *square += x * x;
        }
    }
}

/// The rows of a group of four.
#[inline(always)]
pub(super) fn four(group: &[f32], width: usize) -> [&[f32]; 4] {
    [0, 1, 2, 3].map(|row| &group[row * width..][..width])
}

/// Sums of each channel over the pixels, of the gradient before the activation.
pub(super) struct GradientSums {
    /// Gradients.
    pub(super) gradients: Vec<f64>,
    /// Gradients times `x - center`.
    pub(super) products: Vec<f64>,
    /// Number of pixels.
    pub(super) pixels: f64,
}

impl GradientSums {
    /// Combines the blocks, each with the two sums of every column.
    pub(super) fn new(rows: Rows, blocks: &[f32]) -> Self {
        let width = rows.width;
        let mut totals = vec![0.0_f64; 2 * width];
        for block in blocks.chunks_exact(2 * width) {
            for (total, &sum) in totals.iter_mut().zip(block) {
                *total += f64::from(sum);
            }
        }
        Self {
            gradients: rows.fold(&totals[..width]),
            products: rows.fold(&totals[width..]),
            pixels: (rows.elements / rows.channels) as f64,
        }
    }
}
