//! The element-wise passes of batch normalization, over `[pixels, channels]`.

use burn::backend::flex::FlexTensor;

use super::sums::{GradientSums, Rows, four};
use crate::activation::functions::{Function, Identity};
use crate::flex::blocks::{Periodic, change_blocks, collect_blocks};
use crate::flex::parallel::is_worth_threads;
use crate::flex::simd_math::vectorized;
use crate::flex::tensors::tensor;

/// Cost of an element, in multiply-adds.
const COST: usize = 16;

/// Mean and standard deviation of each channel.
#[derive(Debug)]
pub(super) struct Moments {
    /// The mean in single precision.
    center: Vec<f32>,
    /// The mean is `center + rest`: where it is far from zero, the rest matters.
    rest: Vec<f64>,
    /// Reciprocal of the standard deviation.
    inverse_std: Vec<f64>,
}

impl Moments {
    pub(super) fn new(mean: &[f64], variance: &[f64], epsilon: f64) -> Self {
        let rest = |&mean: &f64| mean - f64::from(mean as f32);
        let inverse_std = |&variance: &f64| (variance + epsilon).sqrt().recip();
        Self {
            center: mean.iter().map(|&mean| mean as f32).collect(),
            rest: mean.iter().map(rest).collect(),
            inverse_std: variance.iter().map(inverse_std).collect(),
        }
    }

    /// The sum of the gradients times `x - mean`.
    fn product(&self, sums: &GradientSums, channel: usize) -> f64 {
        sums.products[channel] - self.rest[channel] * sums.gradients[channel]
    }

    /// Gradients of gamma and beta.
    pub(super) fn parameter_gradients(&self, sums: &GradientSums) -> [FlexTensor; 2] {
        let channels = self.center.len();
        let gamma = |channel| (self.product(sums, channel) * self.inverse_std[channel]) as f32;
        let gammas = (0..channels).map(gamma).collect();
        let betas = sums.gradients.iter().map(|&sum| sum as f32).collect();
        [tensor(gammas, [channels]), tensor(betas, [channels])]
    }

    /// How the gradient of the input depends on the means of the gradients.
    pub(super) fn input_slopes(&self, sums: &GradientSums, gamma: &[f32]) -> InputSlopes {
        let coefficients = |channel: usize| {
            let inverse_std = self.inverse_std[channel];
            let scale = f64::from(gamma[channel]) * inverse_std / sums.pixels;
            let slope = scale * self.product(sums, channel) * inverse_std * inverse_std;
            let offset = scale * sums.gradients[channel] - slope * self.rest[channel];
            (slope as f32, offset as f32)
        };
        let (slope, offset): (Vec<f32>, Vec<f32>) = (0..gamma.len()).map(coefficients).unzip();
        InputSlopes {
            slope: Periodic::new(&slope),
            offset: Periodic::new(&offset),
        }
    }
}

/// The gradient of the input is that before the activation times the scale of [`Affine`], minus
/// `(x - center) * slope + offset`.
pub(super) struct InputSlopes {
    slope: Periodic,
    offset: Periodic,
}

