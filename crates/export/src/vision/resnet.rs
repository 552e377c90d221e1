//! The residual network, as in `tinderbox_models::vision::ResNet`.

use tinderbox_models::vision::{BlockKind, ResNetConfig, Stem};

use super::conv_norm::{conv_norm_relu, plain};
use crate::error::ExportError;
use crate::graph::Value;
use crate::net::Net;

/// The logits of images.
pub(super) fn forward(
    net: &mut Net<'_>,
    config: &ResNetConfig,
    x: &Value,
) -> Result<Value, ExportError> {
    let x = match stages(net, "", config, x)?.pop() {
        Some(x) => x,
        None => x.clone(),
    };
    let x = net.global_average(&x);
    net.linear(&x, "output")
}

/// The feature maps of every stage; `prefix` is before the names of its layers.
pub(super) fn stages(
    net: &mut Net<'_>,
    prefix: &str,
    config: &ResNetConfig,
    x: &Value,
) -> Result<Vec<Value>, ExportError> {
    let stem = format!("{prefix}stem");
    let mut x = match config.stem {
        Stem::Small => conv_norm_relu(net, x, &stem, 1)?,
        Stem::Large => {
            let x = conv_norm_relu(net, x, &stem, 2)?;
            net.max_pool(&x, 3, 2, 1)
        }
    };
    let mut maps = Vec::with_capacity(config.blocks_per_stage.len());
    for (stage, &blocks) in config.blocks_per_stage.iter().enumerate() {
        for index in 0..blocks {
            let stride = if index == 0 && stage > 0 { 2 } else { 1 };
            let layer = format!("{prefix}stages.{stage}.{index}");
            x = block(net, &layer, config.block, stride, &x)?;
        }
        maps.push(x.clone());
    }
    Ok(maps)
}

fn block(
    net: &mut Net<'_>,
    layer: &str,
    kind: BlockKind,
    stride: usize,
    input: &Value,
) -> Result<Value, ExportError> {
    // Strides of the convolutions.
    let strides: &[usize] = match kind {
        BlockKind::Basic => &[stride, 1],
        BlockKind::Bottleneck => &[1, stride, 1],
    };
    let mut x = input.clone();
    for (index, &stride) in strides.iter().enumerate() {
        if index > 0 {
            x = net.relu(&x);
        }
        x = plain(net, &x, &format!("{layer}.convs.{index}"), stride)?;
    }
    let shortcut = format!("{layer}.shortcut");
    let residual = if net.has(&format!("{shortcut}.conv.weight")) {
        plain(net, input, &shortcut, stride)?
    } else {
        input.clone()
    };
    let x = net.graph.add(&x, &residual);
    Ok(net.relu(&x))
}
