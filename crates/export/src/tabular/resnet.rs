//! The residual network, as in `tinderbox_models::tabular::TabularResNet`.

use tinderbox_models::tabular::TabularResNetConfig;

use crate::error::ExportError;
use crate::graph::Value;
use crate::net::{EPSILON, Net};

/// The scores of rows of features.
pub(super) fn forward(
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
