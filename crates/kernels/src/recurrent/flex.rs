use std::marker::PhantomData;
use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bool, Tensor};

use super::cells::{Cell, Gru, Lstm};
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::bias::sum_rows;
use crate::flex::gemm::{Gemm, Matrix, PackedRhs, Rhs, matmul};
use crate::flex::parallel::{is_worth_threads, run_tasks};
use crate::flex::scratch::Scratch;
use crate::flex::simd_math::vectorized;
use crate::flex::tensors::{contiguous, matrix, tensor, with_positive_strides};

pub(super) fn lstm(
    gates: Tensor<3>,
    weight: Tensor<2>,
    padding_mask: Option<Tensor<2, Bool>>,
    reverse: bool,
) -> Tensor<3> {
    let operation = Recurrent::<Lstm>::new(padding_mask, reverse);
    let others = vec![weight.into_dispatch()];
    apply(operation, Inputs::new(gates.into_dispatch(), others))
}

pub(super) fn gru(
    gates: Tensor<3>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    padding_mask: Option<Tensor<2, Bool>>,
    reverse: bool,
) -> Tensor<3> {
    let operation = Recurrent::<Gru>::new(padding_mask, reverse);
    let others = vec![weight.into_dispatch(), bias.into_dispatch()];
    apply(operation, Inputs::new(gates.into_dispatch(), others))
}

/// Inputs: the projected input, the recurrent weight and, for GRU, the recurrent bias.
#[derive(Debug)]
struct Recurrent<C> {
    /// `[batch, seq]`
    padding_mask: Option<Arc<[bool]>>,
    reverse: bool,
    cell: PhantomData<C>,
}

#[derive(Clone, Copy)]
struct Shape {
    batch: usize,
    seq: usize,
    d_hidden: usize,
}

impl Shape {
    /// Sequences per task.
    fn group_size(self, gates: usize) -> usize {
        if is_worth_threads(self.batch * self.seq * self.d_hidden * self.d_hidden * gates) {
            self.batch.div_ceil(rayon::current_num_threads())
        } else {
            self.batch
        }
    }

    /// Elements per task of a `[batch, seq, vectors * d_hidden]` tensor.
    fn group_len(self, gates: usize, vectors: usize) -> usize {
        self.group_size(gates) * self.seq * self.d_hidden * vectors
    }
}

/// The sequences of a task and what it writes in the forward pass. The slices for the backward pass
/// are empty without gradients.
struct ForwardGroup<'a> {
    /// Index of the first sequence.
    first: usize,
    output: &'a mut [f32],
    saved: &'a mut [f32],
    previous: &'a mut [f32],
}

/// The sequences of a task and what it writes in the backward pass.
struct BackwardGroup<'a> {
    /// Index of the first sequence.
    first: usize,
    gates: &'a mut [f32],
    /// Empty without separate gradients.
    recurrent: &'a mut [f32],
}

/// Runs the tasks on several threads if there is more than one.
fn for_each_group<G: Send>(groups: Vec<G>, run: impl Fn(G) + Send + Sync) {
    run_tasks(groups.into_iter(), true, run);
}

impl<C: Cell> Recurrent<C> {
    fn new(padding_mask: Option<Tensor<2, Bool>>, reverse: bool) -> Self {
        let padding_mask = padding_mask.map(|mask| mask.into_data().iter::<bool>().collect());
        Self {
            padding_mask,
            reverse,
            cell: PhantomData,
        }
    }

    fn shape(gates: &FlexTensor) -> Shape {
        let [batch, seq, width] = gates.shape().dims();
        let d_hidden = width / C::GATES;
        Shape {
            batch,
            seq,
            d_hidden,
        }
    }

    fn is_padding(&self, index: usize) -> bool {
        let mask = self.padding_mask.as_ref();
        mask.is_some_and(|mask| mask[index])
    }

    /// Steps in the order of the forward pass, or of the backward pass.
    fn steps(&self, seq: usize, backward: bool) -> impl Iterator<Item = usize> {
        let reverse = self.reverse != backward;
        (0..seq).map(move |index| if reverse { seq - 1 - index } else { index })
    }

