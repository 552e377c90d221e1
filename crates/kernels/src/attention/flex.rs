use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bool, Tensor, TensorData};
use rayon::prelude::*;

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::gemm::{Matrix, Packed, Product, Right};
use crate::flex::parallel::is_worth_threads;
use crate::flex::scratch::Scratch;
use crate::flex::simd_math::{exp, largest_of, sum_of, vectorized};
use crate::flex::tensors::{contiguous, tensor};

/// Queries whose scores are in memory at a time.
const BLOCK: usize = 64;

/// Attention of packed queries, keys and values to each other.
pub(crate) fn self_attention(
    packed: Tensor<3>,
    heads: usize,
    ignored: Option<Tensor<2, Bool>>,
    causal: bool,
) -> Tensor<3> {
    let [batch, rows, width] = packed.dims();
    let operation = SelfAttention(Shape {
        batch,
        heads,
        rows,
        keys: rows,
        d_head: width / 3 / heads,
        ignored: ignored.map(|ignored| bias(&ignored.into_data(), batch)),
        causal,
    });
    apply(operation, Inputs::new(packed.into_dispatch(), vec![]))
}

/// Attention of the last rows to all before them and to themselves, without a gradient.
pub(crate) fn cached_attention(
    queries: Tensor<3>,
    [keys, values]: [Tensor<3>; 2],
    heads: usize,
) -> Tensor<3> {
    let [batch, rows, width] = queries.dims();
    let operation = CachedAttention(Shape {
        batch,
        heads,
        rows,
        keys: keys.dims()[1],
        d_head: width / heads,
        ignored: None,
        causal: true,
    });
    let others = vec![keys.into_dispatch(), values.into_dispatch()];
    apply(operation, Inputs::new(queries.into_dispatch(), others))
}

/// What is added to the scores of each key: nothing, or negative infinity.
#[derive(Clone, Debug)]
struct Bias {
    values: Vec<f32>,
    /// Keys of each item up to the last that is not ignored.
    lengths: Vec<usize>,
}

fn bias(ignored: &TensorData, batch: usize) -> Arc<Bias> {
    let ignored: Vec<bool> = ignored.iter::<bool>().collect();
    let keys = ignored.len() / batch.max(1);
    let length = |ignored: &[bool]| ignored.iter().rposition(|ignored| !ignored);
    let value = |ignored: &bool| if *ignored { f32::NEG_INFINITY } else { 0.0 };
    Arc::new(Bias {
        lengths: ignored
            .chunks(keys.max(1))
            .map(|ignored| length(ignored).map_or(0, |last| last + 1))
            .collect(),
        values: ignored.iter().map(value).collect(),
    })
}

#[derive(Clone, Debug)]
struct Shape {
    batch: usize,
    heads: usize,
    /// Queries of an item.
    rows: usize,
    /// Keys and values of an item.
    keys: usize,
    d_head: usize,
    ignored: Option<Arc<Bias>>,
    causal: bool,
}

/// One head of one item.
struct Head<'a> {
    shape: &'a Shape,
    queries: Matrix<'a>,
    keys: Matrix<'a>,
    values: Matrix<'a>,
    /// Keys that are looked at.
    length: usize,
    bias: Option<&'a [f32]>,
}

/// Some queries of a head, and the keys that they may look at.
#[derive(Clone, Copy)]
struct Block {
    start: usize,
    rows: usize,
    keys: usize,
}

impl Shape {
    fn width(&self) -> usize {
        self.heads * self.d_head
    }

    fn scale(&self) -> f32 {
        (self.d_head as f32).sqrt().recip()
    }

    /// Multiplications of one of the products of all heads.
    fn work(&self) -> usize {
        self.batch * self.rows * self.keys * self.width()
    }

