use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

pub(super) use super::activation::Activation;
use super::activation::gelu_of;
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::bias::{add_bias, sum_rows};
use crate::flex::gemm::{MAX_UNPACKED_ROWS, Matrix, PackedRhs, matmul, matmul_packed};
use crate::flex::tensors::{contiguous, into_contiguous, matrix, tensor, with_positive_strides};

pub(super) fn linear<const D: usize>(
    input: Tensor<D>,
    weights: Vec<Tensor<2>>,
    biases: Vec<Tensor<1>>,
    activation: Activation,
) -> Tensor<D> {
    let operation = Linear {
        n_weights: weights.len(),
        activation,
    };
    let others: Vec<_> = weights
        .into_iter()
        .map(Tensor::into_dispatch)
        .chain(biases.into_iter().map(Tensor::into_dispatch))
        .collect();
    apply(operation, Inputs::new(input.into_dispatch(), others))
}

/// Inputs: the rows, the weights, then one bias per weight or none.
#[derive(Debug)]
struct Linear {
    /// Number of weights, whose outputs are concatenated.
    n_weights: usize,
    /// What follows.
    activation: Activation,
}

/// The weights, concatenated along the columns.
struct Weights {
    tensors: Vec<FlexTensor>,
    d_input: usize,
    /// Columns of each.
    d_outputs: Vec<usize>,
}

impl Weights {
    fn new(tensors: &[FlexTensor]) -> Self {
        let shapes: Vec<[usize; 2]> = tensors.iter().map(|weight| weight.shape().dims()).collect();
        Self {
            tensors: tensors.iter().map(with_positive_strides).collect(),
            d_input: shapes[0][0],
            d_outputs: shapes.iter().map(|&[_, columns]| columns).collect(),
        }
    }

    /// Columns of all together.
    fn d_output(&self) -> usize {
        self.d_outputs.iter().sum()
    }

    /// Each weight with its number of columns and its first column in the output.
    fn iter(&self) -> impl Iterator<Item = (Matrix<'_>, usize, usize)> {
        let mut first = 0;
        self.tensors
            .iter()
            .zip(&self.d_outputs)
            .map(move |(weight, &columns)| {
                first += columns;
                (matrix(weight), columns, first - columns)
            })
    }

    fn pack(&self) -> PackedRhs {
        let blocks: Vec<_> = self
            .iter()
            .map(|(weight, columns, first)| (weight, [self.d_input, columns], [0, first]))
            .collect();
        PackedRhs::from_blocks([self.d_input, self.d_output()], &blocks)
    }

    fn pack_transposed(&self) -> PackedRhs {
        let blocks: Vec<_> = self
            .iter()
            .map(|(weight, columns, first)| {
                (weight.transposed(), [columns, self.d_input], [first, 0])
            })
            .collect();
        PackedRhs::from_blocks([self.d_output(), self.d_input], &blocks)
    }

    /// Matrix product; `epilogue` is applied to some rows of the output at a time, and told the
    /// index of the first.
    fn matmul(
        &self,
        input: &[f32],
        rows: usize,
        epilogue: impl Fn(usize, &mut [f32]) + Sync + Send,
    ) -> Vec<f32> {
        let d_output = self.d_output();
        let lhs = Matrix::new(input, self.d_input);
        if rows > MAX_UNPACKED_ROWS {
            let rhs = self.pack();
            let mut output = vec![0.0; rows * d_output];
            matmul_packed(lhs, rows, &rhs, &mut output, epilogue);
            return output;
        }
        let products = self.iter().map(|(weight, columns, _)| {
            let product = matmul(lhs, rows, weight, [self.d_input, columns]);
            (product, columns)
        });
        let mut output = join_columns(products.collect(), rows);
        epilogue(0, &mut output);
        output
    }
}

/// Concatenates the biases; empty if there are none.
fn concat(biases: &[FlexTensor]) -> Vec<f32> {
    let biases = biases.iter().map(contiguous);
    biases
        .flat_map(|bias| bias.storage::<f32>().to_vec())
        .collect()
}

/// Concatenates matrices along their columns.
fn join_columns(mut blocks: Vec<(Vec<f32>, usize)>, rows: usize) -> Vec<f32> {
    if blocks.len() == 1 {
        return blocks.remove(0).0;
    }
    let mut joined = Vec::with_capacity(blocks.iter().map(|(values, _)| values.len()).sum());
    for row in 0..rows {
        for (values, columns) in &blocks {
            joined.extend_from_slice(&values[row * columns..(row + 1) * columns]);
        }
    }
    joined
}

