use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::parallel::{BLOCK_ROWS, is_worth_threads, map_tasks, run_tasks, sum_vectors};
use crate::flex::simd_math::{sum_pairs, vectorized};
use crate::flex::tensors::{contiguous, tensor};

/// Cost of an element, in multiply-adds.
const COST: usize = 8;

/// Layer normalization, or RMS normalization without `beta`.
pub(super) fn norm<const D: usize>(
    input: Tensor<D>,
    gamma: Tensor<1>,
    beta: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    let operation = Norm {
        centered: beta.is_some(),
        epsilon,
    };
    let mut others = vec![gamma.into_dispatch()];
    others.extend(beta.map(Tensor::into_dispatch));
    apply(operation, Inputs::new(input.into_dispatch(), others))
}

/// Inputs: the rows, gamma and, if centered, beta.
#[derive(Debug)]
struct Norm {
    /// Whether the mean is subtracted.
    centered: bool,
    epsilon: f64,
}

impl Norm {
    /// Mean of a row, 0 if not centered, and the reciprocal of its standard deviation.
    #[inline(always)]
    fn moments(&self, row: &[f32]) -> [f32; 2] {
        let count = row.len() as f32;
        let mean = if self.centered {
            sum_pairs(row, row, |x, _| x) / count
        } else {
            0.0
        };
        let squares = sum_pairs(row, row, |x, _| (x - mean) * (x - mean));
        let variance = f64::from(squares / count) + self.epsilon;
        [mean, variance.sqrt().recip() as f32]
    }

    fn forward_rows(
        &self,
        rows: (&mut [f32], &[f32]),
        moments: &mut [f32],
        gamma: &[f32],
        beta: Option<&[f32]>,
    ) {
        let (output, input) = rows;
        let width = gamma.len();
        let (moments, _) = moments.as_chunks_mut::<2>();
        vectorized(
            #[inline(always)]
            || {
                let rows = output
                    .chunks_exact_mut(width)
                    .zip(input.chunks_exact(width))
                    .zip(&mut *moments);
                for ((output, input), moments) in rows {
                    *moments = self.moments(input);
                    let [mean, inverse_std] = *moments;
                    let scaled = output.iter_mut().zip(input).zip(gamma);
                    for ((output, x), gamma) in scaled {
                        *output = (*x - mean) * inverse_std * *gamma;
                    }
                    if let Some(beta) = beta {
                        for (output, beta) in output.iter_mut().zip(beta) {
                            *output += *beta;
                        }
                    }
                }
            },
        );
    }

    /// Computes the gradient of the input and adds those of gamma and beta to `sums`.
    fn backward_rows(
        &self,
        output: &mut [f32],
        [input, gradient]: [&[f32]; 2],
        moments: &[f32],
        gamma: &[f32],
        sums: &mut [f32],
    ) {
        let width = gamma.len();
        let count = width as f32;
        let (moments, _) = moments.as_chunks::<2>();
        let (gammas, betas) = sums.split_at_mut(width);
        vectorized(
            #[inline(always)]
            || {
                let rows = output
                    .chunks_exact_mut(width)
                    .zip(input.chunks_exact(width).zip(gradient.chunks_exact(width)))
                    .zip(moments);
                for ((output, (input, gradient)), &[mean, inverse_std]) in rows {
                    for ((output, gradient), gamma) in output.iter_mut().zip(gradient).zip(gamma) {
                        *output = *gradient * *gamma;
                    }
                    let normalize = |x: f32| (x - mean) * inverse_std;
                    let slope = sum_pairs(output, input, |g, x| g * normalize(x)) / count;
                    let offset = if self.centered {
                        sum_pairs(output, input, |g, _| g) / count
                    } else {
                        0.0
                    };
                    for (output, x) in output.iter_mut().zip(input) {
                        *output = inverse_std * (*output - offset - normalize(*x) * slope);
                    }
                    for ((gamma, x), gradient) in gammas.iter_mut().zip(input).zip(gradient) {
                        *gamma += *gradient * normalize(*x);
                    }
                    for (beta, gradient) in betas.iter_mut().zip(gradient) {
                        *beta += *gradient;
                    }
                }
            },
        );
    }
}

impl Operation for Norm {
    fn forward(&self, inputs: Vec<FlexTensor>, saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let input = contiguous(&inputs[0]);
        let gamma = contiguous(&inputs[1]);
        let beta = inputs.get(2).map(contiguous);
        let gamma = gamma.storage::<f32>();
        let beta = beta.as_ref().map(FlexTensor::storage::<f32>);
        let values = input.storage::<f32>();
        let rows = values.len() / gamma.len().max(1);
        let mut output = vec![0.0; values.len()];
        let mut moments = vec![0.0; 2 * rows];
        if is_worth_threads(COST * values.len()) {
            let chunk = BLOCK_ROWS * gamma.len();
            let rows = output.chunks_mut(chunk).zip(values.chunks(chunk));
            let blocks = rows.zip(moments.chunks_mut(2 * BLOCK_ROWS));
            run_tasks(blocks, true, |(rows, moments)| {
                self.forward_rows(rows, moments, gamma, beta);
            });
        } else if rows > 0 {
            self.forward_rows((&mut output, values), &mut moments, gamma, beta);
        }
        if let Some(saved) = saved {
            saved.push(tensor(moments, [rows, 2]));
        }
        tensor(output, input.shape())
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let [input, gradient] = [&inputs[0], &gradient].map(contiguous);
        let gamma = contiguous(&inputs[1]);
        let gamma = gamma.storage::<f32>();
        let moments = saved[0].storage::<f32>();
        let (values, gradient) = (input.storage::<f32>(), gradient.storage::<f32>());
        let width = gamma.len();
        let chunk = BLOCK_ROWS * width;
        let mut output = vec![0.0; values.len()];
        let block = |(index, output): (usize, &mut [f32])| {
            let range = index * chunk..index * chunk + output.len();
            let rows = index * BLOCK_ROWS..index * BLOCK_ROWS + output.len() / width;
            let mut sums = vec![0.0; 2 * width];
            self.backward_rows(
                output,
                [&values[range.clone()], &gradient[range]],
                &moments[2 * rows.start..2 * rows.end],
                gamma,
                &mut sums,
            );
            sums
        };
        let sums: Vec<Vec<f32>> = if output.is_empty() {
            Vec::new()
        } else {
            let parallel = is_worth_threads(2 * COST * values.len());
            map_tasks(output.chunks_mut(chunk).enumerate(), parallel, block)
        };
        let mut gammas = sum_vectors(&sums, 2 * width);
        let betas = gammas.split_off(width);
        let mut outputs = vec![
            Some(tensor(output, input.shape())),
            Some(tensor(gammas, [width])),
        ];
        if self.centered {
            outputs.push(Some(tensor(betas, [width])));
        }
        outputs
    }
}
