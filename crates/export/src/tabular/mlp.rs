//! The multilayer perceptron, as in `tinderbox_models::tabular::TabularMlp`.

use tinderbox_models::tabular::TabularMlpConfig;

use crate::error::ExportError;
use crate::graph::Value;
use crate::layers::{Hidden, mlp};
use crate::net::Net;

/// The scores of rows of features.
pub(super) fn forward(
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