/// Splits the columns of a matrix.
fn split_columns(values: Vec<f32>, columns: &[usize]) -> Vec<Vec<f32>> {
    if columns.len() == 1 {
        return vec![values];
    }
    let width: usize = columns.iter().sum();
    let rows = values.len() / width.max(1);
    let mut blocks: Vec<Vec<f32>> = columns
        .iter()
        .map(|columns| Vec::with_capacity(rows * columns))
        .collect();
    for mut row in values.chunks_exact(width.max(1)) {
        for (block, &columns) in blocks.iter_mut().zip(columns) {
            let (part, rest) = row.split_at(columns);
            block.extend_from_slice(part);
            row = rest;
        }
    }
    blocks
}

impl Linear {
    fn output_shape(input: &FlexTensor, d_output: usize) -> Vec<usize> {
        let mut shape = input.shape().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = d_output;
        }
        shape
    }
}

fn input_gradient(weights: &Weights, input: &FlexTensor, gradient: &[f32]) -> FlexTensor {
    let rhs = weights.pack_transposed();
    let mut output = vec![0.0; input.storage::<f32>().len()];
    let rows = output.len() / weights.d_input.max(1);
    let lhs = Matrix::new(gradient, weights.d_output());
    matmul_packed(lhs, rows, &rhs, &mut output, |_, _| ());
    tensor(output, input.shape())
}

fn weight_gradients(weights: &Weights, input: &[f32], gradient: &[f32]) -> Vec<FlexTensor> {
    let [d_input, d_output] = [weights.d_input, weights.d_output()];
    let rows = input.len() / d_input.max(1);
    let lhs = Matrix::new(input, d_input).transposed();
    let rhs = Matrix::new(gradient, d_output);
    let product = matmul(lhs, d_input, rhs, [rows, d_output]);
    let blocks = split_columns(product, &weights.d_outputs).into_iter();
    let blocks = blocks.zip(&weights.d_outputs);
    blocks
        .map(|(values, columns)| tensor(values, [d_input, *columns]))
        .collect()
}

fn bias_gradients(weights: &Weights, gradient: &[f32]) -> Vec<FlexTensor> {
    let sums = sum_rows(gradient, weights.d_output());
    let blocks = split_columns(sums, &weights.d_outputs).into_iter();
    let blocks = blocks.zip(&weights.d_outputs);
    blocks
        .map(|(values, columns)| tensor(values, [*columns]))
        .collect()
}

/// The gradients if any of them is needed.
fn if_needed(
    needs_grad: &[bool],
    gradients: impl FnOnce() -> Vec<FlexTensor>,
) -> Vec<Option<FlexTensor>> {
    if needs_grad.contains(&true) {
        gradients().into_iter().map(Some).collect()
    } else {
        vec![None; needs_grad.len()]
    }
}

impl Operation for Linear {
    fn forward(&self, inputs: Vec<FlexTensor>, saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let input = contiguous(&inputs[0]);
        let (weights, biases) = inputs[1..].split_at(self.n_weights);
        let weights = Weights::new(weights);
        let bias = concat(biases);
        let values = input.storage::<f32>();
        let rows = values.len() / weights.d_input.max(1);
        let columns = weights.d_output();
        let shape = Self::output_shape(&input, columns);
        let save_input = saved.is_some() && self.activation.saves_input();
        let output = weights.matmul(values, rows, |row, output| {
            if save_input {
                add_bias(output, &bias);
            } else {
                self.activation.apply(row * columns, output, columns, &bias);
            }
        });
        let output = tensor(output, shape);
        let Some(saved) = saved else { return output };
        if save_input {
            let activated = gelu_of(&output);
            saved.push(output);
            return activated;
        }
        if self.activation.saves_output() {
            saved.push(output.clone());
        }
        output
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let input = contiguous(&inputs[0]);
        let weights = Weights::new(&inputs[1..=self.n_weights]);
        let mut gradient = into_contiguous(gradient);
        if let Some(saved) = saved.first() {
            gradient = self.activation.backward(gradient, saved);
        }
        let gradient = gradient.storage::<f32>();
        let (needs_weights, needs_biases) = needs_grad[1..].split_at(self.n_weights);
        let mut outputs = vec![needs_grad[0].then(|| input_gradient(&weights, &input, gradient))];
        outputs.extend(if_needed(needs_weights, || {
            weight_gradients(&weights, input.storage(), gradient)
        }));
        outputs.extend(if_needed(needs_biases, || {
            bias_gradients(&weights, gradient)
        }));
        outputs
    }
}
