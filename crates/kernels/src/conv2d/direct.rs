//! Convolution as products of windows and weights, of any size and stride.

use std::ops::Range;

use super::product::{GradientProduct, Product, tile_width};
use super::sweep::{Band, Sweep, Windows, bands as bands_of};
use super::weights::{Packed, unpack_gradient};
use crate::flex::parallel::{is_worth_threads, map_tasks, run_tasks};
use crate::flex::scratch::Scratch;

/// Windows of a task: their lines and a panel of weights stay in the second-level cache.
const TASK_WINDOWS: usize = 128;

/// Windows of a task that sums gradients of weights.
const GRADIENT_WINDOWS: usize = 256;

/// Largest size of all partial weight gradients together, in elements.
const MAX_PARTIAL: usize = 1 << 22;

/// Most parts of a batch whose weight gradients are summed independently.
const MAX_PARTS: usize = 16;

/// Windows over a source and the weights they are multiplied with. Several ones fill interleaved
/// pixels of the same output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass<'a> {
    pub(super) sweep: Sweep,
    pub(super) weights: &'a Packed,
}

/// Convolves a batch: `epilogue` is called with the first pixel of some rows of the output,
/// `[pixels, channels]`, as soon as they are complete.
pub(super) fn convolve(
    passes: &[Pass<'_>],
    batch: usize,
    source: &[f32],
    epilogue: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    let Some(first) = passes.first() else {
        return Vec::new();
    };
    let [height, width] = first.sweep.size_out;
    let columns = first.weights.columns;
    let mut output = vec![0.0; batch * height * width * columns];
    let depth: usize = passes.iter().map(|pass| pass.weights.depth).sum();
    let work = output.len() * depth / passes.len();
    let bands = bands(passes, batch);
    let tasks = tasks(&bands, passes, &mut output);
    let threads = rayon::current_num_threads();
    let parallel = is_worth_threads(work);
    if !parallel || tasks.len() >= threads {
        run_tasks(tasks.into_iter(), parallel, |task| {
            task.run(passes, source, &epilogue);
        });
    } else {
        let groups = threads.div_ceil(tasks.len());
        for task in tasks {
            task.run_by_columns(passes, source, groups, &epilogue);
        }
    }
    output
}

/// Rows of windows of an image if those of all passes belong to the same rows of the output, else
/// whole images.
fn bands(passes: &[Pass<'_>], batch: usize) -> Vec<Band> {
    let first = passes[0].sweep;
    let is_aligned = passes.iter().all(|Pass { sweep, .. }| {
        sweep.origin_out[0] < sweep.step_out
            && sweep.positions[0] * sweep.step_out == sweep.size_out[0]
    });
    if is_aligned {
        return bands_of(first.positions, batch, TASK_WINDOWS);
    }
    let bands = (0..batch).map(|image| Band {
        images: image..image + 1,
        rows: 0..first.size_out[0].div_ceil(first.step_out),
    });
    bands.collect()
}

/// A band and its part of the output.
struct Task<'a> {
    band: Band,
    /// First pixel of the output.
    first: usize,
    output: &'a mut [f32],
}

fn tasks<'a>(bands: &[Band], passes: &[Pass<'_>], output: &'a mut [f32]) -> Vec<Task<'a>> {
    let [height, width] = passes[0].sweep.size_out;
    let columns = passes[0].weights.columns;
    let mut rest = output;
    let mut first = 0;
    let step = passes[0].sweep.step_out;
    let task = |band: &Band| {
        let rows = (band.rows.len() * step).min(height);
        let pixels = band.images.len() * rows * width;
        let (own, others) = std::mem::take(&mut rest).split_at_mut(pixels * columns);
        rest = others;
        first += pixels;
        Task {
            band: band.clone(),
            first: first - pixels,
            output: own,
        }
    };
    bands.iter().map(task).collect()
}

