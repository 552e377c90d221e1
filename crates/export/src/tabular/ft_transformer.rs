//! The Transformer over columns, as in `tinderbox_models::tabular::FtTransformer`.

use tinderbox_models::tabular::FtTransformerConfig;
use tinderbox_predict::tabular::Spec;

use super::encoder::Rows;
use super::features::{learned, numeric};
use crate::error::ExportError;
use crate::graph::{Value, size};
use crate::layers::{Attention, attention};
use crate::net::{EPSILON, Net};

/// The scores of rows.
pub(super) fn forward(
    net: &mut Net<'_>,
    config: &FtTransformerConfig,
    spec: &Spec,
    rows: &Rows,
) -> Result<Value, ExportError> {
    let mut x = tokens(net, config, spec, rows)?;
    for index in 0..config.n_layers {
        let is_last = index + 1 == config.n_layers;
        x = block(net, &format!("blocks.{index}"), config.n_heads, is_last, &x)?;
    }
    let x = net.graph.squeeze(&x, 1);
    let x = net.layer_norm(&x, "norm", EPSILON)?;
    let x = net.relu(&x);
    net.linear(&x, "output")
}

/// `[batch, 1 + columns, d_model]`
fn tokens(
    net: &mut Net<'_>,
    config: &FtTransformerConfig,
    spec: &Spec,
    rows: &Rows,
) -> Result<Value, ExportError> {
    let mut parts = Vec::new();
    if let Some(x) = &rows.numeric {
        let embedding = &spec.features.numeric_embedding;
        parts.push(numeric(net, embedding, "numeric", x)?);
    }
    if let Some(codes) = &rows.codes {
        let cardinalities = &spec.sizes.cardinalities;
        parts.push(learned(net, codes, "categorical.weight", cardinalities)?);
    }
    let columns = net.graph.concat(&parts, 1);
    // Expanded to the rows by adding zeros of their number.
    let zeros = net.graph.slice(&columns, 1, 0, 1);
    let zero = net.graph.scalar(0.0);
    let zeros = net.graph.mul(&zeros, &zero);
    let cls = net.weight("cls")?;
    let cls = net.graph.reshape(&cls, &[1, 1, size(config.d_model)]);
    let cls = net.graph.add(&zeros, &cls);
    Ok(net.graph.concat(&[cls, columns], 1))
}

fn block(
    net: &mut Net<'_>,
    layer: &str,
    heads: usize,
    is_last: bool,
    input: &Value,
) -> Result<Value, ExportError> {
    let norm = format!("{layer}.attention_norm");
    let keys = if net.has(&format!("{norm}.weight")) {
        net.layer_norm(input, &norm, EPSILON)?
    } else {
        input.clone()
    };
    // The last layer returns the first token only.
    let (queries, input) = if is_last {
        (
            net.graph.slice(&keys, 1, 0, 1),
            net.graph.slice(input, 1, 0, 1),
        )
    } else {
        (keys.clone(), input.clone())
    };
    let name = format!("{layer}.attention");
    let options = Attention {
        heads,
        mask: None,
        rotary: None,
    };
    let branch = attention(net, &name, options, [&queries, &keys])?;
    let input = net.graph.add(&input, &branch);

    let x = net.layer_norm(&input, &format!("{layer}.feed_forward_norm"), EPSILON)?;
    let hidden = net.linear_nd(&x, &format!("{layer}.hidden"))?;
    let gate = net.linear_nd(&x, &format!("{layer}.gate"))?;
    let gate = net.relu(&gate);
    let x = net.graph.mul(&hidden, &gate);
    let x = net.linear_nd(&x, &format!("{layer}.output"))?;
    Ok(net.graph.add(&input, &x))
}
