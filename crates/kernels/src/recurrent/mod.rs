#[cfg(feature = "flex")]
mod cells;
#[cfg(feature = "flex")]
mod flex;

use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Bool, Tensor};

/// Long short-term memory over a sequence (Hochreiter and Schmidhuber, 1997,
/// <https://doi.org/10.1162/neco.1997.9.8.1735>; Gers et al., *Learning to forget*, 2000,
/// <https://doi.org/10.1162/089976600300015015>).
///
/// The caller projects the input of all steps to the gates in one matrix product. The initial state
/// is zero. A padded step leaves the state unchanged, so the output at the last step is the state
/// after the last step that is not padding.
///
/// On Flex, each thread runs all steps for some of the sequences, and between steps only what the
/// backward pass needs is stored.
///
/// # Shapes
///
/// - gates: `[batch, seq, 4 * d_hidden]`, the projected input plus bias of the input gate, forget
///   gate, candidate and output gate
/// - weight: `[d_hidden, 4 * d_hidden]`, projects the state to the gates
/// - `padding_mask`: `[batch, seq]`, true at padding
/// - output: `[batch, seq, d_hidden]`, the state after each step
///
/// With `reverse`, the steps run from the end of the sequence to the start.
///
/// # Panics
///
/// If the shapes do not match.
pub fn lstm(
    gates: Tensor<3>,
    weight: Tensor<2>,
    padding_mask: Option<Tensor<2, Bool>>,
    reverse: bool,
) -> Tensor<3> {
    check_shapes(&gates, &weight, padding_mask.as_ref(), 4);
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&gates) {
        return flex::lstm(gates, weight, padding_mask, reverse);
    }
    let [batch, _, _] = gates.dims();
    let [d, _] = weight.dims();
    let cell = Tensor::<2>::zeros([batch, d], (&gates.device(), gates.dtype()));
    scan(
        &gates,
        padding_mask.as_ref(),
        reverse,
        [cell.clone(), cell],
        |gates, [state, cell]| {
            let gates = gates + state.matmul(weight.clone());
            let gate = |index| gates.clone().narrow(1, index * d, d);
            let remembered = sigmoid(gate(1)) * cell;
            let cell = remembered + sigmoid(gate(0)) * tanh(gate(2));
            [sigmoid(gate(3)) * tanh(cell.clone()), cell]
        },
    )
}

/// Gated recurrent unit over a sequence (Cho et al., 2014, <https://arxiv.org/abs/1406.1078>);
/// see [`lstm`].
///
/// Differs from the paper: the reset gate is applied after the matrix product with the state, as in
/// cuDNN and PyTorch.
///
/// # Shapes
///
/// - gates: `[batch, seq, 3 * d_hidden]`, the projected input plus bias of the reset gate, update
///   gate and candidate
/// - weight: `[d_hidden, 3 * d_hidden]`, projects the state to the gates
/// - bias: `[3 * d_hidden]`, added to that projection
/// - `padding_mask`: `[batch, seq]`, true at padding
/// - output: `[batch, seq, d_hidden]`, the state after each step
///
/// # Panics
///
/// If the shapes do not match.
pub fn gru(
    gates: Tensor<3>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    padding_mask: Option<Tensor<2, Bool>>,
    reverse: bool,
) -> Tensor<3> {
    check_shapes(&gates, &weight, padding_mask.as_ref(), 3);
    let [d, width] = weight.dims();
    assert_eq!(
        bias.dims(),
        [width],
        "the length of the bias does not match the columns of the weight"
    );
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&gates) {
        return flex::gru(gates, weight, bias, padding_mask, reverse);
    }
    let [batch, _, _] = gates.dims();
    let state = Tensor::<2>::zeros([batch, d], (&gates.device(), gates.dtype()));
    scan(
        &gates,
        padding_mask.as_ref(),
        reverse,
        [state],
        |gates, [state]| {
            let recurrent = state.clone().matmul(weight.clone()) + bias.clone().unsqueeze();
            let gate = |x: &Tensor<2>, index| x.clone().narrow(1, index * d, d);
            let reset = sigmoid(gate(&gates, 0) + gate(&recurrent, 0));
            let update = sigmoid(gate(&gates, 1) + gate(&recurrent, 1));
            let candidate = tanh(gate(&gates, 2) + reset * gate(&recurrent, 2));
            [candidate.clone() + update * (state - candidate)]
        },
    )
}

fn check_shapes(
    gates: &Tensor<3>,
    weight: &Tensor<2>,
    padding_mask: Option<&Tensor<2, Bool>>,
    n_gates: usize,
) {
    let ([batch, seq, width], [d, columns]) = (gates.dims(), weight.dims());
    assert_eq!(
        [width, columns],
        [n_gates * d; 2],
        "the shapes of the gates and the weight do not match"
    );
    if let Some(mask) = padding_mask {
        assert_eq!(mask.dims(), [batch, seq], "the mask has the wrong shape");
    }
}

/// Applies a cell to each step; the first tensor of its state is the output.
fn scan<const N: usize>(
    gates: &Tensor<3>,
    padding_mask: Option<&Tensor<2, Bool>>,
    reverse: bool,
    mut state: [Tensor<2>; N],
    cell: impl Fn(Tensor<2>, [Tensor<2>; N]) -> [Tensor<2>; N],
) -> Tensor<3> {
    let [_, seq, _] = gates.dims();
    let [_, d] = state[0].dims();
    let mut outputs = Vec::with_capacity(seq);
    for index in 0..seq {
        let step = if reverse { seq - 1 - index } else { index };
        let previous = state.clone();
        state = cell(gates.clone().narrow(1, step, 1).squeeze_dim(1), state);
        if let Some(mask) = padding_mask {
            let mask = mask.clone().narrow(1, step, 1);
            let mut previous = previous.into_iter();
            state = state.map(|next| match previous.next() {
                Some(previous) => {
                    let [batch, _] = next.dims();
                    next.mask_where(mask.clone().expand([batch, d]), previous)
                }
                None => next,
            });
        }
        outputs.push(state[0].clone());
    }
    if reverse {
        outputs.reverse();
    }
    Tensor::stack(outputs, 1)
}