    fn forward_group(
        &self,
        gates: &[f32],
        weight: &PackedRhs,
        bias: &[f32],
        mut group: ForwardGroup<'_>,
        shape: Shape,
    ) {
        let Shape { seq, d_hidden, .. } = shape;
        let width = C::GATES * d_hidden;
        let count = group.output.len() / (seq * d_hidden);
        let [mut states, mut cells] = [0, 1].map(|_| Scratch::new(count * d_hidden));
        let mut recurrent = Scratch::new(count * width);
        let mut unused = Scratch::new(C::SAVED * d_hidden);
        states.fill(0.0);
        cells.fill(0.0);
        for step in self.steps(seq, false) {
            Gemm {
                lhs: Matrix::new(&states, d_hidden),
                rows: count,
                rhs: Rhs::Packed(weight),
                columns: width,
                output: &mut recurrent,
                stride: width,
                accumulate: false,
            }
            .run();
            let vectors = [&mut *states, &mut *cells, &mut *recurrent, &mut *unused];
            self.forward_step(step, gates, bias, vectors, &mut group, shape);
        }
    }

    /// Applies the cell to one step of each sequence of a group.
    fn forward_step(
        &self,
        step: usize,
        gates: &[f32],
        bias: &[f32],
        [states, cells, recurrent, unused]: [&mut [f32]; 4],
        group: &mut ForwardGroup<'_>,
        Shape {
            seq, d_hidden: d, ..
        }: Shape,
    ) {
        let width = C::GATES * d;
        let save = !group.saved.is_empty();
        vectorized(
            #[inline(always)]
            || {
                for (item, state) in states.chunks_exact_mut(d).enumerate() {
                    let local = item * seq + step;
                    let global = (group.first + item) * seq + step;
                    if !self.is_padding(global) {
                        let gates = &gates[global * width..];
                        let recurrent = &mut recurrent[item * width..(item + 1) * width];
                        for (recurrent, bias) in recurrent.iter_mut().zip(bias) {
                            *recurrent += *bias;
                        }
                        let saved = if save {
                            group.previous[local * d..(local + 1) * d].copy_from_slice(state);
                            &mut group.saved[local * C::SAVED * d..(local + 1) * C::SAVED * d]
                        } else {
                            &mut *unused
                        };
                        let cell = &mut cells[item * d..(item + 1) * d];
                        C::forward(&gates[..width], recurrent, state, cell, saved);
                    }
                    group.output[local * d..(local + 1) * d].copy_from_slice(state);
                }
            },
        );
    }

    /// Computes the gradients of the input projection and of the recurrent projection.
    fn backward_group(
        &self,
        gradient: &[f32],
        saved: [&[f32]; 2],
        weight: &PackedRhs,
        mut group: BackwardGroup<'_>,
        shape: Shape,
    ) {
        let Shape { seq, d_hidden, .. } = shape;
        let width = C::GATES * d_hidden;
        let count = group.gates.len() / (seq * width);
        let [mut states, mut cells] = [0, 1].map(|_| Scratch::new(count * d_hidden));
        let mut slopes = Scratch::new(count * width);
        states.fill(0.0);
        cells.fill(0.0);
        for step in self.steps(seq, true) {
            let vectors = [&mut *states, &mut *cells, &mut *slopes];
            self.backward_step(step, gradient, saved, vectors, &mut group, shape);
            Gemm {
                lhs: Matrix::new(&slopes, width),
                rows: count,
                rhs: Rhs::Packed(weight),
                columns: d_hidden,
                output: &mut states,
                stride: d_hidden,
                accumulate: true,
            }
            .run();
        }
    }

    /// Backward pass of the cell at one step of each sequence of a group.
    fn backward_step(
        &self,
        step: usize,
        gradient: &[f32],
        [saved, previous]: [&[f32]; 2],
        [states, cells, slopes]: [&mut [f32]; 3],
        group: &mut BackwardGroup<'_>,
        Shape {
            seq, d_hidden: d, ..
        }: Shape,
    ) {
        let width = C::GATES * d;
        vectorized(
            #[inline(always)]
            || {
                for (item, state) in states.chunks_exact_mut(d).enumerate() {
                    let local = item * seq + step;
                    let global = (group.first + item) * seq + step;
                    let upstream = &gradient[global * d..(global + 1) * d];
                    for (state, upstream) in state.iter_mut().zip(upstream) {
                        *state += *upstream;
                    }
                    let gates = &mut group.gates[local * width..(local + 1) * width];
                    let slopes = &mut slopes[item * width..(item + 1) * width];
                    if self.is_padding(global) {
                        slopes.fill(0.0);
                        continue;
                    }
                    let saved = &saved[global * C::SAVED * d..(global + 1) * C::SAVED * d];
                    let previous = &previous[global * d..(global + 1) * d];
                    let cell = &mut cells[item * d..(item + 1) * d];
                    C::backward(saved, previous, state, cell, gates, slopes);
                    if C::SEPARATE_GRADIENTS {
                        group.recurrent[local * width..(local + 1) * width].copy_from_slice(slopes);
                    } else {
                        slopes.copy_from_slice(gates);
                    }
                }
            },
        );
    }

