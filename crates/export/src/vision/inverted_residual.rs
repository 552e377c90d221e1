//! EfficientNet-Lite and MobileNetV3-Small, as in `tinderbox_models::vision`.

use tinderbox_models::vision::{EfficientNetLiteConfig, MobileNetV3Config, Padding};

use super::conv_norm::{Activation, ConvNorm, activate, conv_norm, hard_sigmoid};
use super::flip;
use crate::error::ExportError;
use crate::graph::Value;
use crate::net::Net;

/// Stages of inverted residual blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stages {
    /// Stride of the first block of each stage; the others have 1.
    strides: &'static [usize],
    /// Activation of the stem and the head.
    activation: Activation,
    /// Activation of the blocks of each stage.
    of_stage: fn(usize) -> Activation,
    epsilon: f64,
    padding: Padding,
}

impl From<&EfficientNetLiteConfig> for Stages {
    fn from(config: &EfficientNetLiteConfig) -> Self {
        Self {
            strides: &[1, 2, 2, 2, 1, 2, 1],
            activation: Activation::Relu6,
            of_stage: |_| Activation::Relu6,
            epsilon: config.norm_epsilon,
            padding: config.padding,
        }
    }
}

impl From<&MobileNetV3Config> for Stages {
    fn from(config: &MobileNetV3Config) -> Self {
        Self {
            strides: &[2, 2, 2, 1, 2],
            activation: Activation::HardSwish,
            of_stage: |stage| match stage {
                0 | 1 => Activation::Relu,
                _ => Activation::HardSwish,
            },
            epsilon: config.norm_epsilon,
            padding: config.padding,
        }
    }
}

impl Stages {
    fn layer(
        &self,
        net: &mut Net<'_>,
        x: &Value,
        layer: &str,
        stride: usize,
        activation: Activation,
    ) -> Result<Value, ExportError> {
        let options = ConvNorm {
            stride,
            is_depthwise: layer.ends_with("depthwise"),
            epsilon: self.epsilon,
        };
        let x = conv_norm(net, x, layer, options)?;
        Ok(activate(net, &x, activation))
    }

    /// The features that the last linear layers read.
    fn features(&self, net: &mut Net<'_>, x: &Value) -> Result<Value, ExportError> {
        let maps = self.turned_maps(net, "", x)?;
        let x = maps.last().unwrap_or(x);
        let x = self.layer(net, x, "head", 1, self.activation)?;
        Ok(net.global_average(&x))
    }

    /// The feature maps of every stage there is; `prefix` is before the names of its layers.
    pub(super) fn maps(
        &self,
        net: &mut Net<'_>,
        prefix: &str,
        x: &Value,
    ) -> Result<Vec<Value>, ExportError> {
        let maps = self.turned_maps(net, prefix, x)?.into_iter();
        Ok(maps.map(|map| self.turn(net, &map)).collect())
    }

    fn turn(&self, net: &mut Net<'_>, x: &Value) -> Value {
        match self.padding {
            Padding::Symmetric => x.clone(),
            Padding::Same => flip(net.graph, x, &[2, 3]),
        }
    }

    /// The feature maps as the network sees them, which may be turned.
    fn turned_maps(
        &self,
        net: &mut Net<'_>,
        prefix: &str,
        x: &Value,
    ) -> Result<Vec<Value>, ExportError> {
        let x = self.turn(net, x);
        let mut x = self.layer(net, &x, &format!("{prefix}stem"), 2, self.activation)?;
        let mut maps = Vec::with_capacity(self.strides.len());
        for (stage, &stride) in self.strides.iter().enumerate() {
            let mut index = 0;
            loop {
                let layer = format!("{prefix}stages.{stage}.{index}");
                if !net.has(&format!("{layer}.projection.conv.weight")) {
                    break;
                }
                let stride = if index == 0 { stride } else { 1 };
                x = self.block(net, &layer, stride, (self.of_stage)(stage), &x)?;
                index += 1;
            }
            if index == 0 {
                break;
            }
            maps.push(x.clone());
        }
        Ok(maps)
    }

    fn block(
        &self,
        net: &mut Net<'_>,
        layer: &str,
        stride: usize,
        activation: Activation,
        input: &Value,
    ) -> Result<Value, ExportError> {
        let expansion = format!("{layer}.expansion");
        let depthwise = format!("{layer}.depthwise");
        let has_expansion = net.has(&format!("{expansion}.conv.weight"));
        let d_inner = net.shape(&format!("{depthwise}.conv.weight"))?[0];
        let d_input = if has_expansion {
            net.shape(&format!("{expansion}.conv.weight"))?[1]
        } else {
            d_inner
        };
        let d_output = net.shape(&format!("{layer}.projection.conv.weight"))?[0];
        let mut x = input.clone();
        if has_expansion {
            x = self.layer(net, &x, &expansion, 1, activation)?;
        }
        x = self.layer(net, &x, &depthwise, stride, activation)?;
        let squeeze = format!("{layer}.squeeze");
        if net.has(&format!("{squeeze}.reduce.weight")) {
            x = squeeze_excitation(net, &squeeze, &x)?;
        }
        let projection = format!("{layer}.projection");
        x = self.layer(net, &x, &projection, 1, Activation::Identity)?;
        Ok(if stride == 1 && d_input == d_output {
            net.graph.add(&x, input)
        } else {
            x
        })
    }
}

fn squeeze_excitation(net: &mut Net<'_>, layer: &str, x: &Value) -> Result<Value, ExportError> {
    let means = net.global_average(x);
    let squeezed = net.linear(&means, &format!("{layer}.reduce"))?;
    let squeezed = net.relu(&squeezed);
    let gates = net.linear(&squeezed, &format!("{layer}.expand"))?;
    let gates = hard_sigmoid(net, &gates);
    let gates = net.graph.unsqueeze(&gates, 2);
    let gates = net.graph.unsqueeze(&gates, 3);
    Ok(net.graph.mul(x, &gates))
}

/// The logits of images by EfficientNet-Lite.
pub(super) fn efficientnet(
    net: &mut Net<'_>,
    config: &EfficientNetLiteConfig,
    x: &Value,
) -> Result<Value, ExportError> {
    let x = Stages::from(config).features(net, x)?;
    net.linear(&x, "output")
}

/// The logits of images by MobileNetV3-Small.
pub(super) fn mobilenet(
    net: &mut Net<'_>,
    config: &MobileNetV3Config,
    x: &Value,
) -> Result<Value, ExportError> {
    let x = Stages::from(config).features(net, x)?;
    let x = net.linear(&x, "hidden")?;
    let x = activate(net, &x, Activation::HardSwish);
    net.linear(&x, "output")
}