/// The output before the activation is `(x - center) * scale + shift` plus the residual.
pub(super) struct Affine {
    center: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Affine {
    pub(super) fn new(moments: &Moments, gamma: &[f32], beta: &[f32]) -> Self {
        let scale = |channel: usize| f64::from(gamma[channel]) * moments.inverse_std[channel];
        let shift = |channel: usize| {
            (f64::from(beta[channel]) - moments.rest[channel] * scale(channel)) as f32
        };
        let channels = 0..gamma.len();
        Self {
            center: moments.center.clone(),
            scale: channels
                .clone()
                .map(|channel| scale(channel) as f32)
                .collect(),
            shift: channels.map(shift).collect(),
        }
    }

    fn periodic(&self) -> [Periodic; 3] {
        [&self.center, &self.scale, &self.shift].map(|values| Periodic::new(values))
    }

    /// The output after the activation.
    pub(super) fn output(
        &self,
        input: &[f32],
        residual: Option<&[f32]>,
        function: impl Function,
    ) -> Vec<f32> {
        let affine = self.periodic();
        let parallel = is_worth_threads(COST * input.len());
        collect_blocks(input.len(), parallel, |elements, output| {
            let [center, scale, shift] = affine.each_ref().map(|values| values.of(&elements));
            let residual = residual.map(|residual| &residual[elements.clone()]);
            let input = &input[elements];
            vectorized(
                #[inline(always)]
                || {
                    let n = output.len();
                    let [x, center, scale, shift] = [input, center, scale, shift].map(|v| &v[..n]);
                    if let Some(residual) = residual {
                        let residual = &residual[..n];
                        for i in 0..n {
                            let value = (x[i] - center[i]) * scale[i] + shift[i];
                            output[i] = function.value(value + residual[i]);
                        }
                    } else {
                        for i in 0..n {
                            output[i] = function.value((x[i] - center[i]) * scale[i] + shift[i]);
                        }
                    }
                },
            );
        })
    }

    /// Replaces the gradient of the output by that of the input, without a residual.
    pub(super) fn write_input_gradient(
        &self,
        slopes: &InputSlopes,
        input: &[f32],
        gradient: &mut [f32],
        function: impl Function,
    ) {
        let affine = self.periodic();
        let parallel = is_worth_threads(COST * input.len());
        change_blocks(gradient, parallel, |elements, gradient| {
            let [center, scale, shift] = affine.each_ref().map(|values| values.of(&elements));
            let [slope, offset] =
                [&slopes.slope, &slopes.offset].map(|values| values.of(&elements));
            let input = &input[elements];
            vectorized(
                #[inline(always)]
                || {
                    let n = gradient.len();
                    let [input, center, scale, shift, slope, offset] =
                        [input, center, scale, shift, slope, offset].map(|values| &values[..n]);
                    for i in 0..n {
                        let x = input[i] - center[i];
                        let direct = function.gradient(x * scale[i] + shift[i], gradient[i]);
                        gradient[i] = direct * scale[i] - x * slope[i] - offset[i];
                    }
                },
            );
        });
    }

    /// The gradient of the input from that before the activation.
    pub(super) fn input_gradient(
        &self,
        slopes: &InputSlopes,
        input: &[f32],
        gradient: &[f32],
    ) -> Vec<f32> {
        let [center, scale, _] = self.periodic();
        let coefficients = [center, scale, slopes.slope.clone(), slopes.offset.clone()];
        let parallel = is_worth_threads(COST * input.len());
        collect_blocks(input.len(), parallel, |elements, output| {
            let [center, scale, slope, offset] =
                coefficients.each_ref().map(|values| values.of(&elements));
            let (input, gradient) = (&input[elements.clone()], &gradient[elements]);
            vectorized(
                #[inline(always)]
                || {
                    let n = output.len();
                    let [input, gradient, center, scale, slope, offset] =
                        [input, gradient, center, scale, slope, offset].map(|values| &values[..n]);
                    for i in 0..n {
                        let x = input[i] - center[i];
                        output[i] = gradient[i] * scale[i] - x * slope[i] - offset[i];
                    }
                },
            );
        })
    }

    /// Sums the gradients before the activation.
    pub(super) fn sum_gradients(
        &self,
        rows: Rows,
        input: &[f32],
        gradient: &[f32],
        function: impl Function,
    ) -> GradientSums {
        let columns = self.columns(rows);
        let blocks = vec![(); rows.blocks()];
        let sums = rows.sum_blocks(blocks, |block, (), [gradients, products]| {
            let values = [&input[block.clone()], &gradient[block]];
            vectorized(
                #[inline(always)]
                || columns.add_block(values, [&mut *gradients, &mut *products], function),
            );
        });
        GradientSums::new(rows, &sums)
    }

    /// Replaces the gradient of the output by that before the activation, and sums these.
    pub(super) fn mask_and_sum_gradients(
        &self,
        rows: Rows,
        [input, residual]: [&[f32]; 2],
        gradient: &mut [f32],
        function: impl Function,
    ) -> GradientSums {
        let columns = self.columns(rows);
        let gradients = gradient.chunks_mut(rows.block()).collect();
        let sums = rows.sum_blocks(gradients, |block, gradient, [gradients, products]| {
            let (input, residual) = (&input[block.clone()], &residual[block]);
            vectorized(
                #[inline(always)]
                || {
                    columns.mask([input, residual], gradient, function);
                    let values = [input, &*gradient];
                    columns.add_block(values, [&mut *gradients, &mut *products], Identity);
                },
            );
        });
        GradientSums::new(rows, &sums)
    }

    /// The coefficients of the columns of a row.
    fn columns(&self, rows: Rows) -> Self {
        Self {
            center: rows.repeat(&self.center),
            scale: rows.repeat(&self.scale),
            shift: rows.repeat(&self.shift),
        }
    }

    /// Replaces the gradient of the output by that before the activation, in rows.
    #[inline(always)]
    fn mask(&self, [input, residual]: [&[f32]; 2], gradient: &mut [f32], function: impl Function) {
        let width = self.center.len();
        let rows = input.chunks(width).zip(residual.chunks(width));
        for (gradient, (input, residual)) in gradient.chunks_mut(width).zip(rows) {
            let n = gradient.len();
            let [input, residual, center, scale, shift] =
                [input, residual, &self.center, &self.scale, &self.shift].map(|v| &v[..n]);
            for i in 0..n {
                let before = (input[i] - center[i]) * scale[i] + shift[i] + residual[i];
                gradient[i] = function.gradient(before, gradient[i]);
            }
        }
    }

    /// Adds the gradients before the activation, and their products with `x - center`.
    #[inline(always)]
    fn add_block(
        &self,
        [input, gradient]: [&[f32]; 2],
        [gradients, products]: [&mut [f32]; 2],
        function: impl Function,
    ) {
        let width = gradients.len();
        let products = &mut products[..width];
        let [center, scale, shift] =
            [&self.center, &self.scale, &self.shift].map(|values| &values[..width]);
        let groups = input.chunks_exact(4 * width);
        let gradient_groups = gradient.chunks_exact(4 * width);
        let rest = [groups.remainder(), gradient_groups.remainder()];
        for (input, gradient) in groups.zip(gradient_groups) {
            let (input, gradient) = (four(input, width), four(gradient, width));
            for i in 0..width {
                let x = input.map(|row| row[i] - center[i]);
                let slope =
                    |row: usize| function.gradient(x[row] * scale[i] + shift[i], gradient[row][i]);
                let sum = [slope(0), slope(1), slope(2), slope(3)];
                gradients[i] += (sum[0] + sum[1]) + (sum[2] + sum[3]);
                products[i] += (sum[0] * x[0] + sum[1] * x[1]) + (sum[2] * x[2] + sum[3] * x[3]);
            }
        }
        let [input, gradient] = rest.map(|values| values.chunks(width));
        for (input, gradient) in input.zip(gradient) {
            for i in 0..input.len() {
                let x = input[i] - center[i];
                let gradient = function.gradient(x * scale[i] + shift[i], gradient[i]);
                gradients[i] += gradient;
                products[i] += gradient * x;
            }
        }
    }
}
