//! The plain convolutional network, as in `tinderbox_models::vision::Cnn`.

use tinderbox_models::vision::CnnConfig;

use super::conv_norm::conv_norm_relu;
use crate::error::ExportError;
use crate::graph::{Value, int};
use crate::net::Net;

/// Minimum side of a feature map that is still pooled.
const MIN_POOLED_SIDE: usize = 4;

/// The logits of images of `[height, width]`, of which the configuration of a recipe has no sizes.
pub(super) fn forward(
    net: &mut Net<'_>,
    config: &CnnConfig,
    mut plane: [usize; 2],
    x: &Value,
) -> Result<Value, ExportError> {
    let mut x = x.clone();
    for block in 0..config.block_channels.len() {
        let pooled = plane.iter().all(|&side| side >= MIN_POOLED_SIDE);
        let last = config.convs_per_block - 1;
        let pooled_after = if config.early_pooling { 0 } else { last };
        for conv in 0..=last {
            x = conv_norm_relu(net, &x, &format!("blocks.{block}.convs.{conv}"), 1)?;
            if pooled && conv == pooled_after {
                plane = plane.map(|side| side / 2);
                x = net.max_pool(&x, 2, 2, 0);
            }
        }
    }
    let x = if config.d_hidden > 0 {
        let x = net.graph.op_with("Flatten", &[&x], vec![int("axis", 1)]);
        let x = net.linear(&x, "hidden")?;
        net.relu(&x)
    } else {
        net.global_average(&x)
    };
    net.linear(&x, "output")
}
