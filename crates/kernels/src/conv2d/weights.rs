//! Weights in the order in which the products read them.

use std::ops::Range;

use super::product::tile_width;
use crate::flex::parallel::{for_each_chunk, is_worth_threads};
use crate::flex::scratch::Scratch;

/// Weights as panels: for each tile's width of columns, one row per element of a window, the last
/// panel padded with zeros.
#[derive(Debug)]
pub(crate) struct Packed {
    values: Scratch,
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) width: usize,
}

impl Packed {
    /// Number of panels.
    pub(super) fn panels(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    pub(super) fn panel(&self, index: usize) -> &[f32] {
        let len = self.depth * self.width;
        &self.values[index * len..(index + 1) * len]
    }

    /// Columns of a panel that exist.
    pub(super) fn columns_of(&self, index: usize) -> Range<usize> {
        let first = index * self.width;
        first..(first + self.width).min(self.columns)
    }
}

/// The weight `[channels_out, channels_in, taps]` as a matrix for each tap, the product's rows along
/// one axis of channels and its columns along the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axes {
    /// Channels of the source.
    pub(super) rows: usize,
    /// Elements between them.
    pub(super) row_stride: usize,
    /// Channels of the output.
    pub(super) columns: usize,
    /// Elements between them.
    pub(super) column_stride: usize,
}

impl Axes {
    /// From the input to the output.
    pub(super) fn forward(channels_out: usize, channels_in: usize, taps: usize) -> Self {
        Self {
            rows: channels_in,
            row_stride: taps,
            columns: channels_out,
            column_stride: channels_in * taps,
        }
    }

    /// From the gradient of the output to that of the input.
    pub(super) fn backward(channels_out: usize, channels_in: usize, taps: usize) -> Self {
        Self {
            rows: channels_out,
            row_stride: channels_in * taps,
            columns: channels_in,
            column_stride: taps,
        }
    }

    /// Packs some taps of the weight, in the order in which a window meets them.
    pub(super) fn pack(self, weight: &[f32], taps: &[usize]) -> Packed {
        let width = tile_width();
        let depth = taps.len() * self.rows;
        let panels = self.columns.div_ceil(width);
        let mut values = Scratch::new(panels * depth * width);
        let parallel = is_worth_threads(16 * values.len());
        for_each_chunk(
            &mut values,
            (depth * width).max(1),
            parallel,
            |panel, values| {
                let first = panel * width;
                if first + width > self.columns {
                    values.fill(0.0);
                }
                for column in first..(first + width).min(self.columns) {
                    for row in 0..self.rows {
                        let source = &weight[row * self.row_stride + column * self.column_stride..];
                        for (index, &tap) in taps.iter().enumerate() {
                            values[(index * self.rows + row) * width + column - first] =
                                source[tap];
                        }
                    }
                }
            },
        );
        Packed {
            values,
            depth,
            columns: self.columns,
            width,
        }
    }
}

/// Sums matrices `[taps * channels_in, channels_out]`, first to last, and transposes the result to
/// `[channels_out, channels_in, taps]`.
pub(super) fn unpack_gradient(
    parts: &[Scratch],
    [channels_out, channels_in, taps]: [usize; 3],
) -> Vec<f32> {
    /// Filters that are written together: a line of the cache in each part.
    const FILTERS: usize = 16;
    let filter_len = channels_in * taps;
    let mut output = vec![0.0; channels_out * filter_len];
    let parallel = is_worth_threads(16 * parts.len() * output.len());
    let chunk_len = (FILTERS * filter_len).max(1);
    for_each_chunk(&mut output, chunk_len, parallel, |chunk, filters| {
        let first = chunk * FILTERS;
        let count = filters.len() / filter_len;
        for tap in 0..taps {
            for channel in 0..channels_in {
                let at = (tap * channels_in + channel) * channels_out + first;
                let mut sums = [0.0; FILTERS];
                for part in parts {
                    for (sum, value) in sums.iter_mut().zip(&part[at..at + count]) {
                        *sum += *value;
                    }
                }
                let targets = filters[channel * taps + tap..]
                    .iter_mut()
                    .step_by(filter_len);
                for (target, sum) in targets.zip(sums) {
                    *target = sum;
                }
            }
        }
    });
    output
}
