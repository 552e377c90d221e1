use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bool, Tensor};
use rayon::prelude::*;

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::gemm::{Matrix, Packed, Product, Right, multiply};
use crate::flex::parallel::is_worth_threads;
use crate::flex::scratch::Scratch;
use crate::flex::simd_math::{sigmoid, tanh, vectorized};
use crate::flex::tensors::{contiguous, forwards, matrix, tensor};
use crate::linear::flex::sum_rows;

pub(crate) fn lstm(
    gates: Tensor<3>,
    weight: Tensor<2>,
    ignored: Option<Tensor<2, Bool>>,
    backwards: bool,
) -> Tensor<3> {
    let operation = Recurrent::<Lstm>::new(ignored, backwards);
    let others = vec![weight.into_dispatch()];
    apply(operation, Inputs::new(gates.into_dispatch(), others))
}

pub(crate) fn gru(
    gates: Tensor<3>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    ignored: Option<Tensor<2, Bool>>,
    backwards: bool,
) -> Tensor<3> {
    let operation = Recurrent::<Gru>::new(ignored, backwards);
    let others = vec![weight.into_dispatch(), bias.into_dispatch()];
    apply(operation, Inputs::new(gates.into_dispatch(), others))
}

/// What a step does to one sequence. All slices have parts of as many numbers as the state.
trait Cell: std::fmt::Debug + Send + Sync + 'static {
    /// Parts of the gates.
    const GATES: usize;
    /// Parts that the backward pass needs.
    const KEPT: usize;
    /// Whether the gates' gradients differ on the sides of the input and of the state.
    const TWO_SIDED: bool;

    /// - gates: what the input gives
    /// - product: what the state gives
    /// - state, cell: replaced; the second is nothing to cells that have none
    fn forward(
        gates: &[f32],
        product: &[f32],
        state: &mut [f32],
        cell: &mut [f32],
        kept: &mut [f32],
    );

    /// - before: the state in front of the step
    /// - state, cell: gradients, replaced by those in front of the step but for what comes by way of
    ///   the product
    /// - gates, product: gradients; the second is nothing unless the cell is two-sided
    fn backward(
        kept: &[f32],
        before: &[f32],
        state: &mut [f32],
        cell: &mut [f32],
        gates: &mut [f32],
        product: &mut [f32],
    );
}

#[derive(Debug)]
struct Lstm;

#[derive(Debug)]
struct Gru;

/// Cuts a slice into equal parts.
#[inline(always)]
fn parts<const N: usize>(values: &[f32], len: usize) -> [&[f32]; N] {
    let mut all = [values; N];
    for (index, part) in all.iter_mut().enumerate() {
        *part = &values[index * len..(index + 1) * len];
    }
    all
}

#[inline(always)]
fn parts_mut<const N: usize>(mut values: &mut [f32], len: usize) -> [&mut [f32]; N] {
    std::array::from_fn(|_| {
        let (part, rest) = std::mem::take(&mut values).split_at_mut(len);
        values = rest;
        part
    })
}

impl Cell for Lstm {
    const GATES: usize = 4;
    const KEPT: usize = 6;
    const TWO_SIDED: bool = false;

    #[inline(always)]
    fn forward(
        gates: &[f32],
        product: &[f32],
        state: &mut [f32],
        cell: &mut [f32],
        kept: &mut [f32],
    ) {
        let d = state.len();
        let [gate_i, gate_f, gate_g, gate_o] = parts(gates, d);
        let [product_i, product_f, product_g, product_o] = parts(product, d);
        let [kept_i, kept_f, kept_g, kept_o, kept_cell, kept_tanh] = parts_mut(kept, d);
        for k in 0..d {
            let input = sigmoid(gate_i[k] + product_i[k]);
            let forget = sigmoid(gate_f[k] + product_f[k]);
            let candidate = tanh(gate_g[k] + product_g[k]);
            let output = sigmoid(gate_o[k] + product_o[k]);
            kept_cell[k] = cell[k];
            cell[k] = forget * cell[k] + input * candidate;
            let squashed = tanh(cell[k]);
            state[k] = output * squashed;
            kept_i[k] = input;
            kept_f[k] = forget;
            kept_g[k] = candidate;
            kept_o[k] = output;
            kept_tanh[k] = squashed;
        }
    }

