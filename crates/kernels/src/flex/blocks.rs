//! Element-wise loops over pixels whose channels are neighbors in memory, `[pixels, channels]`.

use std::ops::Range;

use super::parallel::for_each_chunk;

/// Elements per block: a few of them and their coefficients stay in the first-level cache.
pub(crate) const BLOCK: usize = 1024;

/// Blocks per task.
const BLOCKS: usize = 16;

/// Creates a vector block by block: `fill` receives the elements of a block and its output, which is
/// zero.
///
/// Zero-filling costs about a quarter of the loop; collecting arrays instead, which safe code can
/// do, costs more.
pub(crate) fn collect_blocks(
    len: usize,
    parallel: bool,
    fill: impl Fn(Range<usize>, &mut [f32]) + Send + Sync,
) -> Vec<f32> {
    let mut values = vec![0.0; len];
    change_blocks(&mut values, parallel, fill);
    values
}

/// Changes a vector block by block: `change` receives the elements of a block and their values.
pub(crate) fn change_blocks(
    values: &mut [f32],
    parallel: bool,
    change: impl Fn(Range<usize>, &mut [f32]) + Send + Sync,
) {
    for_each_chunk(values, BLOCKS * BLOCK, parallel, |index, blocks| {
        let first = index * BLOCKS * BLOCK;
        for (index, block) in blocks.chunks_mut(BLOCK).enumerate() {
            let start = first + index * BLOCK;
            change(start..start + block.len(), block);
        }
    });
}

/// A number of each channel, repeated: the numbers of a block are a slice.
#[derive(Clone, Debug)]
pub(crate) struct Periodic {
    values: Vec<f32>,
    channels: usize,
}

impl Periodic {
    /// One value of each channel.
    pub(crate) fn new(channels: &[f32]) -> Self {
        let len = BLOCK + channels.len();
        Self {
            values: channels.iter().copied().cycle().take(len).collect(),
            channels: channels.len(),
        }
    }

    /// The values of consecutive elements, at most [`BLOCK`].
    #[inline(always)]
    pub(crate) fn of(&self, elements: &Range<usize>) -> &[f32] {
        let start = elements.start % self.channels;
        &self.values[start..start + elements.len()]
    }
}

/// Calls `visit` with the image, row and column of each pixel in a block of `[batch, height, width,
/// channels]`, the channels of it that are in the block, and their output.
#[inline(always)]
pub(crate) fn for_each_pixel(
    elements: &Range<usize>,
    [height, width, channels]: [usize; 3],
    mut output: &mut [f32],
    mut visit: impl FnMut([usize; 3], Range<usize>, &mut [f32]),
) {
    let pixel = elements.start / channels;
    let mut first = elements.start % channels;
    let [mut image, mut y, mut x] = [
        pixel / width / height,
        pixel / width % height,
        pixel % width,
    ];
    while !output.is_empty() {
        let n = (channels - first).min(output.len());
        let (values, rest) = output.split_at_mut(n);
        visit([image, y, x], first..first + n, values);
        (output, first) = (rest, 0);
        x += 1;
        if x == width {
            (x, y) = (0, y + 1);
        }
        if y == height {
            (y, image) = (0, image + 1);
        }
    }
}
