#[cfg(feature = "flex")]
mod flex;

use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Bool, Tensor};

/// A walk along a sequence with long short-term memory (Hochreiter and Schmidhuber, 1997,
/// <https://doi.org/10.1162/neco.1997.9.8.1735>; Gers et al., *Learning to forget*, 2000,
/// <https://doi.org/10.1162/089976600300015015>).
///
/// What the gates get from the input comes in for all steps at once: one product instead of one for
/// each step. Where a step is ignored the state stays as it was, so that the last state in the
/// direction of the walk is that behind the last step there is. It begins as zero.
///
/// On Flex each thread walks with some of the sequences, and nothing is written to memory between
/// the steps but what the backward pass needs.
///
/// # Shapes
///
/// - gates: `[batch, seq, 4 * d]`, what the input and the bias give to the input gate, the forget
///   gate, the candidate and the output gate
/// - weight: `[d, 4 * d]`, from the state to the gates
/// - ignored: `[batch, seq]`, true for steps that are ignored, as padding
/// - output: `[batch, seq, d]`, the state behind each step
///
/// With `backwards` the walk begins at the end.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn lstm(
    gates: Tensor<3>,
    weight: Tensor<2>,
    ignored: Option<Tensor<2, Bool>>,
    backwards: bool,
) -> Tensor<3> {
    check(&gates, &weight, ignored.as_ref(), 4);
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&gates) {
        return flex::lstm(gates, weight, ignored, backwards);
    }
    let [batch, _, _] = gates.dims();
    let [d, _] = weight.dims();
    let cell = Tensor::<2>::zeros([batch, d], (&gates.device(), gates.dtype()));
    walk(
        &gates,
        ignored.as_ref(),
        backwards,
        [cell.clone(), cell],
        |gates, [state, cell]| {
            let gates = gates + state.matmul(weight.clone());
            let part = |index| gates.clone().narrow(1, index * d, d);
            let kept = sigmoid(part(1)) * cell;
            let cell = kept + sigmoid(part(0)) * tanh(part(2));
            [sigmoid(part(3)) * tanh(cell.clone()), cell]
        },
    )
}

/// A walk along a sequence with gated recurrent units (Cho et al., 2014,
/// <https://arxiv.org/abs/1406.1078>), as [`lstm`].
///
/// Differs from the paper: the reset gate acts on the product with the state and not on the state,
/// as in cuDNN and PyTorch.
///
/// # Shapes
///
/// - gates: `[batch, seq, 3 * d]`, what the input and its bias give to the reset gate, the update
///   gate and the candidate
/// - weight: `[d, 3 * d]`, from the state to the gates
/// - bias: `[3 * d]`, added to that product
/// - ignored: `[batch, seq]`, true for steps that are ignored, as padding
/// - output: `[batch, seq, d]`, the state behind each step
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn gru(
    gates: Tensor<3>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    ignored: Option<Tensor<2, Bool>>,
    backwards: bool,
) -> Tensor<3> {
    check(&gates, &weight, ignored.as_ref(), 3);
    let [d, width] = weight.dims();
    assert_eq!(
        bias.dims(),
        [width],
        "the bias is not as long as the weight is wide"
    );
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&gates) {
        return flex::gru(gates, weight, bias, ignored, backwards);
    }
    let [batch, _, _] = gates.dims();
    let state = Tensor::<2>::zeros([batch, d], (&gates.device(), gates.dtype()));
    walk(
        &gates,
        ignored.as_ref(),
        backwards,
        [state],
        |gates, [state]| {
            let product = state.clone().matmul(weight.clone()) + bias.clone().unsqueeze();
            let part = |x: &Tensor<2>, index| x.clone().narrow(1, index * d, d);
            let reset = sigmoid(part(&gates, 0) + part(&product, 0));
            let update = sigmoid(part(&gates, 1) + part(&product, 1));
            let candidate = tanh(part(&gates, 2) + reset * part(&product, 2));
            [candidate.clone() + update * (state - candidate)]
        },
    )
}

fn check(gates: &Tensor<3>, weight: &Tensor<2>, ignored: Option<&Tensor<2, Bool>>, count: usize) {
    let ([batch, seq, width], [d, columns]) = (gates.dims(), weight.dims());
    assert_eq!(
        [width, columns],
        [count * d; 2],
        "the gates and the weight do not fit together"
    );
    if let Some(ignored) = ignored {
        assert_eq!(ignored.dims(), [batch, seq], "the mask has another shape");
    }
}

/// Applies a step to what the gates get at each place; the first of the tensors is the output.
fn walk<const N: usize>(
    gates: &Tensor<3>,
    ignored: Option<&Tensor<2, Bool>>,
    backwards: bool,
    mut state: [Tensor<2>; N],
    step: impl Fn(Tensor<2>, [Tensor<2>; N]) -> [Tensor<2>; N],
) -> Tensor<3> {
    let [_, seq, _] = gates.dims();
    let [_, d] = state[0].dims();
    let mut outputs = Vec::with_capacity(seq);
    for index in 0..seq {
        let place = if backwards { seq - 1 - index } else { index };
        let before = state.clone();
        state = step(gates.clone().narrow(1, place, 1).squeeze_dim(1), state);
        if let Some(ignored) = ignored {
            let ignored = ignored.clone().narrow(1, place, 1);
            let mut before = before.into_iter();
            state = state.map(|after| match before.next() {
                Some(before) => {
                    let [batch, _] = after.dims();
                    after.mask_where(ignored.clone().expand([batch, d]), before)
                }
                None => after,
            });
        }
        outputs.push(state[0].clone());
    }
    if backwards {
        outputs.reverse();
    }
    Tensor::stack(outputs, 1)
}
