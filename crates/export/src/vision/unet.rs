//! The networks that score every pixel, as in `tinderbox_models::vision`.

use tinderbox_models::vision::{
    BackboneKind, BackboneUNetConfig, EfficientNetLiteConfig, Padding, ResNetConfig, UNetConfig,
};

use super::conv_norm::conv_norm_relu;
use super::inverted_residual::Stages;
use super::{enlarge, resnet};
use crate::error::ExportError;
use crate::graph::{Value, int, ints};
use crate::net::{Conv, Net};

/// Number of times that every backbone halves an image.
const HALVINGS: usize = 5;

/// A convolution of single pixels.
const POINT: Conv = Conv {
    stride: 1,
    padding: 0,
    groups: 1,
};

/// The logits of every pixel by the U-Net.
pub(super) fn unet(
    net: &mut Net<'_>,
    config: &UNetConfig,
    x: &Value,
) -> Result<Value, ExportError> {
    let mut x = x.clone();
    let mut skips = Vec::with_capacity(config.depth);
    for level in 0..config.depth {
        x = double_conv(net, &x, &format!("encoder.{level}"))?;
        skips.push(x.clone());
        x = net.max_pool(&x, 2, 2, 0);
    }
    x = double_conv(net, &x, "bottleneck")?;
    for (index, skip) in skips.into_iter().rev().enumerate() {
        let up = conv_transpose(net, &x, &format!("decoder.{index}.upsample"))?;
        x = net.graph.concat(&[skip, up], 1);
        x = double_conv(net, &x, &format!("decoder.{index}.convs"))?;
    }
    net.conv(&x, "output", POINT)
}

fn double_conv(net: &mut Net<'_>, x: &Value, layer: &str) -> Result<Value, ExportError> {
    let x = conv_norm_relu(net, x, &format!("{layer}.first"), 1)?;
    conv_norm_relu(net, &x, &format!("{layer}.second"), 1)
}

/// A transposed convolution that doubles the resolution.
fn conv_transpose(net: &mut Net<'_>, x: &Value, layer: &str) -> Result<Value, ExportError> {
    let weight = net.weight(&format!("{layer}.weight"))?;
    let bias = net.weight(&format!("{layer}.bias"))?;
    let attributes = vec![
        ints("kernel_shape", &[2; 2]),
        ints("strides", &[2; 2]),
        ints("pads", &[0; 4]),
        int("group", 1),
    ];
    Ok(net
        .graph
        .op_with("ConvTranspose", &[x, &weight, &bias], attributes))
}

/// The logits of every pixel by a U-Net with a classifier as its encoder.
pub(super) fn backbone_unet(
    net: &mut Net<'_>,
    config: &BackboneUNetConfig,
    x: &Value,
) -> Result<Value, ExportError> {
    let (maps, skips) = encoder(net, config.backbone, x)?;
    let Some(mut x) = maps.last().cloned() else {
        return Err(ExportError::Mismatch("there are no stages".to_owned()));
    };
    for index in 0..config.decoder_channels.len() {
        x = enlarge(net.graph, &x, 2, false);
        if let Some(&stage) = skips.get(index) {
            x = net.graph.concat(&[maps[stage].clone(), x], 1);
        }
        x = double_conv(net, &x, &format!("decoder.{index}"))?;
    }
    let x = net.conv(&x, "output", POINT)?;
    let factor = 1 << (HALVINGS - config.decoder_channels.len().min(HALVINGS));
    Ok(if factor > 1 {
        enlarge(net.graph, &x, factor, true)
    } else {
        x
    })
}

/// The feature maps of the stages, and the stage that each step of the decoder reads, which are those of strides
/// 16, 8, 4 and 2.
fn encoder(
    net: &mut Net<'_>,
    kind: BackboneKind,
    x: &Value,
) -> Result<(Vec<Value>, &'static [usize]), ExportError> {
    let lite = |config: EfficientNetLiteConfig| Stages::from(&config);
    let tensorflow = |config: EfficientNetLiteConfig| {
        lite(config.with_padding(Padding::Same).with_norm_epsilon(1e-3))
    };
    let config = EfficientNetLiteConfig::lite0(1, 1);
    let stages = match kind {
        BackboneKind::Resnet18 => return resnet_encoder(net, &ResNetConfig::resnet18(1, 1), x),
        BackboneKind::Resnet34 => return resnet_encoder(net, &ResNetConfig::resnet34(1, 1), x),
        BackboneKind::Resnet50 => return resnet_encoder(net, &ResNetConfig::resnet50(1, 1), x),
        BackboneKind::EfficientnetLite0
        | BackboneKind::EfficientnetLite1
        | BackboneKind::EfficientnetLite2 => lite(config),
        BackboneKind::TfEfficientnetLite0
        | BackboneKind::TfEfficientnetLite1
        | BackboneKind::TfEfficientnetLite2 => tensorflow(config),
    };
    let maps = stages.maps(net, "backbone.EfficientNetLite.", x)?;
    Ok((maps, &[4, 2, 1, 0]))
}

fn resnet_encoder(
    net: &mut Net<'_>,
    config: &ResNetConfig,
    x: &Value,
) -> Result<(Vec<Value>, &'static [usize]), ExportError> {
    let maps = resnet::stages(net, "backbone.ResNet.", config, x)?;
    Ok((maps, &[2, 1, 0]))
}