    #[inline(always)]
    fn backward(
        kept: &[f32],
        _before: &[f32],
        state: &mut [f32],
        cell: &mut [f32],
        gates: &mut [f32],
        _product: &mut [f32],
    ) {
        let d = state.len();
        let [input, forget, candidate, output, before, squashed] = parts(kept, d);
        let [gate_i, gate_f, gate_g, gate_o] = parts_mut(gates, d);
        for k in 0..d {
            let slope = state[k] * output[k] * (1.0 - squashed[k] * squashed[k]) + cell[k];
            gate_i[k] = slope * candidate[k] * input[k] * (1.0 - input[k]);
            gate_f[k] = slope * before[k] * forget[k] * (1.0 - forget[k]);
            gate_g[k] = slope * input[k] * (1.0 - candidate[k] * candidate[k]);
            gate_o[k] = state[k] * squashed[k] * output[k] * (1.0 - output[k]);
            cell[k] = slope * forget[k];
            state[k] = 0.0;
        }
    }
}

impl Cell for Gru {
    const GATES: usize = 3;
    const KEPT: usize = 4;
    const TWO_SIDED: bool = true;

    #[inline(always)]
    fn forward(
        gates: &[f32],
        product: &[f32],
        state: &mut [f32],
        _cell: &mut [f32],
        kept: &mut [f32],
    ) {
        let d = state.len();
        let [gate_r, gate_z, gate_n] = parts(gates, d);
        let [product_r, product_z, product_n] = parts(product, d);
        let [kept_r, kept_z, kept_n, kept_product] = parts_mut(kept, d);
        for k in 0..d {
            let reset = sigmoid(gate_r[k] + product_r[k]);
            let update = sigmoid(gate_z[k] + product_z[k]);
            let candidate = tanh(gate_n[k] + reset * product_n[k]);
            state[k] = candidate + update * (state[k] - candidate);
            kept_r[k] = reset;
            kept_z[k] = update;
            kept_n[k] = candidate;
            kept_product[k] = product_n[k];
        }
    }

    #[inline(always)]
    fn backward(
        kept: &[f32],
        before: &[f32],
        state: &mut [f32],
        _cell: &mut [f32],
        gates: &mut [f32],
        product: &mut [f32],
    ) {
        let d = state.len();
        let [reset, update, candidate, product_n] = parts(kept, d);
        let [gate_r, gate_z, gate_n] = parts_mut(gates, d);
        let [slope_r, slope_z, slope_n] = parts_mut(product, d);
        for k in 0..d {
            let slope = state[k] * (1.0 - update[k]) * (1.0 - candidate[k] * candidate[k]);
            gate_n[k] = slope;
            slope_n[k] = slope * reset[k];
            gate_r[k] = slope * product_n[k] * reset[k] * (1.0 - reset[k]);
            slope_r[k] = gate_r[k];
            let opened = update[k] * (1.0 - update[k]);
            gate_z[k] = state[k] * (before[k] - candidate[k]) * opened;
            slope_z[k] = gate_z[k];
            state[k] *= update[k];
        }
    }
}

/// Inputs: what the input gives to the gates, the weight, and the bias of the product or none.
#[derive(Debug)]
struct Recurrent<C> {
    /// `[batch, seq]`
    ignored: Option<Arc<[bool]>>,
    backwards: bool,
    cell: std::marker::PhantomData<C>,
}

/// Sizes of a walk.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    seq: usize,
    d: usize,
}

/// Sequences that one thread walks with, from the first of them on.
struct Group<'a> {
    first: usize,
    /// `[group, seq, ..]`
    output: &'a mut [f32],
    kept: &'a mut [f32],
    before: &'a mut [f32],
}

impl<C: Cell> Recurrent<C> {
    fn new(ignored: Option<Tensor<2, Bool>>, backwards: bool) -> Self {
        let ignored = ignored.map(|ignored| ignored.into_data().iter::<bool>().collect());
        Self {
            ignored,
            backwards,
            cell: std::marker::PhantomData,
        }
    }

    fn sizes(gates: &FlexTensor) -> Sizes {
        let [batch, seq, width] = gates.shape().dims();
        let d = width / C::GATES;
        Sizes { batch, seq, d }
    }

