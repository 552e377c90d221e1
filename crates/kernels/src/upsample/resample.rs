//! Weighted sums of pixels along both axes.

use crate::flex::parallel::{for_each_chunk, is_worth_threads};
use crate::flex::scratch::Scratch;
use crate::flex::simd_math::vectorized;

/// Elements of the output per task.
const BAND: usize = 1 << 15;

/// Cost of an element, in multiply-adds.
const COST: usize = 4;

/// The pixels, and their weights, that are summed to each pixel of the output along one axis.
#[derive(Debug)]
pub(super) struct Axis {
    size_in: usize,
    sums: Vec<Vec<(usize, f32)>>,
}

impl Axis {
    /// Repeats each pixel.
    pub(super) fn nearest(size: usize, factor: usize) -> Self {
        let sums = (0..size * factor).map(|pixel| vec![(pixel / factor, 1.0)]);
        Self {
            size_in: size,
            sums: sums.collect(),
        }
    }

    /// Interpolates between the centers of pixels.
    pub(super) fn bilinear(size: usize, factor: usize) -> Self {
        let sum = |pixel: usize| {
            let center = (pixel as f64 + 0.5) / factor as f64 - 0.5;
            let lower = (center.max(0.0) as usize).min(size - 1);
            let weight = (center.max(0.0) - lower as f64) as f32;
            if weight == 0.0 || lower + 1 == size {
                vec![(lower, 1.0)]
            } else {
                vec![(lower, 1.0 - weight), (lower + 1, weight)]
            }
        };
        Self {
            size_in: size,
            sums: (0..size * factor).map(sum).collect(),
        }
    }

    /// The gradient: exchanges the input and the output.
    pub(super) fn transposed(&self) -> Self {
        let mut sums = vec![Vec::new(); self.size_in];
        for (pixel, sum) in self.sums.iter().enumerate() {
            for &(source, weight) in sum {
                sums[source].push((pixel, weight));
            }
        }
        Self {
            size_in: self.sums.len(),
            sums,
        }
    }

    pub(super) fn size_out(&self) -> usize {
        self.sums.len()
    }
}

/// Sums the rows, then the columns.
///
/// - input: `[batch, rows.size_in, columns.size_in, channels]`
/// - output: `[batch, rows.size_out, columns.size_out, channels]`
pub(super) fn resample(
    input: &[f32],
    batch: usize,
    channels: usize,
    [rows, columns]: [&Axis; 2],
) -> Vec<f32> {
    let row_out = columns.size_out() * channels;
    let row_in = columns.size_in * channels;
    let image_len = rows.size_in * row_in;
    let mut output = vec![0.0; batch * rows.size_out() * row_out];
    if output.is_empty() {
        return output;
    }
    let parallel = is_worth_threads(COST * (input.len() + output.len()));
    let band = (BAND / row_out).max(1);
    for_each_chunk(&mut output, band * row_out, parallel, |index, output| {
        let mut line = Scratch::new(row_in);
        for (row, output) in (index * band..).zip(output.chunks_exact_mut(row_out)) {
            let (image, row) = (row / rows.size_out(), row % rows.size_out());
            let image = &input[image * image_len..(image + 1) * image_len];
            resample_row(image, &rows.sums[row], columns, &mut line, output, channels);
        }
    });
    output
}

fn resample_row(
    image: &[f32],
    rows: &[(usize, f32)],
    columns: &Axis,
    line: &mut [f32],
    output: &mut [f32],
    channels: usize,
) {
    vectorized(
        #[inline(always)]
        || {
            let line = if let &[(row, 1.0)] = rows {
                &image[row * line.len()..][..line.len()]
            } else {
                weighted_sum(image, rows, line);
                &*line
            };
            let pixels = output.chunks_exact_mut(channels);
            for (output, terms) in pixels.zip(&columns.sums) {
                weighted_sum(line, terms, output);
            }
        },
    );
}

/// Sums vectors as long as the output, each times its weight: vector `i` starts at `i` times the
/// length.
#[inline(always)]
fn weighted_sum(vectors: &[f32], terms: &[(usize, f32)], output: &mut [f32]) {
    let len = output.len();
    let vector = |index: usize| &vectors[index * len..(index + 1) * len];
    if let &[(index, 1.0)] = terms {
        output.copy_from_slice(vector(index));
        return;
    }
    let (fours, rest) = terms.as_chunks::<4>();
    let mut is_first = true;
    for terms in fours {
        add_terms(
            terms.map(|(index, weight)| (vector(index), weight)),
            output,
            is_first,
        );
        is_first = false;
    }
    let (twos, rest) = rest.as_chunks::<2>();
    for terms in twos {
        add_terms(
            terms.map(|(index, weight)| (vector(index), weight)),
            output,
            is_first,
        );
        is_first = false;
    }
    for &(index, weight) in rest {
        add_terms([(vector(index), weight)], output, is_first);
        is_first = false;
    }
    if is_first {
        output.fill(0.0);
    }
}

/// Adds some terms to the output, or overwrites it.
#[inline(always)]
fn add_terms<const N: usize>(terms: [(&[f32], f32); N], output: &mut [f32], overwrite: bool) {
    let len = output.len();
    let terms = terms.map(|(vector, weight)| (&vector[..len], weight));
    for (index, output) in output.iter_mut().enumerate() {
        let mut sum = if overwrite { 0.0 } else { *output };
        for (vector, weight) in terms {
            sum += weight * vector[index];
        }
        *output = sum;
    }
}
