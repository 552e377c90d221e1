#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod head;

use burn::tensor::module::{attention, attention_fallback};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor};

/// Multi-head scaled dot-product self-attention (Vaswani et al., *Attention is all you need*, 2017,
/// <https://arxiv.org/abs/1706.03762>).
///
/// A query without any key to attend to gives zeros. On Flex, scores are computed for a block of
/// queries at a time and recomputed in the backward pass, so memory does not grow with the square
/// of the sequence length (Dao et al., *`FlashAttention`*, 2022,
/// <https://arxiv.org/abs/2205.14135>).
///
/// # Shapes
///
/// - qkv: `[batch, seq, 3 * d_model]`, the concatenated queries, keys and values
/// - `key_padding_mask`: `[batch, seq]`, true at keys to ignore
/// - output: `[batch, seq, d_model]`
///
/// With `causal`, each position attends to itself and earlier positions only.
///
/// # Panics
///
/// If `d_model` is not a multiple of `n_heads`, or the shapes do not match.
pub fn self_attention(
    qkv: Tensor<3>,
    n_heads: usize,
    key_padding_mask: Option<Tensor<2, Bool>>,
    causal: bool,
) -> Tensor<3> {
    let [batch, seq, width] = qkv.dims();
    let d_model = width / 3;
    check_heads(d_model, n_heads);
    assert_eq!(
        width,
        3 * d_model,
        "{width} columns are not queries, keys and values"
    );
    if let Some(mask) = &key_padding_mask {
        assert_eq!(mask.dims(), [batch, seq], "the mask has the wrong shape");
    }
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&qkv) {
        return flex::self_attention(qkv, n_heads, key_padding_mask, causal);
    }
    let [queries, keys, values] = [0, 1, 2].map(|index| {
        let columns = qkv.clone().narrow(2, index * d_model, d_model);
        split_heads(columns, n_heads)
    });
    let options = options(causal);
    let output = match key_padding_mask {
        // Burn's LibTorch backend passes the mask to a function that expects its complement.
        Some(mask) => {
            let mask = mask.reshape([batch, 1, 1, seq]);
            let mask = mask.expand([batch, n_heads, seq, seq]);
            attention_fallback(queries, keys, values, Some(mask), None, options)
        }
        None => attention(queries, keys, values, None, None, options),
    };
    merge_heads(output)
}

/// Causal attention of the last positions of a sequence to all positions, for incremental decoding
/// with a key-value cache. Not differentiable.
///
/// # Shapes
///
/// - queries: `[batch, n_queries, d_model]`, of the last positions
/// - keys, values: `[batch, seq, d_model]`, of all positions
/// - output: `[batch, n_queries, d_model]`
///
/// # Panics
///
/// If `d_model` is not a multiple of `n_heads`, or the shapes do not match.
pub fn cached_attention(
    queries: Tensor<3>,
    keys: Tensor<3>,
    values: Tensor<3>,
    n_heads: usize,
) -> Tensor<3> {
    let [batch, n_queries, d_model] = queries.dims();
    let [_, seq, _] = keys.dims();
    check_heads(d_model, n_heads);
    assert!(n_queries <= seq, "there are more queries than keys");
    for tensor in [&keys, &values] {
        assert_eq!(
            tensor.dims(),
            [batch, seq, d_model],
            "the shapes of queries, keys and values do not match"
        );
    }
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&queries) && !queries.device().is_autodiff() {
        return flex::cached_attention(queries, [keys, values], n_heads);
    }
    let [queries, keys, values] = [queries, keys, values].map(|x| split_heads(x, n_heads));
    let output = if n_queries == 1 {
        attention(queries, keys, values, None, None, options(false))
    } else {
        // Backends disagree on how a causal mask aligns fewer queries than keys.
        attention_fallback(queries, keys, values, None, None, options(true))
    };
    merge_heads(output)
}

fn check_heads(d_model: usize, n_heads: usize) {
    assert!(
        n_heads > 0 && d_model > 0 && d_model.is_multiple_of(n_heads),
        "{d_model} columns cannot be split into {n_heads} heads"
    );
}

fn options(is_causal: bool) -> AttentionModuleOptions {
    AttentionModuleOptions {
        is_causal,
        ..Default::default()
    }
}

/// `[batch, seq, d_model]` to `[batch, n_heads, seq, d_head]`.
fn split_heads(x: Tensor<3>, n_heads: usize) -> Tensor<4> {
    let [batch, seq, d_model] = x.dims();
    x.reshape([batch, seq, n_heads, d_model / n_heads])
        .swap_dims(1, 2)
}

/// Inverse of [`split_heads`].
fn merge_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, n_heads, seq, d_head] = x.dims();
    x.swap_dims(1, 2).reshape([batch, seq, n_heads * d_head])
}