    fn is_ignored(&self, item: usize, place: usize, seq: usize) -> bool {
        let ignored = self.ignored.as_ref();
        ignored.is_some_and(|ignored| ignored[item * seq + place])
    }

    /// Places in the order of the walk, or in the opposite order.
    fn places(&self, seq: usize, opposite: bool) -> impl Iterator<Item = usize> {
        let backwards = self.backwards != opposite;
        (0..seq).map(move |index| if backwards { seq - 1 - index } else { index })
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a group belongs to one thread"
    )]
    fn forward_group(
        &self,
        gates: &[f32],
        weight: &Packed,
        bias: &[f32],
        group: Group<'_>,
        Sizes { seq, d, .. }: Sizes,
    ) {
        let width = C::GATES * d;
        let count = group.output.len() / (seq * d);
        let mut states = Scratch::new(count * d);
        let mut cells = Scratch::new(count * d);
        let mut products = Scratch::new(count * width);
        states.fill(0.0);
        cells.fill(0.0);
        let keep = !group.kept.is_empty();
        let mut unused = Scratch::new(C::KEPT * d);
        for place in self.places(seq, false) {
            Product {
                left: Matrix::new(&states, d),
                rows: count,
                right: Right::Packed(weight),
                columns: width,
                output: &mut products,
                stride: width,
                add: false,
            }
            .run();
            vectorized(
                #[inline(always)]
                || {
                    for item in 0..count {
                        let at = item * seq + place;
                        let state = &mut states[item * d..(item + 1) * d];
                        let ignored = self.is_ignored(group.first + item, place, seq);
                        if !ignored {
                            let gates = &gates[((group.first + item) * seq + place) * width..];
                            let product = &mut products[item * width..(item + 1) * width];
                            for (product, bias) in product.iter_mut().zip(bias) {
                                *product += *bias;
                            }
                            let kept = if keep {
                                group.before[at * d..(at + 1) * d].copy_from_slice(state);
                                &mut group.kept[at * C::KEPT * d..(at + 1) * C::KEPT * d]
                            } else {
                                &mut unused
                            };
                            let cell = &mut cells[item * d..(item + 1) * d];
                            C::forward(&gates[..width], product, state, cell, kept);
                        }
                        group.output[at * d..(at + 1) * d].copy_from_slice(state);
                    }
                },
            );
        }
    }

    /// Gradients of what the input gives to the gates, and of the product with the state.
    fn backward_group(
        &self,
        gradient: &[f32],
        [kept, before]: [&[f32]; 2],
        weight: &Packed,
        first: usize,
        [gates, products]: [&mut [f32]; 2],
        Sizes { seq, d, .. }: Sizes,
    ) {
        let width = C::GATES * d;
        let count = gates.len() / (seq * width);
        let mut states = Scratch::new(count * d);
        let mut cells = Scratch::new(count * d);
        let mut slopes = Scratch::new(count * width);
        states.fill(0.0);
        cells.fill(0.0);
        for place in self.places(seq, true) {
            vectorized(
                #[inline(always)]
                || {
                    for item in 0..count {
                        let at = item * seq + place;
                        let whole = (first + item) * seq + place;
                        let state = &mut states[item * d..(item + 1) * d];
                        let upstream = &gradient[whole * d..(whole + 1) * d];
                        for (state, upstream) in state.iter_mut().zip(upstream) {
                            *state += *upstream;
                        }
                        let gates = &mut gates[at * width..(at + 1) * width];
                        let slopes = &mut slopes[item * width..(item + 1) * width];
                        if self.is_ignored(first + item, place, seq) {
                            slopes.fill(0.0);
                            continue;
                        }
                        let kept = &kept[whole * C::KEPT * d..(whole + 1) * C::KEPT * d];
                        let before = &before[whole * d..(whole + 1) * d];
                        let cell = &mut cells[item * d..(item + 1) * d];
                        C::backward(kept, before, state, cell, gates, slopes);
                        if C::TWO_SIDED {
                            products[at * width..(at + 1) * width].copy_from_slice(slopes);
                        } else {
                            slopes.copy_from_slice(gates);
                        }
                    }
                },
            );
            Product {
                left: Matrix::new(&slopes, width),
                rows: count,
                right: Right::Packed(weight),
                columns: d,
                output: &mut states,
                stride: d,
                add: true,
            }
            .run();
        }
    }
}

