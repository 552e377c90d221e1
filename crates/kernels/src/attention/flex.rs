use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bool, Tensor, TensorData};
use rayon::prelude::*;

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::gemm::{Gemm, Matrix, PackedRhs, Rhs};
use crate::flex::parallel::{for_each_chunk, is_worth_threads};
use crate::flex::scratch::Scratch;
use crate::flex::simd_math::{exp, max, sum_pairs, vectorized};
use crate::flex::tensors::{contiguous, tensor};

/// Queries per block: their scores are in memory at a time.
const BLOCK_QUERIES: usize = 64;

pub(super) fn self_attention(
    qkv: Tensor<3>,
    n_heads: usize,
    key_padding_mask: Option<Tensor<2, Bool>>,
    causal: bool,
) -> Tensor<3> {
    let [batch, seq, width] = qkv.dims();
    let operation = SelfAttention(Shape {
        batch,
        n_heads,
        queries: seq,
        keys: seq,
        d_head: width / 3 / n_heads,
        mask: key_padding_mask.map(|mask| KeyMask::new(&mask.into_data(), batch)),
        causal,
    });
    apply(operation, Inputs::new(qkv.into_dispatch(), vec![]))
}

pub(super) fn cached_attention(
    queries: Tensor<3>,
    [keys, values]: [Tensor<3>; 2],
    n_heads: usize,
) -> Tensor<3> {
    let [batch, n_queries, width] = queries.dims();
    let operation = CachedAttention(Shape {
        batch,
        n_heads,
        queries: n_queries,
        keys: keys.dims()[1],
        d_head: width / n_heads,
        mask: None,
        causal: true,
    });
    let others = vec![keys.into_dispatch(), values.into_dispatch()];
    apply(operation, Inputs::new(queries.into_dispatch(), others))
}

/// A key padding mask.
#[derive(Debug)]
struct KeyMask {
    /// Added to the scores: 0, or negative infinity for padding.
    bias: Vec<f32>,
    /// Number of keys of each item without trailing padding.
    lengths: Vec<usize>,
}

impl KeyMask {
    fn new(mask: &TensorData, batch: usize) -> Self {
        let mask: Vec<bool> = mask.iter::<bool>().collect();
        let keys = mask.len() / batch.max(1);
        let last_key = |mask: &[bool]| mask.iter().rposition(|masked| !masked);
        let bias = |masked: &bool| if *masked { f32::NEG_INFINITY } else { 0.0 };
        Self {
            lengths: mask
                .chunks(keys.max(1))
                .map(|mask| last_key(mask).map_or(0, |last| last + 1))
                .collect(),
            bias: mask.iter().map(bias).collect(),
        }
    }
}

#[derive(Debug)]
struct Shape {
    batch: usize,
    n_heads: usize,
    /// Queries per item.
    queries: usize,
    /// Keys per item.
    keys: usize,
    d_head: usize,
    mask: Option<KeyMask>,
    causal: bool,
}

/// One head of one item.
struct Head<'a> {
    shape: &'a Shape,
    queries: Matrix<'a>,
    keys: Matrix<'a>,
    values: Matrix<'a>,
    /// Number of keys without trailing padding.
    length: usize,
    bias: Option<&'a [f32]>,
}

/// Some queries of a head, with the keys they can attend to.
#[derive(Clone, Copy)]
struct Block {
    start: usize,
    queries: usize,
    keys: usize,
}

impl Shape {
    fn d_model(&self) -> usize {
        self.n_heads * self.d_head
    }

    fn scale(&self) -> f32 {
        (self.d_head as f32).sqrt().recip()
    }

    /// Multiply-adds of one matrix product over all heads.
    fn cost(&self) -> usize {
        self.batch * self.queries * self.keys * self.d_model()
    }

