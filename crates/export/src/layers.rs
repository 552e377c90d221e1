//! Layers that several architectures share, as in `tinderbox_models::layers`.

use tinderbox_models::layers::{Activation, Normalization};

use crate::error::ExportError;
use crate::graph::{Graph, Value, size};
use crate::net::{EPSILON, Net};

/// The hidden layers of a multilayer perceptron.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hidden {
    pub(crate) layers: usize,
    pub(crate) activation: Activation,
    pub(crate) normalization: Normalization,
}

/// A multilayer perceptron on rows `[batch, d_input]`; `prefix` is before the names of its layers.
pub(crate) fn mlp(
    net: &mut Net<'_>,
    prefix: &str,
    hidden: Hidden,
    x: &Value,
) -> Result<Value, ExportError> {
    let mut x = x.clone();
    for index in 0..hidden.layers {
        let layer = format!("{prefix}hidden.{index}");
        x = net.linear(&x, &format!("{layer}.linear"))?;
        x = match hidden.normalization {
            Normalization::None => x,
            Normalization::Batch => net.batch_norm(&x, &format!("{layer}.norm.Batch"), EPSILON)?,
            Normalization::Layer => net.layer_norm(&x, &format!("{layer}.norm.Layer"), EPSILON)?,
        };
        x = net.activation(&x, hidden.activation);
    }
    net.linear(&x, &format!("{prefix}output"))
}

/// What attention is computed with besides queries and keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention<'v> {
    pub(crate) heads: usize,
    /// Added to the scores `[batch, heads, queries, keys]`.
    pub(crate) mask: Option<&'v Value>,
    /// Cosines and sines of rotary positions, `[seq, d_head / 2]`.
    pub(crate) rotary: Option<[&'v Value; 2]>,
}

/// Attention of `[batch, queries, d_model]` to `[batch, keys, d_model]`, with layers `query`, `key`, `value` and
/// `output`.
pub(crate) fn attention(
    net: &mut Net<'_>,
    layer: &str,
    options: Attention<'_>,
    [queries, keys]: [&Value; 2],
) -> Result<Value, ExportError> {
    let query = net.linear_nd(queries, &format!("{layer}.query"))?;
    let key = net.linear_nd(keys, &format!("{layer}.key"))?;
    let value = net.linear_nd(keys, &format!("{layer}.value"))?;
    let [d_model, _] = *net.shape(&format!("{layer}.query.weight"))? else {
        let reason = format!("`{layer}.query.weight` must have two axes");
        return Err(ExportError::Mismatch(reason));
    };
    let x = attend(net.graph, options, d_model, [query, key, value]);
    net.linear_nd(&x, &format!("{layer}.output"))
}

/// The mean of values, weighted by the products of queries and keys.
fn attend(
    graph: &mut Graph,
    options: Attention<'_>,
    d_model: usize,
    [query, key, value]: [Value; 3],
) -> Value {
    let d_head = d_model / options.heads;
    let split = [0, 0, size(options.heads), size(d_head)];
    let scale = graph.scalar((d_head as f32).sqrt().recip());
    let query = graph.mul(&query, &scale);
    let [mut query, mut key, value] = [query, key, value].map(|x| {
        let x = graph.reshape(&x, &split);
        graph.transpose(&x, &[0, 2, 1, 3])
    });
    if let Some(waves) = options.rotary {
        query = rotate(graph, &query, d_head / 2, waves);
        key = rotate(graph, &key, d_head / 2, waves);
    }
    let key = graph.transpose(&key, &[0, 1, 3, 2]);
    let mut scores = graph.matmul(&query, &key);
    if let Some(mask) = options.mask {
        scores = graph.add(&scores, mask);
    }
    let weights = graph.softmax(&scores, 3);
    let x = graph.matmul(&weights, &value);
    let x = graph.transpose(&x, &[0, 2, 1, 3]);
    graph.reshape(&x, &[0, 0, size(d_model)])
}

/// Rotates the pairs of `[batch, heads, seq, d_head]`, of which each is half a head apart.
fn rotate(graph: &mut Graph, x: &Value, half: usize, [cosines, sines]: [&Value; 2]) -> Value {
    let half = size(half);
    let first = graph.slice(x, 3, 0, half);
    let second = graph.slice(x, 3, half, 2 * half);
    let products = [
        (&first, cosines),
        (&second, sines),
        (&second, cosines),
        (&first, sines),
    ];
    let [a, b, c, d] = products.map(|(x, wave)| graph.mul(x, wave));
    let parts = [graph.sub(&a, &b), graph.add(&c, &d)];
    graph.concat(&parts, 3)
}