impl Sizes {
    /// Sequences of a group.
    fn group(self, gates: usize) -> usize {
        if is_worth_threads(self.batch * self.seq * self.d * self.d * gates) {
            self.batch.div_ceil(rayon::current_num_threads())
        } else {
            self.batch
        }
    }

    /// The numbers of a group, of which there are so many for each state.
    fn chunk(self, gates: usize, numbers: usize) -> usize {
        self.group(gates) * self.seq * self.d * numbers
    }
}

impl<C: Cell> Operation for Recurrent<C> {
    fn forward(&self, inputs: Vec<FlexTensor>, saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let gates = contiguous(&inputs[0]);
        let weight = forwards(&inputs[1]);
        let bias = inputs.get(2).map(contiguous);
        let bias = bias.as_ref().map_or(&[][..], |bias| bias.storage::<f32>());
        let sizes = Self::sizes(&gates);
        let Sizes { batch, seq, d } = sizes;
        let weight = Packed::new(matrix(&weight), [d, C::GATES * d]);
        let states = batch * seq * d;
        let mut output = vec![0.0; states];
        let (kept, before) = if saved.is_some() {
            (C::KEPT * states, states)
        } else {
            (0, 0)
        };
        let (mut kept, mut before) = (vec![0.0; kept], vec![0.0; before]);
        if states > 0 {
            let values = gates.storage::<f32>();
            let chunk = |numbers| sizes.chunk(C::GATES, numbers);
            // Where nothing is kept there is an empty rest for each group.
            let mut kept = kept.chunks_mut(chunk(C::KEPT));
            let mut before = before.chunks_mut(chunk(1));
            let groups: Vec<Group<'_>> = output
                .chunks_mut(chunk(1))
                .enumerate()
                .map(|(index, output)| Group {
                    first: index * sizes.group(C::GATES),
                    output,
                    kept: kept.next().unwrap_or_default(),
                    before: before.next().unwrap_or_default(),
                })
                .collect();
            let run = |group| self.forward_group(values, &weight, bias, group, sizes);
            if groups.len() > 1 {
                groups.into_par_iter().for_each(run);
            } else {
                groups.into_iter().for_each(run);
            }
        }
        if let Some(saved) = saved {
            saved.push(tensor(kept, [batch, seq, C::KEPT * d]));
            saved.push(tensor(before, [batch * seq, d]));
        }
        tensor(output, [batch, seq, d])
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        _wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let sizes = Self::sizes(&inputs[0]);
        let Sizes { batch, seq, d } = sizes;
        let width = C::GATES * d;
        let weight = forwards(&inputs[1]);
        let across = Packed::new(matrix(&weight).transposed(), [width, d]);
        let gradient = contiguous(&gradient);
        let gradient = gradient.storage::<f32>();
        let [kept, before] = [0, 1].map(|index| saved[index].storage::<f32>());
        let mut gates = vec![0.0; batch * seq * width];
        let mut products = vec![0.0; if C::TWO_SIDED { gates.len() } else { 0 }];
        if !gates.is_empty() {
            let chunk = sizes.chunk(C::GATES, C::GATES);
            let mut rest = products.chunks_mut(chunk);
            let groups: Vec<(usize, [&mut [f32]; 2])> = gates
                .chunks_mut(chunk)
                .enumerate()
                .map(|(index, gates)| {
                    let first = index * sizes.group(C::GATES);
                    (first, [gates, rest.next().unwrap_or_default()])
                })
                .collect();
            let run = |(first, outputs)| {
                self.backward_group(gradient, [kept, before], &across, first, outputs, sizes);
            };
            if groups.len() > 1 {
                groups.into_par_iter().for_each(run);
            } else {
                groups.into_iter().for_each(run);
            }
        }
        let slopes = if C::TWO_SIDED { &products } else { &gates };
        let rows = batch * seq;
        let left = Matrix::new(before, d).transposed();
        let weight = multiply(left, d, Matrix::new(slopes, width), [rows, width]);
        let bias = (inputs.len() > 2).then(|| tensor(sum_rows(slopes, width), [width]));
        let mut outputs = vec![
            Some(tensor(gates, [batch, seq, width])),
            Some(tensor(weight, [d, width])),
        ];
        outputs.extend(bias.map(Some));
        outputs
    }
}
