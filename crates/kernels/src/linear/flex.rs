use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::gemm::{FEW_ROWS, Matrix, Packed, multiply, multiply_rows};
use crate::flex::parallel::{CHUNK, is_worth_threads, sum_in_parts};
use crate::flex::simd_math::{gelu, gelu_slope, vectorized};
use crate::flex::tensors::{contiguous, forwards, matrix, tensor};

/// Multiplications that a slope of the error linear unit takes as long as.
const SLOPE_COST: usize = 32;

/// Products of one or three matrices, with all their biases or none.
pub(crate) fn linear<const D: usize>(
    input: Tensor<D>,
    weights: Vec<Tensor<2>>,
    biases: Vec<Tensor<1>>,
    gelu: bool,
) -> Tensor<D> {
    let operation = Linear {
        weights: weights.len(),
        gelu,
    };
    let rest: Vec<_> = weights
        .into_iter()
        .map(Tensor::into_dispatch)
        .chain(biases.into_iter().map(Tensor::into_dispatch))
        .collect();
    apply(operation, Inputs::new(input.into_dispatch(), rest))
}

/// Inputs: the rows, the weights, then as many biases or none.
#[derive(Debug)]
struct Linear {
    /// Number of matrices whose products lie side by side in the output.
    weights: usize,
    /// Whether the nonlinearity follows.
    gelu: bool,
}

/// The weights, side by side.
struct Weights {
    tensors: Vec<FlexTensor>,
    /// Length of a row of the input.
    depth: usize,
    /// Columns of each.
    columns: Vec<usize>,
}

impl Weights {
    fn new(tensors: &[FlexTensor]) -> Self {
        let sizes: Vec<[usize; 2]> = tensors.iter().map(|weight| weight.shape().dims()).collect();
        Self {
            tensors: tensors.iter().map(forwards).collect(),
            depth: sizes[0][0],
            columns: sizes.iter().map(|&[_, columns]| columns).collect(),
        }
    }

    /// Columns of all together.
    fn width(&self) -> usize {
        self.columns.iter().sum()
    }

    /// Each matrix with its number of columns and the first of them in the output.
    fn parts(&self) -> impl Iterator<Item = (Matrix<'_>, usize, usize)> {
        let mut first = 0;
        self.tensors
            .iter()
            .zip(&self.columns)
            .map(move |(weight, &columns)| {
                first += columns;
                (matrix(weight), columns, first - columns)
            })
    }

    fn packed(&self) -> Packed {
        let parts: Vec<_> = self
            .parts()
            .map(|(weight, columns, first)| (weight, [self.depth, columns], [0, first]))
            .collect();
        Packed::join([self.depth, self.width()], &parts)
    }

    fn packed_transposed(&self) -> Packed {
        let parts: Vec<_> = self
            .parts()
            .map(|(weight, columns, first)| {
                (weight.transposed(), [columns, self.depth], [first, 0])
            })
            .collect();
        Packed::join([self.width(), self.depth], &parts)
    }

    /// Products of rows, with what is done to a few of them at a time.
    fn multiply(
        &self,
        input: &[f32],
        rows: usize,
        finish: impl Fn(&mut [f32]) + Sync + Send,
    ) -> Vec<f32> {
        let width = self.width();
        let left = Matrix::new(input, self.depth);
        let mut output = vec![0.0; rows * width];
        if rows > FEW_ROWS {
            let right = self.packed();
            multiply_rows(left, rows, &right, &mut output, |_, output| finish(output));
            return output;
        }
        for (weight, columns, first) in self.parts() {
            let part = multiply(left, rows, weight, [self.depth, columns]);
            if columns == width {
                output = part;
                break;
            }
            for (line, part) in output.chunks_mut(width).zip(part.chunks(columns)) {
                line[first..first + columns].copy_from_slice(part);
            }
        }
        finish(&mut output);
        output
    }
}

/// Biases side by side; empty if there are none.
fn join(biases: &[FlexTensor]) -> Vec<f32> {
    let biases = biases.iter().map(contiguous);
    biases
        .flat_map(|bias| bias.storage::<f32>().to_vec())
        .collect()
}

/// Adds the bias to each row; none if it is empty.
pub(crate) fn add_bias(output: &mut [f32], bias: &[f32]) {
    if bias.is_empty() {
        return;
    }
    vectorized(
        #[inline(always)]
        || {
            for line in output.chunks_exact_mut(bias.len()) {
                for (value, bias) in line.iter_mut().zip(bias) {
                    *value += *bias;
                }
            }
        },
    );
}

fn apply_gelu(values: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for value in &mut *values {
                *value = gelu(*value);
            }
        },
    );
}