    fn head<'a>(&'a self, item: usize, [queries, keys, values]: [Matrix<'a>; 3]) -> Head<'a> {
        let ignored = self.ignored.as_ref();
        Head {
            shape: self,
            queries,
            keys,
            values,
            length: ignored.map_or(self.keys, |bias| bias.lengths[item]),
            bias: ignored.map(|bias| &bias.values[item * self.keys..(item + 1) * self.keys]),
        }
    }
}

impl Head<'_> {
    fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        let rows = self.shape.rows;
        (0..rows).step_by(BLOCK).map(move |start| {
            let high = BLOCK.min(rows - start);
            Block {
                start,
                rows: high,
                keys: self.visible(start + high - 1),
            }
        })
    }

    /// Keys that a query may look at.
    fn visible(&self, query: usize) -> usize {
        if self.shape.causal {
            (self.shape.keys - self.shape.rows + query + 1).min(self.length)
        } else {
            self.length
        }
    }

    fn keys_across(&self) -> Packed {
        Packed::new(self.keys.transposed(), [self.shape.d_head, self.length])
    }

    fn values_across(&self) -> Packed {
        Packed::new(self.values.transposed(), [self.shape.d_head, self.length])
    }

    /// Products of queries and keys.
    fn scores(&self, block: Block, keys: &Packed, scores: &mut Scratch) {
        scores.set_len(block.rows * block.keys);
        Product {
            left: self.queries.from(block.start, 0),
            rows: block.rows,
            right: Right::Packed(keys),
            columns: block.keys,
            output: scores,
            stride: block.keys,
            add: false,
        }
        .run();
    }

    /// Each row of scores with the number of its query and of the keys that it may look at.
    fn lines<'a>(
        &'a self,
        block: Block,
        scores: &'a mut [f32],
    ) -> impl Iterator<Item = (usize, usize, &'a mut [f32])> {
        let queries = block.start..block.start + block.rows;
        let lines = scores.chunks_exact_mut(block.keys.max(1));
        queries
            .zip(lines)
            .map(|(query, line)| (query, self.visible(query), line))
    }

    /// Computes the head's columns of the output, and the logarithm of each query's sum.
    fn forward(&self, output: &mut [f32], stride: usize, mut sums: Option<&mut [f32]>) {
        let scale = self.shape.scale();
        let keys = self.keys_across();
        let mut scores = Scratch::new(0);
        for block in self.blocks() {
            self.scores(block, &keys, &mut scores);
            vectorized(
                #[inline(always)]
                || {
                    for (query, visible, line) in self.lines(block, &mut scores) {
                        let sum = softmax(line, visible, scale, self.bias);
                        if let Some(sums) = sums.as_deref_mut() {
                            sums[query] = sum;
                        }
                    }
                },
            );
            self.product(
                Matrix::new(&scores, block.keys),
                block,
                self.values,
                &mut output[block.start * stride..],
                stride,
            );
        }
    }

    /// Products of what is computed for each query and key with the rows of the keys or values.
    fn product(
        &self,
        left: Matrix<'_>,
        block: Block,
        right: Matrix<'_>,
        output: &mut [f32],
        stride: usize,
    ) {
        Product {
            left,
            rows: block.rows,
            right: Right::Rows {
                matrix: right,
                depth: block.keys,
            },
            columns: self.shape.d_head,
            output,
            stride,
            add: false,
        }
        .run();
    }

    /// Adds to the gradients of the keys or values what some queries give them.
    fn add_across(
        &self,
        left: &[f32],
        block: Block,
        right: Matrix<'_>,
        output: &mut [f32],
        stride: usize,
    ) {
        Product {
            left: Matrix::new(left, block.keys).transposed(),
            rows: block.keys,
            right: Right::Rows {
                matrix: right.from(block.start, 0),
                depth: block.rows,
            },
            columns: self.shape.d_head,
            output,
            stride,
            add: true,
        }
        .run();
    }

    /// Computes the head's columns of the gradients of queries, keys and values, which lie `width`
    /// apart and begin as zeros.
    fn backward(&self, gradient: Matrix<'_>, sums: &[f32], output: &mut [f32], width: usize) {
        let stride = 3 * width;
        let [keys, values] = [self.keys_across(), self.values_across()];
        let [mut scores, mut slopes] = [0, 0].map(Scratch::new);
        for block in self.blocks() {
            self.scores(block, &keys, &mut scores);
            let upstream = Head {
                queries: gradient,
                ..*self
            };
            upstream.scores(block, &values, &mut slopes);
            self.weights_and_slopes(block, &mut scores, &mut slopes, sums);
            let left = Matrix::new(&slopes, block.keys);
            let queries = &mut output[block.start * stride..];
            self.product(left, block, self.keys, queries, stride);
            let output = &mut output[width..];
            self.add_across(&slopes, block, self.queries, output, stride);
            let output = &mut output[width..];
            self.add_across(&scores, block, gradient, output, stride);
        }
    }

    /// Turns scores into weights, and the gradients of the weights into those of the scores.
    fn weights_and_slopes(
        &self,
        block: Block,
        scores: &mut [f32],
        slopes: &mut [f32],
        sums: &[f32],
    ) {
        let scale = self.shape.scale();
        vectorized(
            #[inline(always)]
            || {
                let lines = self.lines(block, scores);
                let slopes = slopes.chunks_exact_mut(block.keys.max(1));
                for ((query, visible, weights), slopes) in lines.zip(slopes) {
                    weigh(weights, visible, scale, self.bias, sums[query]);
                    let mean = sum_of(weights, slopes, |weight, slope| weight * slope);
                    for (slope, weight) in slopes.iter_mut().zip(weights) {
                        *slope = *weight * (*slope - mean) * scale;
                    }
                }
            },
        );
    }
}

