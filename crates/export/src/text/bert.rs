//! BERT and its relatives, as in `tinderbox_models::text::Bert`.

use tinderbox_models::text::BertConfig;
use tinderbox_predict::text::PretrainedNetwork;

use super::{Tokens, attention_mask, of_positions};
use crate::error::ExportError;
use crate::graph::Value;
use crate::layers::{Attention, attention};
use crate::net::Net;

/// The logits of texts, or of tokens.
pub(super) fn forward(
    net: &mut Net<'_>,
    network: &PretrainedNetwork,
    is_tagger: bool,
    tokens: &Tokens,
) -> Result<Value, ExportError> {
    let x = encode(net, &network.bert, tokens)?;
    if is_tagger {
        return net.linear_nd(&x, "head");
    }
    let first = net.graph.slice(&x, 1, 0, 1);
    let first = net.graph.squeeze(&first, 1);
    let x = net.linear(&first, "pooler")?;
    let x = net.activation(&x, network.head_activation);
    net.linear(&x, "head")
}

/// A vector per token.
fn encode(net: &mut Net<'_>, config: &BertConfig, tokens: &Tokens) -> Result<Value, ExportError> {
    let table = net.weight("bert.tokens.weight")?;
    let x = net.graph.gather(&table, &tokens.ids, 0);
    let positions = net.weight("bert.positions.weight")?;
    let positions = of_positions(net.graph, &positions, tokens);
    let mut x = net.graph.add(&x, &positions);
    if let Some(types) = &tokens.types {
        let table = net.weight("bert.types.weight")?;
        let types = net.graph.gather(&table, types, 0);
        x = net.graph.add(&x, &types);
    }
    x = net.layer_norm(&x, "bert.norm", config.epsilon)?;
    let mask = attention_mask(net.graph, tokens);
    let options = Attention {
        heads: config.n_heads,
        mask: Some(&mask),
        rotary: None,
    };
    for index in 0..config.n_layers {
        x = layer(net, &format!("bert.layers.{index}"), config, options, &x)?;
    }
    Ok(x)
}

fn layer(
    net: &mut Net<'_>,
    layer: &str,
    config: &BertConfig,
    options: Attention<'_>,
    x: &Value,
) -> Result<Value, ExportError> {
    let name = format!("{layer}.attention");
    let branch = attention(net, &name, options, [x, x])?;
    let x = net.graph.add(x, &branch);
    let x = net.layer_norm(&x, &format!("{layer}.attention_norm"), config.epsilon)?;
    let branch = net.linear_nd(&x, &format!("{layer}.feed_forward.up"))?;
    let branch = net.activation(&branch, config.activation);
    let branch = net.linear_nd(&branch, &format!("{layer}.feed_forward.down"))?;
    let x = net.graph.add(&x, &branch);
    net.layer_norm(&x, &format!("{layer}.feed_forward_norm"), config.epsilon)
}