/// The nonlinearity of values that are kept.
fn gelu_of(values: &[f32]) -> Vec<f32> {
    let mut output = vec![0.0; values.len()];
    let chunk = |(output, values): (&mut [f32], &[f32])| {
        vectorized(
            #[inline(always)]
            || {
                for (output, value) in output.iter_mut().zip(values) {
                    *output = gelu(*value);
                }
            },
        );
    };
    if is_worth_threads(SLOPE_COST * values.len()) {
        let chunks = output.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK));
        chunks.for_each(chunk);
    } else {
        chunk((&mut output, values));
    }
    output
}

/// Turns the gradient behind the nonlinearity into the one in front of it.
fn apply_slope(mut gradient: FlexTensor, before: &FlexTensor) -> FlexTensor {
    let before = before.storage::<f32>();
    let values = gradient.storage_mut::<f32>();
    let chunk = |(gradient, before): (&mut [f32], &[f32])| {
        vectorized(
            #[inline(always)]
            || {
                for (gradient, before) in gradient.iter_mut().zip(before) {
                    *gradient *= gelu_slope(*before);
                }
            },
        );
    };
    if is_worth_threads(SLOPE_COST * values.len()) {
        let chunks = values.par_chunks_mut(CHUNK).zip(before.par_chunks(CHUNK));
        chunks.for_each(chunk);
    } else {
        chunk((values, before));
    }
    gradient
}

/// Sums the rows of a matrix.
pub(crate) fn sum_rows(values: &[f32], columns: usize) -> Vec<f32> {
    sum_in_parts(values.len() / columns.max(1), columns, |rows, sums| {
        vectorized(
            #[inline(always)]
            || {
                for line in values[rows.start * columns..rows.end * columns].chunks_exact(columns) {
                    for (sum, value) in sums.iter_mut().zip(line) {
                        *sum += *value;
                    }
                }
            },
        );
    })
}

/// Cuts the columns of a matrix apart.
fn split(joined: Vec<f32>, columns: &[usize]) -> Vec<Vec<f32>> {
    if columns.len() == 1 {
        return vec![joined];
    }
    let width: usize = columns.iter().sum();
    let mut first = 0;
    let parts = columns.iter().map(|&columns| {
        let range = first..first + columns;
        first += columns;
        joined
            .chunks_exact(width)
            .flat_map(|line| line[range.clone()].to_vec())
            .collect()
    });
    parts.collect()
}

impl Linear {
    fn shape(input: &FlexTensor, width: usize) -> Vec<usize> {
        let mut shape = input.shape().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = width;
        }
        shape
    }
}

impl Operation for Linear {
    fn forward(&self, inputs: Vec<FlexTensor>, saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let input = contiguous(&inputs[0]);
        let (weights, biases) = inputs[1..].split_at(self.weights);
        let weights = Weights::new(weights);
        let bias = join(biases);
        let values = input.storage::<f32>();
        let rows = values.len() / weights.depth.max(1);
        let shape = Self::shape(&input, weights.width());
        let keep = self.gelu && saved.is_some();
        let finish = |output: &mut [f32]| {
            add_bias(output, &bias);
            if self.gelu && !keep {
                apply_gelu(output);
            }
        };
        let output = weights.multiply(values, rows, finish);
        match saved {
            Some(saved) if self.gelu => {
                let after = gelu_of(&output);
                saved.push(tensor(output, shape.clone()));
                tensor(after, shape)
            }
            _ => tensor(output, shape),
        }
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let input = contiguous(&inputs[0]);
        let (weights, biases) = inputs[1..].split_at(self.weights);
        let weights = Weights::new(weights);
        let [depth, width] = [weights.depth, weights.width()];
        let mut gradient = contiguous(&gradient);
        if let Some(before) = saved.first() {
            gradient = apply_slope(gradient, before);
        }
        let (values, gradient) = (input.storage::<f32>(), gradient.storage::<f32>());
        let rows = values.len() / depth.max(1);
        let (wanted_weights, wanted_biases) = wanted[1..].split_at(self.weights);
        let mut outputs = vec![wanted[0].then(|| {
            let right = weights.packed_transposed();
            let mut output = vec![0.0; values.len()];
            let left = Matrix::new(gradient, width);
            multiply_rows(left, rows, &right, &mut output, |_, _| ());
            tensor(output, input.shape())
        })];
        let mut parts = vec![None; self.weights];
        if wanted_weights.contains(&true) {
            let left = Matrix::new(values, depth).transposed();
            let joined = multiply(left, depth, Matrix::new(gradient, width), [rows, width]);
            parts = split(joined, &weights.columns)
                .into_iter()
                .map(Some)
                .collect();
        }
        for (part, columns) in parts.into_iter().zip(&weights.columns) {
            outputs.push(part.map(|part| tensor(part, [depth, *columns])));
        }
        let mut parts = vec![None; biases.len()];
        if wanted_biases.contains(&true) {
            let joined = sum_rows(gradient, width);
            parts = split(joined, &weights.columns)
                .into_iter()
                .map(Some)
                .collect();
        }
        for (part, columns) in parts.into_iter().zip(&weights.columns) {
            outputs.push(part.map(|part| tensor(part, [*columns])));
        }
        outputs
    }
}
