#[cfg(feature = "flex")]
mod flex;

use burn::tensor::module::{attention, attention_fallback};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor};

/// Attention of the rows of a sequence to each other, in several heads (Vaswani et al., *Attention
/// is all you need*, 2017, <https://arxiv.org/abs/1706.03762>).
///
/// A row that may look at nothing becomes zero. On Flex the scores of a few queries at a time are
/// computed, forward and again backward, so that memory does not grow with the square of the
/// length (Dao et al., *`FlashAttention`*, 2022, <https://arxiv.org/abs/2205.14135>).
///
/// # Shapes
///
/// - packed: `[batch, seq, 3 * d_model]`, queries, keys and values side by side, each with its heads
///   side by side
/// - ignored: `[batch, seq]`, true where nothing may look at, as padding
/// - output: `[batch, seq, d_model]`
///
/// With `causal` a row looks at itself and at what is before it.
///
/// # Panics
///
/// If `d_model` is no multiple of `heads`, or the shapes do not fit together.
pub fn self_attention(
    packed: Tensor<3>,
    heads: usize,
    ignored: Option<Tensor<2, Bool>>,
    causal: bool,
) -> Tensor<3> {
    let [batch, seq, width] = packed.dims();
    let d_model = width / 3;
    check_heads(d_model, heads);
    assert_eq!(width, 3 * d_model, "not queries, keys and values");
    if let Some(ignored) = &ignored {
        assert_eq!(ignored.dims(), [batch, seq], "the mask has another shape");
    }
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&packed) {
        return flex::self_attention(packed, heads, ignored, causal);
    }
    let [queries, keys, values] = [0, 1, 2].map(|part| {
        let part = packed.clone().narrow(2, part * d_model, d_model);
        split_heads(part, heads)
    });
    let options = options(causal);
    let output = match ignored {
        // Burn's LibTorch hands the mask on to a function that reads it the other way round.
        Some(ignored) => {
            let mask = ignored.reshape([batch, 1, 1, seq]);
            let mask = mask.expand([batch, heads, seq, seq]);
            attention_fallback(queries, keys, values, Some(mask), None, options)
        }
        None => attention(queries, keys, values, None, None, options),
    };
    join_heads(output)
}

/// Attention of the last rows of a sequence to all rows before them and to themselves, for text
/// that is written row by row. There is no gradient.
///
/// # Shapes
///
/// - queries: `[batch, rows, d_model]`
/// - keys, values: `[batch, seq, d_model]`, with those of the queries' rows at the end
/// - output: `[batch, rows, d_model]`
///
/// # Panics
///
/// If `d_model` is no multiple of `heads`, or the shapes do not fit together.
pub fn cached_attention(
    queries: Tensor<3>,
    keys: Tensor<3>,
    values: Tensor<3>,
    heads: usize,
) -> Tensor<3> {
    let [batch, rows, d_model] = queries.dims();
    let [_, seq, _] = keys.dims();
    check_heads(d_model, heads);
    assert!(rows <= seq, "there are more queries than keys");
    for part in [&keys, &values] {
        assert_eq!(
            part.dims(),
            [batch, seq, d_model],
            "not as many keys as values"
        );
    }
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&queries) && !queries.device().is_autodiff() {
        return flex::cached_attention(queries, [keys, values], heads);
    }
    let [queries, keys, values] = [queries, keys, values].map(|part| split_heads(part, heads));
    let output = if rows == 1 {
        attention(queries, keys, values, None, None, options(false))
    } else {
        // Backends do not agree which queries stand where if there are fewer than keys.
        attention_fallback(queries, keys, values, None, None, options(true))
    };
    join_heads(output)
}

fn check_heads(d_model: usize, heads: usize) {
    assert!(
        heads > 0 && d_model > 0 && d_model.is_multiple_of(heads),
        "{d_model} columns cannot be shared by {heads} heads"
    );
}

fn options(is_causal: bool) -> AttentionModuleOptions {
    AttentionModuleOptions {
        is_causal,
        ..Default::default()
    }
}

/// `[batch, seq, d_model]` to `[batch, heads, seq, d_head]`.
fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, seq, d_model] = x.dims();
    x.reshape([batch, seq, heads, d_model / heads])
        .swap_dims(1, 2)
}

/// The opposite of [`split_heads`].
fn join_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, seq, d_head] = x.dims();
    x.swap_dims(1, 2).reshape([batch, seq, heads * d_head])
}
