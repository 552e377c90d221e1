//! The Transformer encoder, as in `tinderbox_models::text::TextEncoder`.

use tinderbox_models::layers::Pooling;
use tinderbox_models::text::{Positions, TextEncoderConfig};

use super::{Tokens, attention_mask, of_positions};
use crate::error::ExportError;
use crate::graph::Value;
use crate::layers::{Attention, attention};
use crate::net::{EPSILON, Net};

/// Base of the rotary position embeddings.
const ROTARY_BASE: f64 = 10_000.0;

/// The logits of texts, or of tokens.
pub(super) fn forward(
    net: &mut Net<'_>,
    config: &TextEncoderConfig,
    is_tagger: bool,
    tokens: &Tokens,
) -> Result<Value, ExportError> {
    let table = net.weight("tokens.weight")?;
    let mut x = net.graph.gather(&table, &tokens.ids, 0);
    if net.has("positions.weight") {
        let positions = net.weight("positions.weight")?;
        let positions = of_positions(net.graph, &positions, tokens);
        x = net.graph.add(&x, &positions);
    }
    let mask = attention_mask(net.graph, tokens);
    let waves = match config.positions {
        Positions::Learned => None,
        Positions::Rotary => Some(rotary(net, config, tokens)),
    };
    let options = Attention {
        heads: config.n_heads,
        mask: Some(&mask),
        rotary: waves.as_ref().map(|[cosines, sines]| [cosines, sines]),
    };
    for index in 0..config.n_layers {
        x = layer(net, &format!("layers.{index}"), options, &x)?;
    }
    x = net.layer_norm(&x, "norm", EPSILON)?;
    if is_tagger {
        return net.linear_nd(&x, "head");
    }
    let x = match config.pooling {
        Pooling::Cls => {
            let x = net.graph.slice(&x, 1, 0, 1);
            net.graph.squeeze(&x, 1)
        }
        Pooling::Mean => mean(net, &x, tokens),
    };
    net.linear(&x, "head")
}

fn layer(
    net: &mut Net<'_>,
    layer: &str,
    options: Attention<'_>,
    x: &Value,
) -> Result<Value, ExportError> {
    let branch = net.layer_norm(x, &format!("{layer}.attention_norm"), EPSILON)?;
    let name = format!("{layer}.attention");
    let branch = attention(net, &name, options, [&branch, &branch])?;
    let x = net.graph.add(x, &branch);
    let branch = net.layer_norm(&x, &format!("{layer}.feed_forward_norm"), EPSILON)?;
    let branch = net.linear_nd(&branch, &format!("{layer}.feed_forward.up"))?;
    let branch = net.gelu(&branch);
    let branch = net.linear_nd(&branch, &format!("{layer}.feed_forward.down"))?;
    Ok(net.graph.add(&x, &branch))
}

/// Cosines and sines of the positions, `[seq, d_head / 2]`.
fn rotary(net: &mut Net<'_>, config: &TextEncoderConfig, tokens: &Tokens) -> [Value; 2] {
    let d_head = config.d_model / config.n_heads;
    let half = d_head / 2;
    let angle = |index: usize| {
        let (position, pair) = (index / half, index % half);
        position as f64 * ROTARY_BASE.powf(-((2 * pair) as f64) / d_head as f64)
    };
    [f64::cos, f64::sin].map(|wave| {
        let values = (0..tokens.max_len * half).map(|index| wave(angle(index)) as f32);
        let values: Vec<f32> = values.collect();
        let table = net.graph.floats(&[tokens.max_len, half], &values);
        of_positions(net.graph, &table, tokens)
    })
}

/// Mean over the tokens that are not padding.
fn mean(net: &mut Net<'_>, x: &Value, tokens: &Tokens) -> Value {
    let graph = &mut *net.graph;
    let count = graph.sum(&tokens.kept, 1, true);
    let one = graph.scalar(1.0);
    let count = graph.op("Max", &[&count, &one]);
    let weights = graph.div(&tokens.kept, &count);
    let weights = graph.unsqueeze(&weights, 1);
    let x = graph.matmul(&weights, x);
    graph.squeeze(&x, 1)
}