    fn head<'a>(&'a self, item: usize, [queries, keys, values]: [Matrix<'a>; 3]) -> Head<'a> {
        let mask = self.mask.as_ref();
        Head {
            shape: self,
            queries,
            keys,
            values,
            length: mask.map_or(self.keys, |mask| mask.lengths[item]),
            bias: mask.map(|mask| &mask.bias[item * self.keys..(item + 1) * self.keys]),
        }
    }
}

impl Head<'_> {
    fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        let total = self.shape.queries;
        (0..total).step_by(BLOCK_QUERIES).map(move |start| {
            let queries = BLOCK_QUERIES.min(total - start);
            Block {
                start,
                queries,
                keys: self.visible_keys(start + queries - 1),
            }
        })
    }

    /// Number of keys that a query can attend to, apart from padding.
    fn visible_keys(&self, query: usize) -> usize {
        if self.shape.causal {
            (self.shape.keys - self.shape.queries + query + 1).min(self.length)
        } else {
            self.length
        }
    }

    fn packed_keys(&self) -> PackedRhs {
        PackedRhs::new(self.keys.transposed(), [self.shape.d_head, self.length])
    }

    fn packed_values(&self) -> PackedRhs {
        PackedRhs::new(self.values.transposed(), [self.shape.d_head, self.length])
    }

    /// Dot products of queries and keys.
    fn scores(&self, block: Block, keys: &PackedRhs, scores: &mut Scratch) {
        scores.set_len(block.queries * block.keys);
        Gemm {
            lhs: self.queries.from(block.start, 0),
            rows: block.queries,
            rhs: Rhs::Packed(keys),
            columns: block.keys,
            output: scores,
            stride: block.keys,
            accumulate: false,
        }
        .run();
    }

    /// Each row of scores with the index of its query and the number of its visible keys.
    fn rows<'a>(
        &'a self,
        block: Block,
        scores: &'a mut [f32],
    ) -> impl Iterator<Item = (usize, usize, &'a mut [f32])> {
        let queries = block.start..block.start + block.queries;
        let rows = scores.chunks_exact_mut(block.keys.max(1));
        queries
            .zip(rows)
            .map(|(query, row)| (query, self.visible_keys(query), row))
    }

    /// Computes the head's columns of the output and the log-sum-exp of each query's scores.
    fn forward(&self, output: &mut [f32], stride: usize, mut log_sums: Option<&mut [f32]>) {
        let scale = self.shape.scale();
        let keys = self.packed_keys();
        let mut scores = Scratch::new(0);
        for block in self.blocks() {
            self.scores(block, &keys, &mut scores);
            vectorized(
                #[inline(always)]
                || {
                    for (query, visible, row) in self.rows(block, &mut scores) {
                        let log_sum = softmax(row, visible, scale, self.bias);
                        if let Some(log_sums) = log_sums.as_deref_mut() {
                            log_sums[query] = log_sum;
                        }
                    }
                },
            );
            self.matmul(
                Matrix::new(&scores, block.keys),
                block,
                self.values,
                &mut output[block.start * stride..],
                stride,
            );
        }
    }

    /// Product of a `[queries, keys]` matrix with the keys or values.
    fn matmul(
        &self,
        lhs: Matrix<'_>,
        block: Block,
        rhs: Matrix<'_>,
        output: &mut [f32],
        stride: usize,
    ) {
        Gemm {
            lhs,
            rows: block.queries,
            rhs: Rhs::Strided {
                matrix: rhs,
                depth: block.keys,
            },
            columns: self.shape.d_head,
            output,
            stride,
            accumulate: false,
        }
        .run();
    }

    /// Adds the contribution of a block of queries to the gradient of the keys or values.
    fn add_transposed_matmul(
        &self,
        lhs: &[f32],
        block: Block,
        rhs: Matrix<'_>,
        output: &mut [f32],
        stride: usize,
    ) {
        Gemm {
            lhs: Matrix::new(lhs, block.keys).transposed(),
            rows: block.keys,
            rhs: Rhs::Strided {
                matrix: rhs.from(block.start, 0),
                depth: block.queries,
            },
            columns: self.shape.d_head,
            output,
            stride,
            accumulate: true,
        }
        .run();
    }

    /// Computes the head's columns of the gradients of queries, keys and values, which are `d_model`
    /// columns apart and initially zero.
    fn backward(&self, gradient: Matrix<'_>, log_sums: &[f32], output: &mut [f32], d_model: usize) {
        let stride = 3 * d_model;
        let [keys, values] = [self.packed_keys(), self.packed_values()];
        let [mut scores, mut gradients] = [0, 0].map(Scratch::new);
        for block in self.blocks() {
            self.scores(block, &keys, &mut scores);
            let upstream = Head {
                queries: gradient,
                ..*self
            };
            upstream.scores(block, &values, &mut gradients);
            self.softmax_backward(block, &mut scores, &mut gradients, log_sums);
            let lhs = Matrix::new(&gradients, block.keys);
            let queries = &mut output[block.start * stride..];
            self.matmul(lhs, block, self.keys, queries, stride);
            let output = &mut output[d_model..];
            self.add_transposed_matmul(&gradients, block, self.queries, output, stride);
            let output = &mut output[d_model..];
            self.add_transposed_matmul(&scores, block, gradient, output, stride);
        }
    }

    /// Replaces scores by attention weights, and gradients of the weights by those of the scores.
    fn softmax_backward(
        &self,
        block: Block,
        scores: &mut [f32],
        gradients: &mut [f32],
        log_sums: &[f32],
    ) {
        let scale = self.shape.scale();
        vectorized(
            #[inline(always)]
            || {
                let rows = self.rows(block, scores);
                let gradients = gradients.chunks_exact_mut(block.keys.max(1));
                for ((query, visible, weights), gradients) in rows.zip(gradients) {
                    softmax_again(weights, visible, scale, self.bias, log_sums[query]);
                    let mean = sum_pairs(weights, gradients, |weight, gradient| weight * gradient);
                    for (gradient, weight) in gradients.iter_mut().zip(weights) {
                        *gradient = *weight * (*gradient - mean) * scale;
                    }
                }
            },
        );
    }
}

