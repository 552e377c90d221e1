//! 3×3 convolution with stride 1 in 2.25 times fewer multiplications.
//!
//! Four outputs of a 2×2 tile are computed from 4×4 inputs with 16 multiplications instead of 36
//! (Lavin and Gray, *Fast algorithms for convolutional neural networks*, 2016,
//! <https://arxiv.org/abs/1509.09308>, F(2×2, 3×3)). In matrices: `Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A`, so
//! that each of the 16 elements of a tile is a product over the channels. The gradients are the
//! transposed formulas. Tiles are handled in blocks that stay in the second-level cache. The error is
//! about that of the direct sum; larger tiles would exceed our tolerance.

mod gradient;
mod transform;
mod weights;

pub(super) use self::gradient::weight_gradient;
use self::transform::{InputTransform, OutputTransform};
pub(super) use self::weights::TransformedWeights;
use super::product::{Product, Window};
use super::shape::Conv2dShape;
use super::sweep::{Band, Task, bands, tasks};
use crate::flex::parallel::{is_worth_threads, run_tasks};
use crate::flex::scratch::Scratch;

/// Elements of a transformed tile.
const ELEMENTS: usize = 16;

/// Fewer channels than this fill no register.
const MIN_CHANNELS: usize = 16;

/// Elements of a block of transformed tiles, of about the size of the second-level cache.
const BLOCK_LEN: usize = 196_608;

/// Distance of planes in a buffer beyond their length, so that they do not share sets of a cache.
const STAGGER: usize = 48;

/// Which pixels the tiles of an output are computed from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    pub(super) batch: usize,
    /// Height and width of the source.
    pub(super) size: [usize; 2],
    /// Channels of the source.
    pub(super) channels: usize,
    /// Row and column of the first tile in the source: 0 or negative.
    pub(super) origin: isize,
    /// Height and width of the output.
    pub(super) size_out: [usize; 2],
}

/// Whether these formulas apply and pay off.
pub(super) fn is_supported(shape: &Conv2dShape) -> bool {
    /// Tiles of the batch, fewer than which the larger weights cost more than they save.
    const MIN_TILES: usize = 32;
    let [height, width] = shape.size_out();
    shape.kernel == [3, 3]
        && shape.geometry.stride == 1
        && shape.geometry.padding <= 2
        && shape.channels_in.min(shape.channels_out) >= MIN_CHANNELS
        && height.min(width) >= 2
        && shape.batch * height.div_ceil(2) * width.div_ceil(2) >= MIN_TILES
}

impl Tiling {
    /// From the input to the output.
    pub(super) fn forward(shape: &Conv2dShape) -> Self {
        Self {
            batch: shape.batch,
            size: shape.size_in,
            channels: shape.channels_in,
            origin: -shape.geometry.padding.cast_signed(),
            size_out: shape.size_out(),
        }
    }

    /// From the gradient of the output to that of the input.
    pub(super) fn backward(shape: &Conv2dShape) -> Self {
        Self {
            batch: shape.batch,
            size: shape.size_out(),
            channels: shape.channels_out,
            origin: shape.geometry.padding.cast_signed() - 2,
            size_out: shape.size_in,
        }
    }

    /// Tiles along each axis of an image.
    fn tiles(&self) -> [usize; 2] {
        self.size_out.map(|size| size.div_ceil(2))
    }

    /// Tiles of a band.
    fn count(&self, band: &Band) -> usize {
        band.images.len() * band.rows.len() * self.tiles()[1]
    }

    /// Image, row and column of each tile of a band.
    fn positions(&self, band: &Band) -> impl Iterator<Item = [usize; 3]> {
        let [_, columns] = self.tiles();
        let rows = band.rows.clone();
        band.images.clone().flat_map(move |image| {
            let rows = rows.clone();
            rows.flat_map(move |y| (0..columns).map(move |x| [image, y, x]))
        })
    }

    /// Rows of the output that belong to a band's rows of tiles, in each image.
    fn rows_out(&self, band: &Band) -> [usize; 2] {
        let end = (2 * band.rows.end).min(self.size_out[0]);
        [2 * band.rows.start, end - 2 * band.rows.start]
    }
}

/// Convolves a batch: `epilogue` is called with the first pixel of some rows of the output,
/// `[pixels, channels]`, as soon as they are complete.
pub(super) fn convolve(
    tiling: &Tiling,
    weights: &TransformedWeights,
    source: &[f32],
    epilogue: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    let [height, width] = tiling.size_out;
    let columns = weights.columns();
    let mut output = vec![0.0; tiling.batch * height * width * columns];
    let work = ELEMENTS / 4 * output.len() * tiling.channels;
    let parallel = is_worth_threads(work);
    let mut block = BLOCK_LEN / (ELEMENTS * (tiling.channels + weights.width()));
    if parallel {
        // A block for every thread at least.
        let [rows, across] = tiling.tiles();
        let share = (tiling.batch * rows * across).div_ceil(rayon::current_num_threads());
        block = block.min(share);
    }
    let bands = bands(tiling.tiles(), tiling.batch, block.max(48));
    let tasks = tasks(bands, 2, [height, width, columns], &mut output);
    run_tasks(tasks.into_iter(), parallel, |mut task| {
        convolve_tiles(&mut task, tiling, weights, source);
        epilogue(task.first, task.output);
    });
    output
}

fn convolve_tiles(
    task: &mut Task<'_>,
    tiling: &Tiling,
    weights: &TransformedWeights,
    source: &[f32],
) {
    let count = tiling.count(&task.band);
    let width = weights.width();
    let transformed = InputTransform::run(tiling, &task.band, source);
    let starts: Vec<usize> = (0..count).map(|tile| tile * tiling.channels).collect();
    let targets: Vec<usize> = (0..count).map(|tile| tile * width).collect();
    let plane = count * width + STAGGER;
    let mut products = Scratch::new(ELEMENTS * plane);
    for columns in weights.panels() {
        for (element, output) in products.chunks_exact_mut(plane).enumerate() {
            Product {
                source: transformed.plane(element),
                starts: &starts,
                window: Window::row(tiling.channels),
                panel: weights.panel(columns.start, element),
                output,
                targets: &targets,
                columns: width,
            }
            .run();
        }
        OutputTransform {
            tiling,
            band: &task.band,
            products: &products,
            plane,
            columns,
            stride: weights.columns(),
            output: &mut *task.output,
        }
        .run();
    }
}