impl Task<'_> {
    fn run(self, passes: &[Pass<'_>], source: &[f32], epilogue: &impl Fn(usize, &mut [f32])) {
        for pass in passes {
            let band = self.band(pass);
            let windows = pass.sweep.windows(source, &band);
            let columns = pass.weights.columns;
            let targets = pass.sweep.targets(&band, columns);
            let panels = 0..pass.weights.panels();
            multiply(pass, &windows, &targets, panels, &mut *self.output);
        }
        epilogue(self.first, self.output);
    }

    /// Splits the columns in groups, for fewer tasks than threads.
    fn run_by_columns(
        self,
        passes: &[Pass<'_>],
        source: &[f32],
        groups: usize,
        epilogue: &impl Fn(usize, &mut [f32]),
    ) {
        for pass in passes {
            let band = self.band(pass);
            let windows = pass.sweep.windows(source, &band);
            let weights = pass.weights;
            let share = weights.panels().div_ceil(groups);
            let starts = (0..weights.panels()).step_by(share);
            let group = |start: usize| {
                let panels = start..(start + share).min(weights.panels());
                let first = weights.columns_of(start).start;
                let columns = weights.columns_of(panels.end - 1).end - first;
                let targets: Vec<usize> =
                    (0..windows.starts.len()).map(|row| row * columns).collect();
                let mut block = vec![0.0; windows.starts.len() * columns];
                multiply(pass, &windows, &targets, panels, &mut block);
                (first, columns, block)
            };
            let blocks = map_tasks(starts, true, group);
            let targets = pass.sweep.targets(&band, weights.columns);
            for (first, columns, block) in blocks {
                for (source, &target) in block.chunks(columns).zip(&targets) {
                    self.output[target + first..][..columns].copy_from_slice(source);
                }
            }
        }
        epilogue(self.first, self.output);
    }

    /// The windows of a pass that belong to this task's output.
    fn band(&self, pass: &Pass<'_>) -> Band {
        let Range { start, end } = self.band.rows;
        Band {
            images: self.band.images.clone(),
            rows: start..end.min(pass.sweep.positions[0]),
        }
    }
}

/// Multiplies windows by some panels; the first of them begins at the start of the output.
fn multiply(
    pass: &Pass<'_>,
    windows: &Windows<'_>,
    targets: &[usize],
    panels: Range<usize>,
    output: &mut [f32],
) {
    let first = panels.start * pass.weights.width;
    for panel in panels {
        let columns = pass.weights.columns_of(panel);
        Product {
            source: windows.source(),
            starts: &windows.starts,
            window: windows.window,
            panel: pass.weights.panel(panel),
            output: &mut output[columns.start - first..],
            targets,
            columns: columns.len(),
        }
        .run();
    }
}

/// Gradient of the weights, `[channels_out, channels_in, taps]`, from that of the output,
/// `[batch, height, width, channels_out]`.
pub(super) fn weight_gradient(
    sweep: &Sweep,
    batch: usize,
    source: &[f32],
    gradient: &[f32],
    channels_out: usize,
) -> Vec<f32> {
    let len = sweep.window_len() * channels_out;
    let bands = bands_of(sweep.positions, batch, GRADIENT_WINDOWS);
    let parts = (MAX_PARTIAL / len.max(1)).clamp(2, MAX_PARTS);
    let share = bands.len().div_ceil(parts).max(1);
    let part = |bands: &[Band]| {
        let mut sum = Scratch::new(len);
        for (index, band) in bands.iter().enumerate() {
            add_gradient(sweep, band, source, gradient, &mut sum, index > 0);
        }
        sum
    };
    let pixels = batch * sweep.positions[0] * sweep.positions[1];
    let sums = map_tasks(bands.chunks(share), is_worth_threads(pixels * len), part);
    let taps = sweep.window[0] * sweep.window[1];
    unpack_gradient(&sums, [channels_out, sweep.channels, taps])
}

/// Computes a band's products `[window, channels_out]`, and adds them if `accumulate`.
fn add_gradient(
    sweep: &Sweep,
    band: &Band,
    source: &[f32],
    gradient: &[f32],
    sum: &mut [f32],
    accumulate: bool,
) {
    let channels_out = sum.len() / sweep.window_len();
    let [rows, columns] = sweep.positions;
    let windows = sweep.windows(source, band);
    let first = (band.images.start * rows + band.rows.start) * columns;
    let gradient = &gradient[first * channels_out..][..windows.starts.len() * channels_out];
    GradientProduct {
        source: windows.source(),
        starts: &windows.starts,
        window: windows.window,
        panels: &pack_rows(gradient, channels_out),
        output: sum,
        columns: channels_out,
        accumulate,
    }
    .run();
}

/// Packs the columns of a matrix in panels of a tile's width, the last one padded with zeros.
fn pack_rows(matrix: &[f32], columns: usize) -> Scratch {
    let width = tile_width();
    let rows = matrix.len() / columns.max(1);
    let mut panels = Scratch::new(columns.div_ceil(width) * rows * width);
    let chunks = panels.chunks_exact_mut((rows * width).max(1));
    for (panel, first) in chunks.zip((0..columns).step_by(width)) {
        let count = width.min(columns - first);
        let sources = matrix.chunks_exact(columns);
        for (source, target) in sources.zip(panel.chunks_exact_mut(width)) {
            let (own, rest) = target.split_at_mut(count);
            own.copy_from_slice(&source[first..first + count]);
            rest.fill(0.0);
        }
    }
    panels
}