/// Turns a row of scores into weights that add up to one, and returns the logarithm of the sum that
/// they were divided by. Without any key all are zero.
#[inline(always)]
fn softmax(line: &mut [f32], visible: usize, scale: f32, bias: Option<&[f32]>) -> f32 {
    let (line, hidden) = line.split_at_mut(visible.min(line.len()));
    hidden.fill(0.0);
    if let Some(bias) = bias {
        for (score, bias) in line.iter_mut().zip(bias) {
            *score += *bias;
        }
    }
    let largest = largest_of(line);
    if largest == f32::NEG_INFINITY {
        line.fill(0.0);
        return f32::INFINITY;
    }
    for score in line.iter_mut() {
        *score = exp((*score - largest) * scale);
    }
    let sum = sum_of(line, line, |weight, _| weight);
    let share = sum.recip();
    for weight in line {
        *weight *= share;
    }
    largest * scale + sum.ln()
}

/// The weights that [`softmax`] gave, from the logarithm that it returned.
#[inline(always)]
fn weigh(line: &mut [f32], visible: usize, scale: f32, bias: Option<&[f32]>, sum: f32) {
    let (line, hidden) = line.split_at_mut(visible.min(line.len()));
    hidden.fill(0.0);
    for score in line.iter_mut() {
        *score = exp(*score * scale - sum);
    }
    if let Some(bias) = bias {
        for (weight, bias) in line.iter_mut().zip(bias) {
            *weight = if *bias == 0.0 { *weight } else { 0.0 };
        }
    }
}

/// Computes all heads: each item on a thread, or each head where there are few items.
fn forward_all<'a>(
    shape: &'a Shape,
    views: impl Fn(usize, usize) -> [Matrix<'a>; 3] + Sync,
    sums: &mut [f32],
) -> Vec<f32> {
    let (rows, width, d_head) = (shape.rows, shape.width(), shape.d_head);
    let mut output = vec![0.0; shape.batch * rows * width];
    if output.is_empty() {
        return output;
    }
    let item = |item: usize, output: &mut [f32], sums: &mut [f32]| {
        let mut sums = sums.chunks_mut(rows);
        for index in 0..shape.heads {
            let head = shape.head(item, views(item, index));
            head.forward(&mut output[index * d_head..], width, sums.next());
        }
    };
    if !is_worth_threads(shape.work()) {
        let mut sums = sums.chunks_mut(shape.heads * rows);
        for (index, output) in output.chunks_mut(rows * width).enumerate() {
            item(index, output, sums.next().unwrap_or_default());
        }
    } else if sums.is_empty() && shape.batch < rayon::current_num_threads() {
        let heads: Vec<Vec<f32>> = (0..shape.batch * shape.heads)
            .into_par_iter()
            .map(|index| {
                let (item, index) = (index / shape.heads, index % shape.heads);
                let mut output = vec![0.0; rows * d_head];
                let head = shape.head(item, views(item, index));
                head.forward(&mut output, d_head, None);
                output
            })
            .collect();
        for (index, head) in heads.iter().enumerate() {
            let (item, index) = (index / shape.heads, index % shape.heads);
            let output = &mut output[item * rows * width + index * d_head..];
            for (line, head) in output.chunks_mut(width).zip(head.chunks(d_head)) {
                line[..d_head].copy_from_slice(head);
            }
        }
    } else if sums.is_empty() {
        let items = output.par_chunks_mut(rows * width).enumerate();
        items.for_each(|(index, output)| {
            item(index, output, &mut []);
        });
    } else {
        let items = output.par_chunks_mut(rows * width).enumerate();
        let items = items.zip(sums.par_chunks_mut(shape.heads * rows));
        items.for_each(|((index, output), sums)| {
            item(index, output, sums);
        });
    }
    output
}