/// Softmax of a row of scores in place; returns their log-sum-exp. Without any key, the weights are 0.
#[inline(always)]
fn softmax(row: &mut [f32], visible: usize, scale: f32, bias: Option<&[f32]>) -> f32 {
    let (row, hidden) = row.split_at_mut(visible.min(row.len()));
    hidden.fill(0.0);
    if let Some(bias) = bias {
        for (score, bias) in row.iter_mut().zip(bias) {
            *score += *bias;
        }
    }
    let largest = max(row);
    if largest == f32::NEG_INFINITY {
        row.fill(0.0);
        return f32::INFINITY;
    }
    for score in row.iter_mut() {
        *score = exp((*score - largest) * scale);
    }
    let sum = sum_pairs(row, row, |weight, _| weight);
    let reciprocal = sum.recip();
    for weight in row {
        *weight *= reciprocal;
    }
    largest * scale + sum.ln()
}

/// The weights of [`softmax`], from the log-sum-exp that it returned.
#[inline(always)]
fn softmax_again(row: &mut [f32], visible: usize, scale: f32, bias: Option<&[f32]>, log_sum: f32) {
    let (row, hidden) = row.split_at_mut(visible.min(row.len()));
    hidden.fill(0.0);
    for score in row.iter_mut() {
        *score = exp(*score * scale - log_sum);
    }
    if let Some(bias) = bias {
        for (weight, bias) in row.iter_mut().zip(bias) {
            *weight = if *bias == 0.0 { *weight } else { 0.0 };
        }
    }
}

/// Computes all heads, in parallel over items or, if there are few, over heads.
fn forward_all<'a>(
    shape: &'a Shape,
    views: impl Fn(usize, usize) -> [Matrix<'a>; 3] + Sync,
    log_sums: &mut [f32],
) -> Vec<f32> {
    let (queries, d_model, d_head) = (shape.queries, shape.d_model(), shape.d_head);
    let mut output = vec![0.0; shape.batch * queries * d_model];
    if output.is_empty() {
        return output;
    }
    let item = |item: usize, output: &mut [f32], log_sums: &mut [f32]| {
        let mut log_sums = log_sums.chunks_mut(queries);
        for index in 0..shape.n_heads {
            let head = shape.head(item, views(item, index));
            head.forward(&mut output[index * d_head..], d_model, log_sums.next());
        }
    };
    if !is_worth_threads(shape.cost()) {
        let mut log_sums = log_sums.chunks_mut(shape.n_heads * queries);
        for (index, output) in output.chunks_mut(queries * d_model).enumerate() {
            item(index, output, log_sums.next().unwrap_or_default());
        }
    } else if log_sums.is_empty() && shape.batch < rayon::current_num_threads() {
        forward_heads(shape, views, &mut output);
    } else if log_sums.is_empty() {
        let items = output.par_chunks_mut(queries * d_model).enumerate();
        items.for_each(|(index, output)| {
            item(index, output, &mut []);
        });
    } else {
        let items = output.par_chunks_mut(queries * d_model).enumerate();
        let items = items.zip(log_sums.par_chunks_mut(shape.n_heads * queries));
        items.for_each(|((index, output), log_sums)| {
            item(index, output, log_sums);
        });
    }
    output
}

