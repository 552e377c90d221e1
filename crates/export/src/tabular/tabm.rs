//! `TabM`, as in `tinderbox_models::tabular::TabM`.

use tinderbox_models::tabular::TabMConfig;

use crate::error::ExportError;
use crate::graph::Value;
use crate::net::Net;

/// The scores of every member for rows of features, `[batch, members, d_output]`.
///
/// Members come first inside, as `[members, batch, d]`.
pub(super) fn forward(
    net: &mut Net<'_>,
    config: &TabMConfig,
    x: &Value,
) -> Result<Value, ExportError> {
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