    /// Gradients of the input projection and, if they differ, of the recurrent projection.
    fn projection_gradients(
        &self,
        gradient: &[f32],
        saved: [&[f32]; 2],
        weight: &FlexTensor,
        shape: Shape,
    ) -> [Vec<f32>; 2] {
        let Shape {
            batch,
            seq,
            d_hidden,
        } = shape;
        let width = C::GATES * d_hidden;
        let weight = with_positive_strides(weight);
        let weight = PackedRhs::new(matrix(&weight).transposed(), [width, d_hidden]);
        let mut gates = vec![0.0; batch * seq * width];
        let mut recurrent = vec![
            0.0;
            if C::SEPARATE_GRADIENTS {
                gates.len()
            } else {
                0
            }
        ];
        if !gates.is_empty() {
            let len = shape.group_len(C::GATES, C::GATES);
            let mut rest = recurrent.chunks_mut(len);
            let groups = gates.chunks_mut(len).enumerate();
            let groups = groups.map(|(index, gates)| BackwardGroup {
                first: index * shape.group_size(C::GATES),
                gates,
                recurrent: rest.next().unwrap_or_default(),
            });
            for_each_group(groups.collect(), |group| {
                self.backward_group(gradient, saved, &weight, group, shape);
            });
        }
        [gates, recurrent]
    }
}

impl<C: Cell> Operation for Recurrent<C> {
    fn forward(&self, inputs: Vec<FlexTensor>, saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let gates = contiguous(&inputs[0]);
        let weight = with_positive_strides(&inputs[1]);
        let bias = inputs.get(2).map(contiguous);
        let bias = bias.as_ref().map_or(&[][..], |bias| bias.storage::<f32>());
        let shape = Self::shape(&gates);
        let Shape {
            batch,
            seq,
            d_hidden,
        } = shape;
        let weight = PackedRhs::new(matrix(&weight), [d_hidden, C::GATES * d_hidden]);
        let len = batch * seq * d_hidden;
        let mut output = vec![0.0; len];
        let saved_len = if saved.is_some() { len } else { 0 };
        let mut vectors = vec![0.0; C::SAVED * saved_len];
        let mut previous = vec![0.0; saved_len];
        if len > 0 {
            let values = gates.storage::<f32>();
            let group_len = |vectors| shape.group_len(C::GATES, vectors);
            let mut vectors = vectors.chunks_mut(group_len(C::SAVED));
            let mut previous = previous.chunks_mut(group_len(1));
            let groups = output.chunks_mut(group_len(1)).enumerate();
            let groups = groups.map(|(index, output)| ForwardGroup {
                first: index * shape.group_size(C::GATES),
                output,
                saved: vectors.next().unwrap_or_default(),
                previous: previous.next().unwrap_or_default(),
            });
            for_each_group(groups.collect(), |group| {
                self.forward_group(values, &weight, bias, group, shape);
            });
        }
        if let Some(saved) = saved {
            saved.push(tensor(vectors, [batch, seq, C::SAVED * d_hidden]));
            saved.push(tensor(previous, [batch * seq, d_hidden]));
        }
        tensor(output, [batch, seq, d_hidden])
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let shape = Self::shape(&inputs[0]);
        let Shape {
            batch,
            seq,
            d_hidden,
        } = shape;
        let width = C::GATES * d_hidden;
        let gradient = contiguous(&gradient);
        let saved = [0, 1].map(|index| saved[index].storage::<f32>());
        let [gates, recurrent] =
            self.projection_gradients(gradient.storage(), saved, &inputs[1], shape);
        let slopes = if C::SEPARATE_GRADIENTS {
            &recurrent
        } else {
            &gates
        };
        let [_, previous] = saved;
        let lhs = Matrix::new(previous, d_hidden).transposed();
        let rhs = Matrix::new(slopes, width);
        let weight = matmul(lhs, d_hidden, rhs, [batch * seq, width]);
        let bias = (inputs.len() > 2).then(|| tensor(sum_rows(slopes, width), [width]));
        let mut outputs = vec![
            Some(tensor(gates, [batch, seq, width])),
            Some(tensor(weight, [d_hidden, width])),
        ];
        outputs.extend(bias.map(Some));
        outputs
    }
}