/// Computes all heads in parallel, without what the backward pass needs.
fn forward_heads<'a>(
    shape: &'a Shape,
    views: impl Fn(usize, usize) -> [Matrix<'a>; 3] + Sync,
    output: &mut [f32],
) {
    let (queries, d_model, d_head) = (shape.queries, shape.d_model(), shape.d_head);
    let split = |index: usize| (index / shape.n_heads, index % shape.n_heads);
    let heads: Vec<Vec<f32>> = (0..shape.batch * shape.n_heads)
        .into_par_iter()
        .map(|index| {
            let (item, index) = split(index);
            let mut output = vec![0.0; queries * d_head];
            let head = shape.head(item, views(item, index));
            head.forward(&mut output, d_head, None);
            output
        })
        .collect();
    for (index, head) in heads.iter().enumerate() {
        let (item, index) = split(index);
        let output = &mut output[item * queries * d_model + index * d_head..];
        for (row, head) in output.chunks_mut(d_model).zip(head.chunks(d_head)) {
            row[..d_head].copy_from_slice(head);
        }
    }
}

/// Input: the concatenated queries, keys and values.
#[derive(Debug)]
struct SelfAttention(Shape);

impl SelfAttention {
    fn views<'a>(&self, qkv: &'a [f32], item: usize, head: usize) -> [Matrix<'a>; 3] {
        let d_model = self.0.d_model();
        let qkv = &qkv[item * self.0.queries * 3 * d_model..];
        [0, 1, 2].map(|index| {
            let first = index * d_model + head * self.0.d_head;
            Matrix::strided(&qkv[first..], 3 * d_model)
        })
    }
}

impl Operation for SelfAttention {
    fn forward(&self, inputs: Vec<FlexTensor>, saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let qkv = contiguous(&inputs[0]);
        let values = qkv.storage::<f32>();
        let shape = &self.0;
        let log_sums_shape = [shape.batch, shape.n_heads, shape.queries];
        let count = saved
            .as_ref()
            .map_or(0, |_| log_sums_shape.iter().product());
        let mut log_sums = vec![0.0; count];
        let views = |item, head| self.views(values, item, head);
        let output = forward_all(shape, views, &mut log_sums);
        if let Some(saved) = saved {
            saved.push(tensor(log_sums, log_sums_shape));
        }
        tensor(output, [shape.batch, shape.queries, shape.d_model()])
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let [qkv, gradient] = [&inputs[0], &gradient].map(contiguous);
        let log_sums = saved[0].storage::<f32>();
        let (values, gradient) = (qkv.storage::<f32>(), gradient.storage::<f32>());
        let shape = &self.0;
        let (queries, d_model) = (shape.queries, shape.d_model());
        let mut output = vec![0.0; values.len()];
        let parallel = is_worth_threads(2 * shape.cost());
        let item_len = (queries * 3 * d_model).max(1);
        for_each_chunk(&mut output, item_len, parallel, |item, output| {
            for index in 0..shape.n_heads {
                let first = index * shape.d_head;
                let head = shape.head(item, self.views(values, item, index));
                let gradient =
                    Matrix::strided(&gradient[item * queries * d_model + first..], d_model);
                let log_sums = &log_sums[(item * shape.n_heads + index) * queries..][..queries];
                head.backward(gradient, log_sums, &mut output[first..], d_model);
            }
        });
        vec![Some(tensor(output, qkv.shape()))]
    }
}

/// Inputs: queries, keys and values; keys and values may be views.
#[derive(Debug)]
struct CachedAttention(Shape);

/// One head of one item of a `[batch, seq, d_model]` tensor with adjacent columns.
fn head_view(tensor: &FlexTensor, item: usize, first: usize) -> Matrix<'_> {
    let layout = tensor.layout();
    let [batch, row, _] = [0, 1, 2].map(|axis| layout.strides()[axis].unsigned_abs());
    let start = layout.start_offset() + item * batch + first;
    let values = tensor.storage::<f32>();
    Matrix::strided(&values[start.min(values.len())..], row)
}

/// The tensor with adjacent columns; copied only if they are not.
fn with_adjacent_columns(tensor: &FlexTensor) -> FlexTensor {
    match tensor.layout().strides() {
        &[batch, row, 1] if batch >= 0 && row >= 0 => tensor.clone(),
        _ => tensor.to_contiguous(),
    }
}

impl Operation for CachedAttention {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let shape = &self.0;
        let inputs = [0, 1, 2].map(|index| with_adjacent_columns(&inputs[index]));
        let views = |item, head| {
            let first = head * shape.d_head;
            inputs.each_ref().map(|input| head_view(input, item, first))
        };
        let output = forward_all(shape, views, &mut []);
        tensor(output, [shape.batch, shape.queries, shape.d_model()])
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        _gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        // Called for untracked tensors only.
        inputs.iter().map(|_| None).collect()
    }
}