/// Input: queries, keys and values side by side.
#[derive(Debug)]
struct SelfAttention(Shape);

impl SelfAttention {
    fn views<'a>(&self, packed: &'a [f32], item: usize, head: usize) -> [Matrix<'a>; 3] {
        let width = self.0.width();
        let packed = &packed[item * self.0.rows * 3 * width..];
        [0, 1, 2].map(|part| {
            let first = part * width + head * self.0.d_head;
            Matrix::strided(&packed[first..], 3 * width)
        })
    }
}

impl Operation for SelfAttention {
    fn forward(&self, inputs: Vec<FlexTensor>, saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let packed = contiguous(&inputs[0]);
        let values = packed.storage::<f32>();
        let shape = &self.0;
        let sums_shape = [shape.batch, shape.heads, shape.rows];
        let count = saved.as_ref().map_or(0, |_| sums_shape.iter().product());
        let mut sums = vec![0.0; count];
        let views = |item, head| self.views(values, item, head);
        let output = forward_all(shape, views, &mut sums);
        if let Some(saved) = saved {
            saved.push(tensor(sums, sums_shape));
        }
        tensor(output, [shape.batch, shape.rows, shape.width()])
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        _wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let [packed, gradient] = [&inputs[0], &gradient].map(contiguous);
        let sums = saved[0].storage::<f32>();
        let (values, gradient) = (packed.storage::<f32>(), gradient.storage::<f32>());
        let shape = &self.0;
        let (rows, width) = (shape.rows, shape.width());
        let mut output = vec![0.0; values.len()];
        let item = |(item, output): (usize, &mut [f32])| {
            for index in 0..shape.heads {
                let first = index * shape.d_head;
                let head = shape.head(item, self.views(values, item, index));
                let gradient = Matrix::strided(&gradient[item * rows * width + first..], width);
                let sums = &sums[(item * shape.heads + index) * rows..][..rows];
                head.backward(gradient, sums, &mut output[first..], width);
            }
        };
        if output.is_empty() {
        } else if is_worth_threads(2 * shape.work()) {
            let items = output.par_chunks_mut(rows * 3 * width).enumerate();
            items.for_each(item);
        } else {
            let items = output.chunks_mut(rows * 3 * width).enumerate();
            items.for_each(item);
        }
        vec![Some(tensor(output, packed.shape()))]
    }
}

/// Inputs: queries, keys and values; the latter may be views.
#[derive(Debug)]
struct CachedAttention(Shape);

/// The columns of a head of a tensor `[batch, rows, width]` whose columns lie side by side.
fn view(tensor: &FlexTensor, item: usize, first: usize) -> Matrix<'_> {
    let layout = tensor.layout();
    let [batch, row, _] = [0, 1, 2].map(|axis| layout.strides()[axis].unsigned_abs());
    let start = layout.start_offset() + item * batch + first;
    let values = tensor.storage::<f32>();
    Matrix::strided(&values[start.min(values.len())..], row)
}

fn side_by_side(tensor: &FlexTensor) -> FlexTensor {
    match tensor.layout().strides() {
        &[batch, row, 1] if batch >= 0 && row >= 0 => tensor.clone(),
        _ => tensor.to_contiguous(),
    }
}

impl Operation for CachedAttention {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let shape = &self.0;
        let [queries, keys, values] = [0, 1, 2].map(|index| side_by_side(&inputs[index]));
        let views = |item, head| {
            let first = head * shape.d_head;
            [&queries, &keys, &values].map(|part| view(part, item, first))
        };
        let output = forward_all(shape, views, &mut []);
        tensor(output, [shape.batch, shape.rows, shape.width()])
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        _gradient: FlexTensor,
        _wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        // Whoever calls it has checked that there is no gradient.
        inputs.iter().map(|_| None).collect()
    }
}
