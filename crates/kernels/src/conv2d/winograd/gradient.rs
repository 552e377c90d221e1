//! The gradient of the weights.

use super::super::product::{GradientProduct, Window};
use super::super::sweep::{Band, bands};
use super::super::weights::{FILTERS, Lanes, weight_gradient_of_sums};
use super::transform::{GradientTransform, InputTransform, Transformed};
use super::{ELEMENTS, STAGGER, Tiling};
use crate::flex::gemm::tile_width;
use crate::flex::parallel::{for_each_chunk, map_tasks};
use crate::flex::scratch::Scratch;
use crate::flex::simd_math::vectorized;

/// Tiles that are transformed at once.
const BLOCK_TILES: usize = 128;

/// Largest sum, in elements, for which the parts of a batch are summed separately.
const MAX_PARTIAL: usize = 1 << 18;

/// Parts of a batch that are summed independently.
const PARTS: usize = 16;

/// Elements of the blocks that are transformed before the products of a large sum.
const GROUP_LEN: usize = 1 << 22;

/// Gradient of the weights, `[channels_out, channels_in, 3, 3]`, from that of the output,
/// `[batch, height, width, channels_out]`.
pub(in super::super) fn weight_gradient(
    tiling: &Tiling,
    source: &[f32],
    gradient: &[f32],
    channels_out: usize,
) -> Vec<f32> {
    let len = ELEMENTS * tiling.channels * channels_out;
    let bands = bands(tiling.tiles(), tiling.batch, BLOCK_TILES);
    let block = |band: &Band| Block::new(tiling, band, source, gradient, channels_out);
    let sums = if len <= MAX_PARTIAL {
        let share = bands.len().div_ceil(PARTS).max(1);
        sum_in_parts(&bands, share, len, block)
    } else {
        let tile_len = ELEMENTS * (tiling.channels + channels_out);
        let group = (GROUP_LEN / (tile_len * BLOCK_TILES)).max(1);
        vec![sum_by_elements(&bands, group, len, block)]
    };
    let shape = [channels_out, tiling.channels, 9];
    weight_gradient_of_sums(&sums, shape, ELEMENTS, filter_gradient)
}

/// Sums parts of `share` bands independently.
fn sum_in_parts(
    bands: &[Band],
    share: usize,
    len: usize,
    block: impl Fn(&Band) -> Block + Sync,
) -> Vec<Scratch> {
    let part = |bands: &[Band]| {
        let mut sum = Scratch::new(len);
        for (index, band) in bands.iter().enumerate() {
            let block = block(band);
            for (element, sum) in sum.chunks_exact_mut(len / ELEMENTS).enumerate() {
                block.multiply(element, sum, index > 0);
            }
        }
        sum
    };
    map_tasks(bands.chunks(share), true, part)
}

/// Sums one element after another, so that its sum stays in the cache.
fn sum_by_elements(
    bands: &[Band],
    group: usize,
    len: usize,
    block: impl Fn(&Band) -> Block + Sync,
) -> Scratch {
    let mut sum = Scratch::new(len);
    for (index, bands) in bands.chunks(group).enumerate() {
        let blocks = map_tasks(bands.iter(), true, &block);
        for_each_chunk(&mut sum, len / ELEMENTS, true, |element, sum| {
            for (position, block) in blocks.iter().enumerate() {
                block.multiply(element, sum, index + position > 0);
            }
        });
    }
    sum
}

/// The transformed tiles of a band.
struct Block {
    starts: Vec<usize>,
    channels: [usize; 2],
    source: Transformed,
    gradients: Scratch,
    /// Elements between the planes of the gradients.
    plane: usize,
}

impl Block {
    fn new(
        tiling: &Tiling,
        band: &Band,
        source: &[f32],
        gradient: &[f32],
        channels_out: usize,
    ) -> Self {
        let count = tiling.count(band);
        let plane = count * channels_out.next_multiple_of(tile_width()) + STAGGER;
        let mut gradients = Scratch::new(ELEMENTS * plane);
        GradientTransform {
            tiling,
            band,
            gradient,
            columns: channels_out,
            output: &mut gradients,
            plane,
        }
        .run();
        Self {
            starts: (0..count).map(|tile| tile * tiling.channels).collect(),
            channels: [tiling.channels, channels_out],
            source: InputTransform::run(tiling, band, source),
            gradients,
            plane,
        }
    }

    /// Computes the products of an element, `[channels_in, channels_out]`, and adds them if
    /// `accumulate`.
    fn multiply(&self, element: usize, output: &mut [f32], accumulate: bool) {
        let [channels_in, channels_out] = self.channels;
        let start = element * self.plane;
        GradientProduct {
            source: self.source.plane(element),
            starts: &self.starts,
            window: Window::row(channels_in),
            panels: &self.gradients[start..start + self.plane - STAGGER],
            output,
            columns: channels_out,
            accumulate,
        }
        .run();
    }
}

/// `Gᵀ u G`
fn filter_gradient(elements: &[Lanes], taps: &mut [Lanes]) {
    let mut rows = [[0.0; FILTERS]; 12];
    vectorized(
        #[inline(always)]
        || {
            for column in 0..4 {
                for lane in 0..FILTERS {
                    let line = contract([
                        elements[column][lane],
                        elements[4 + column][lane],
                        elements[8 + column][lane],
                        elements[12 + column][lane],
                    ]);
                    for row in 0..3 {
                        rows[4 * row + column][lane] = line[row];
                    }
                }
            }
            for row in 0..3 {
                for lane in 0..FILTERS {
                    let line = contract([
                        rows[4 * row][lane],
                        rows[4 * row + 1][lane],
                        rows[4 * row + 2][lane],
                        rows[4 * row + 3][lane],
                    ]);
                    for column in 0..3 {
                        taps[3 * row + column][lane] = line[column];
                    }
                }
            }
        },
    );
}

/// `Gᵀ` times a vector.
#[inline(always)]
fn contract([a, b, c, d]: [f32; 4]) -> [f32; 3] {
    let [sum, difference] = [0.5 * (b + c), 0.5 * (b - c)];
    [a + sum, difference, sum + d]
}
