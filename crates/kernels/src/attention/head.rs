//! Attention of one head, a block of queries at a time.

use burn::tensor::TensorData;

use crate::flex::gemm::{Gemm, Matrix, PackedRhs, Rhs};
use crate::flex::scratch::Scratch;
use crate::flex::simd_math::{exp, max, sum_pairs, vectorized};

/// Queries per block: their scores are in memory at a time.
const BLOCK_QUERIES: usize = 64;

/// A key padding mask.
#[derive(Debug)]
pub(super) struct KeyMask {
    /// Added to the scores: 0, or negative infinity for padding.
    bias: Vec<f32>,
    /// Number of keys of each item without trailing padding.
    lengths: Vec<usize>,
}

impl KeyMask {
    pub(super) fn new(mask: &TensorData, batch: usize) -> Self {
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

/// Shapes of the inputs, and the masks.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) batch: usize,
    pub(super) n_heads: usize,
    /// Queries per item.
    pub(super) queries: usize,
    /// Keys per item.
    pub(super) keys: usize,
    pub(super) d_head: usize,
    pub(super) mask: Option<KeyMask>,
    pub(super) causal: bool,
}

/// One head of one item.
pub(super) struct Head<'a> {
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
    pub(super) fn d_model(&self) -> usize {
        self.n_heads * self.d_head
    }

    fn scale(&self) -> f32 {
        (self.d_head as f32).sqrt().recip()
    }

    /// Multiply-adds of one matrix product over all heads.
    pub(super) fn cost(&self) -> usize {
        self.batch * self.queries * self.keys * self.d_model()
    }

    pub(super) fn head<'a>(
        &'a self,
        item: usize,
        [queries, keys, values]: [Matrix<'a>; 3],
    ) -> Head<'a> {
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
    pub(super) fn forward(
        &self,
        output: &mut [f32],
        stride: usize,
        mut log_sums: Option<&mut [f32]>,
    ) {
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
    pub(super) fn backward(
        &self,
        gradient: Matrix<'_>,
        log_sums: &[f32],
        output: &mut [f32],
        d_model: usize,
    ) {
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
