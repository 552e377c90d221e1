use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bool, Tensor};

use super::head::{KeyMask, Shape};
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::gemm::Matrix;
use crate::flex::parallel::{for_each_chunk, is_worth_threads, map_tasks, run_tasks};
use crate::flex::tensors::{contiguous, tensor};

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
        for_each_chunk(&mut output, queries * d_model, true, |index, output| {
            item(index, output, &mut []);
        });
    } else {
        let items = output.chunks_mut(queries * d_model).enumerate();
        let items = items.zip(log_sums.chunks_mut(shape.n_heads * queries));
        run_tasks(items, true, |((index, output), log_sums)| {
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
    let heads = map_tasks(0..shape.batch * shape.n_heads, true, |index| {
        let (item, index) = split(index);
        let mut output = vec![0.0; queries * d_head];
        let head = shape.head(item, views(item, index));
        head.forward(&mut output, d_head, None);
        output
    });
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
