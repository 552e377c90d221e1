//! The networks for rows of a table, as in `tinderbox_models::tabular`.

use tinderbox_models::Template;
use tinderbox_models::tabular::{
    FtTransformerConfig, TabMConfig, TabularMlpConfig, TabularResNetConfig,
};
use tinderbox_predict::tabular::{Architecture, Spec};

use super::encoder::Rows;
use super::features::{features, learned, numeric};
use crate::error::ExportError;
use crate::graph::{Value, size};
use crate::layers::{Attention, Hidden, mlp};
use crate::net::{EPSILON, Net};

/// The scores of each member, `[batch, members, d_output]`; of a network without members, `[batch, d_output]`.
pub(super) enum Scores {
    One(Value),
    Members(Value),
}

pub(super) fn forward(net: &mut Net<'_>, spec: &Spec, rows: &Rows) -> Result<Scores, ExportError> {
    match &spec.model {
        Architecture::Mlp(Template(config)) => {
            let x = features(net, spec, rows)?;
            tabular_mlp(net, config, &x).map(Scores::One)
        }
        Architecture::Resnet(Template(config)) => {
            let x = features(net, spec, rows)?;
            resnet(net, config, &x).map(Scores::One)
        }
        Architecture::FtTransformer(Template(config)) => {
            ft_transformer(net, config, spec, rows).map(Scores::One)
        }
        Architecture::Tabm(Template(config)) => {
            let x = features(net, spec, rows)?;
            tabm(net, config, &x).map(Scores::Members)
        }
    }
}

fn tabular_mlp(
    net: &mut Net<'_>,
    config: &TabularMlpConfig,
    x: &Value,
) -> Result<Value, ExportError> {
    let hidden = Hidden {
        layers: config.hidden.len(),
        activation: config.activation,
        normalization: config.normalization,
    };
    mlp(net, "mlp.", hidden, x)
}

fn resnet(
    net: &mut Net<'_>,
    config: &TabularResNetConfig,
    x: &Value,
) -> Result<Value, ExportError> {
    let mut x = net.linear(x, "input")?;
    for block in 0..config.n_blocks {
        let layer = format!("blocks.{block}");
        let branch = net.batch_norm(&x, &format!("{layer}.norm"), EPSILON)?;
        let branch = net.linear(&branch, &format!("{layer}.hidden"))?;
        let branch = net.relu(&branch);
        let branch = net.linear(&branch, &format!("{layer}.output"))?;
        x = net.graph.add(&x, &branch);
    }
    let x = net.batch_norm(&x, "norm", EPSILON)?;
    let x = net.relu(&x);
    net.linear(&x, "output")
}

/// Members come first inside, as `[members, batch, d]`.
fn tabm(net: &mut Net<'_>, config: &TabMConfig, x: &Value) -> Result<Value, ExportError> {
    let mut x = net.graph.unsqueeze(x, 0);
    if net.has("scale") {
        let scale = per_member(net, "scale")?;
        x = net.graph.mul(&x, &scale);
    }
    for block in 0..config.n_blocks {
        let layer = format!("blocks.{block}");
        let linear = format!("{layer}.linear");
        let adapters = format!("{layer}.adapters");
        if net.has(&format!("{adapters}.r")) {
            let [r, s, bias] = ["r", "s", "bias"].map(|part| format!("{adapters}.{part}"));
            let (r, s, bias) = (
                per_member(net, &r)?,
                per_member(net, &s)?,
                per_member(net, &bias)?,
            );
            x = net.graph.mul(&x, &r);
            x = net.linear_nd(&x, &linear)?;
            x = net.graph.mul(&x, &s);
            x = net.graph.add(&x, &bias);
        } else {
            x = net.linear_nd(&x, &linear)?;
        }
        x = net.relu(&x);
    }
    let weight = net.weight("output.weight")?;
    let bias = per_member(net, "output.bias")?;
    let x = net.graph.matmul(&x, &weight);
    let x = net.graph.add(&x, &bias);
    Ok(net.graph.transpose(&x, &[1, 0, 2]))
}

/// `[members, 1, d]`
fn per_member(net: &mut Net<'_>, name: &str) -> Result<Value, ExportError> {
    let weight = net.weight(name)?;
    Ok(net.graph.unsqueeze(&weight, 1))
}

fn ft_transformer(
    net: &mut Net<'_>,
    config: &FtTransformerConfig,
    spec: &Spec,
    rows: &Rows,
) -> Result<Value, ExportError> {
    let mut x = tokens(net, config, spec, rows)?;
    for block in 0..config.n_layers {
        let is_last = block + 1 == config.n_layers;
        x = ft_block(net, &format!("blocks.{block}"), config.n_heads, is_last, &x)?;
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

fn ft_block(
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
    let attention = format!("{layer}.attention");
    let options = Attention {
        heads,
        mask: None,
        rotary: None,
    };
    let branch = crate::layers::attention(net, &attention, options, [&queries, &keys])?;
    let input = net.graph.add(&input, &branch);

    let x = net.layer_norm(&input, &format!("{layer}.feed_forward_norm"), EPSILON)?;
    let hidden = net.linear_nd(&x, &format!("{layer}.hidden"))?;
    let gate = net.linear_nd(&x, &format!("{layer}.gate"))?;
    let gate = net.relu(&gate);
    let x = net.graph.mul(&hidden, &gate);
    let x = net.linear_nd(&x, &format!("{layer}.output"))?;
    Ok(net.graph.add(&input, &x))
}
