//! Convolution as products of windows and weights, of any size and stride.

use std::ops::Range;

use super::product::{GradientProduct, Product};
use super::sweep::{Band, Sweep, Task, Windows, bands, tasks};
use super::weights::weight_gradient_of_sums;
use crate::flex::gemm::{Matrix, PackedRhs};
use crate::flex::parallel::{is_worth_threads, map_tasks, run_tasks};
use crate::flex::scratch::Scratch;

/// Windows of a task: their lines and a panel of weights stay in the second-level cache.
const TASK_WINDOWS: usize = 128;

/// Cost of finishing an element of the output, in multiply-adds.
const ELEMENT_COST: usize = 32;

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
    pub(super) weights: &'a PackedRhs,
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
    let ([height, width], step) = (first.sweep.size_out, first.sweep.step_out);
    let columns = first.weights.columns;
    let mut output = vec![0.0; batch * height * width * columns];
    let depth: usize = passes.iter().map(|pass| pass.weights.depth).sum();
    let work = output.len() * (depth / passes.len() + ELEMENT_COST);
    // The rows of windows of the pass that has the most.
    let positions = [height.div_ceil(step), first.sweep.positions[1]];
    let bands = bands(positions, batch, TASK_WINDOWS);
    let tasks = tasks(bands, step, [height, width, columns], &mut output);
    let threads = rayon::current_num_threads();
    let parallel = is_worth_threads(work);
    if !parallel || tasks.len() >= threads {
        run_tasks(tasks.into_iter(), parallel, |task| {
            task.convolve(passes, source, &epilogue);
        });
    } else {
        let groups = threads.div_ceil(tasks.len());
        for task in tasks {
            task.convolve_by_columns(passes, source, groups, &epilogue);
        }
    }
    output
}

impl Task<'_> {
    fn convolve(self, passes: &[Pass<'_>], source: &[f32], epilogue: &impl Fn(usize, &mut [f32])) {
        for pass in passes {
            let Some(band) = self.band_of(pass) else {
                continue;
            };
            let windows = pass.sweep.windows(source, &band);
            let columns = pass.weights.columns;
            let targets = pass.sweep.targets(&band, columns);
            multiply(pass, &windows, &targets, 0..columns, &mut *self.output);
        }
        epilogue(self.first, self.output);
    }

    /// Splits the columns in groups, for fewer tasks than threads.
    fn convolve_by_columns(
        self,
        passes: &[Pass<'_>],
        source: &[f32],
        groups: usize,
        epilogue: &impl Fn(usize, &mut [f32]),
    ) {
        for pass in passes {
            let Some(band) = self.band_of(pass) else {
                continue;
            };
            let windows = pass.sweep.windows(source, &band);
            let weights = pass.weights;
            let share = weights.panels().len().div_ceil(groups) * weights.width;
            let starts = (0..weights.columns).step_by(share);
            let group = |start: usize| {
                let columns = start..(start + share).min(weights.columns);
                let rows = 0..windows.starts.len();
                let targets: Vec<usize> = rows.map(|row| row * columns.len()).collect();
                let mut block = vec![0.0; windows.starts.len() * columns.len()];
                multiply(pass, &windows, &targets, columns.clone(), &mut block);
                (columns, block)
            };
            let blocks = map_tasks(starts, true, group);
            let targets = pass.sweep.targets(&band, weights.columns);
            for (columns, block) in blocks {
                for (source, &target) in block.chunks(columns.len()).zip(&targets) {
                    self.output[target + columns.start..][..columns.len()].copy_from_slice(source);
                }
            }
        }
        epilogue(self.first, self.output);
    }

    /// The windows of a pass that belong to this task's output, if there are any.
    fn band_of(&self, pass: &Pass<'_>) -> Option<Band> {
        let Band { images, rows } = self.band.clone();
        let rows = rows.start..rows.end.min(pass.sweep.positions[0]);
        (!rows.is_empty()).then_some(Band { images, rows })
    }
}

/// Multiplies windows by the panels of some columns, the first of which is the first of the output.
fn multiply(
    pass: &Pass<'_>,
    windows: &Windows<'_>,
    targets: &[usize],
    columns: Range<usize>,
    output: &mut [f32],
) {
    let weights = pass.weights;
    let panels = weights
        .panels()
        .filter(|panel| columns.contains(&panel.start));
    for panel in panels {
        Product {
            source: windows.source(),
            starts: &windows.starts,
            window: windows.window,
            panel: weights.panel(panel.start, 0, weights.depth),
            output: &mut output[panel.start - columns.start..],
            targets,
            columns: panel.len(),
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
    let bands = bands(sweep.positions, batch, GRADIENT_WINDOWS);
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
    let shape = [channels_out, sweep.channels, taps];
    weight_gradient_of_sums(&sums, shape, taps, |sums, values| {
        values.copy_from_slice(sums);
    })
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
    let shape = [windows.starts.len(), channels_out];
    let gradient = PackedRhs::new(Matrix::new(gradient, channels_out), shape);
    GradientProduct {
        source: windows.source(),
        starts: &windows.starts,
        window: windows.window,
        panels: gradient.values(),
        output: sum,
        columns: channels_out,
        accumulate,
    }
    .run();
}
