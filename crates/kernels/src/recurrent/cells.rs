use crate::flex::simd_math::{sigmoid, tanh};

/// One step of a recurrent network for one sequence. Slices hold a multiple of `d_hidden` elements.
pub(super) trait Cell: std::fmt::Debug + Send + Sync + 'static {
    /// Number of gates, including the candidate.
    const GATES: usize;
    /// Vectors saved for the backward pass.
    const SAVED: usize;
    /// Whether the gradients of the input projection and the recurrent projection differ.
    const SEPARATE_GRADIENTS: bool;

    /// - gates: projection of the input
    /// - recurrent: projection of the state
    /// - state, cell: updated; only LSTM uses the cell state
    fn forward(
        gates: &[f32],
        recurrent: &[f32],
        state: &mut [f32],
        cell: &mut [f32],
        saved: &mut [f32],
    );

    /// - previous: the state before the step
    /// - state, cell: gradients, updated to those before the step except for the contribution of the
    ///   recurrent projection
    /// - gates, recurrent: gradients; the latter is unused without `SEPARATE_GRADIENTS`
    fn backward(
        saved: &[f32],
        previous: &[f32],
        state: &mut [f32],
        cell: &mut [f32],
        gates: &mut [f32],
        recurrent: &mut [f32],
    );
}

#[derive(Debug)]
pub(super) struct Lstm;

#[derive(Debug)]
pub(super) struct Gru;

/// Splits a slice into vectors of `d` elements.
#[inline(always)]
fn split<const N: usize>(values: &[f32], d: usize) -> [&[f32]; N] {
    let mut vectors = [values; N];
    for (index, vector) in vectors.iter_mut().enumerate() {
        *vector = &values[index * d..(index + 1) * d];
    }
    vectors
}

#[inline(always)]
fn split_mut<const N: usize>(mut values: &mut [f32], d: usize) -> [&mut [f32]; N] {
    std::array::from_fn(|_| {
        let (vector, rest) = std::mem::take(&mut values).split_at_mut(d);
        values = rest;
        vector
    })
}

impl Cell for Lstm {
    const GATES: usize = 4;
    const SAVED: usize = 6;
    const SEPARATE_GRADIENTS: bool = false;

    #[inline(always)]
    fn forward(
        gates: &[f32],
        recurrent: &[f32],
        state: &mut [f32],
        cell: &mut [f32],
        saved: &mut [f32],
    ) {
        let d = state.len();
        let [gate_i, gate_f, gate_g, gate_o] = split(gates, d);
        let [recurrent_i, recurrent_f, recurrent_g, recurrent_o] = split(recurrent, d);
        let [saved_i, saved_f, saved_g, saved_o, saved_cell, saved_tanh] = split_mut(saved, d);
        for k in 0..d {
            let input = sigmoid(gate_i[k] + recurrent_i[k]);
            let forget = sigmoid(gate_f[k] + recurrent_f[k]);
            let candidate = tanh(gate_g[k] + recurrent_g[k]);
            let output = sigmoid(gate_o[k] + recurrent_o[k]);
            saved_cell[k] = cell[k];
            cell[k] = forget * cell[k] + input * candidate;
            let cell_tanh = tanh(cell[k]);
            state[k] = output * cell_tanh;
            saved_i[k] = input;
            saved_f[k] = forget;
            saved_g[k] = candidate;
            saved_o[k] = output;
            saved_tanh[k] = cell_tanh;
        }
    }

    #[inline(always)]
    fn backward(
        saved: &[f32],
        _previous: &[f32],
        state: &mut [f32],
        cell: &mut [f32],
        gates: &mut [f32],
        _recurrent: &mut [f32],
    ) {
        let d = state.len();
        let [input, forget, candidate, output, previous_cell, cell_tanh] = split(saved, d);
        let [gate_i, gate_f, gate_g, gate_o] = split_mut(gates, d);
        for k in 0..d {
            let slope = state[k] * output[k] * (1.0 - cell_tanh[k] * cell_tanh[k]) + cell[k];
            gate_i[k] = slope * candidate[k] * input[k] * (1.0 - input[k]);
            gate_f[k] = slope * previous_cell[k] * forget[k] * (1.0 - forget[k]);
            gate_g[k] = slope * input[k] * (1.0 - candidate[k] * candidate[k]);
            gate_o[k] = state[k] * cell_tanh[k] * output[k] * (1.0 - output[k]);
            cell[k] = slope * forget[k];
            state[k] = 0.0;
        }
    }
}

impl Cell for Gru {
    const GATES: usize = 3;
    const SAVED: usize = 4;
    const SEPARATE_GRADIENTS: bool = true;

    #[inline(always)]
    fn forward(
        gates: &[f32],
        recurrent: &[f32],
        state: &mut [f32],
        _cell: &mut [f32],
        saved: &mut [f32],
    ) {
        let d = state.len();
        let [gate_r, gate_z, gate_n] = split(gates, d);
        let [recurrent_r, recurrent_z, recurrent_n] = split(recurrent, d);
        let [saved_r, saved_z, saved_n, saved_recurrent] = split_mut(saved, d);
        for k in 0..d {
            let reset = sigmoid(gate_r[k] + recurrent_r[k]);
            let update = sigmoid(gate_z[k] + recurrent_z[k]);
            let candidate = tanh(gate_n[k] + reset * recurrent_n[k]);
            state[k] = candidate + update * (state[k] - candidate);
            saved_r[k] = reset;
            saved_z[k] = update;
            saved_n[k] = candidate;
            saved_recurrent[k] = recurrent_n[k];
        }
    }

    #[inline(always)]
    fn backward(
        saved: &[f32],
        previous: &[f32],
        state: &mut [f32],
        _cell: &mut [f32],
        gates: &mut [f32],
        recurrent: &mut [f32],
    ) {
        let d = state.len();
        let [reset, update, candidate, recurrent_n] = split(saved, d);
        let [gate_r, gate_z, gate_n] = split_mut(gates, d);
        let [slope_r, slope_z, slope_n] = split_mut(recurrent, d);
        for k in 0..d {
            let slope = state[k] * (1.0 - update[k]) * (1.0 - candidate[k] * candidate[k]);
            gate_n[k] = slope;
            slope_n[k] = slope * reset[k];
            gate_r[k] = slope * recurrent_n[k] * reset[k] * (1.0 - reset[k]);
            slope_r[k] = gate_r[k];
            let update_slope = update[k] * (1.0 - update[k]);
            gate_z[k] = state[k] * (previous[k] - candidate[k]) * update_slope;
            slope_z[k] = gate_z[k];
            state[k] *= update[k];
        }
    }
}
