//! A convolution with batch normalization, as in `tinderbox_models::layers`.

use crate::error::ExportError;
use crate::graph::Value;
use crate::net::{Conv, EPSILON, Net};

/// What follows a normalization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    Identity,
    Relu,
    Relu6,
    HardSwish,
    Silu,
}

/// Geometry and normalization of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvNorm {
    pub(super) stride: usize,
    pub(super) is_depthwise: bool,
    /// Added to the variance.
    pub(super) epsilon: f64,
}

/// A convolution and batch normalization.
pub(super) fn conv_norm(
    net: &mut Net<'_>,
    x: &Value,
    layer: &str,
    options: ConvNorm,
) -> Result<Value, ExportError> {
    let conv = format!("{layer}.conv");
    let &[d_output, _, kernel, _] = net.shape(&format!("{conv}.weight"))? else {
        let reason = format!("`{conv}.weight` must have four axes");
        return Err(ExportError::Mismatch(reason));
    };
    let groups = if options.is_depthwise { d_output } else { 1 };
    let geometry = Conv {
        groups,
        ..Conv::same(kernel, options.stride)
    };
    let x = net.conv(x, &conv, geometry)?;
    net.batch_norm(&x, &format!("{layer}.norm"), options.epsilon)
}

/// The same with `ReLU`.
pub(super) fn conv_norm_relu(
    net: &mut Net<'_>,
    x: &Value,
    layer: &str,
    stride: usize,
) -> Result<Value, ExportError> {
    let x = plain(net, x, layer, stride)?;
    Ok(net.relu(&x))
}

/// A convolution and batch normalization with its usual constant.
pub(super) fn plain(
    net: &mut Net<'_>,
    x: &Value,
    layer: &str,
    stride: usize,
) -> Result<Value, ExportError> {
    let options = ConvNorm {
        stride,
        is_depthwise: false,
        epsilon: EPSILON,
    };
    conv_norm(net, x, layer, options)
}

/// Applies an activation.
pub(super) fn activate(net: &mut Net<'_>, x: &Value, activation: Activation) -> Value {
    match activation {
        Activation::Identity => x.clone(),
        Activation::Relu => net.relu(x),
        Activation::Relu6 => clip6(net, x),
        Activation::HardSwish => {
            let gate = hard_sigmoid(net, x);
            net.graph.mul(x, &gate)
        }
        Activation::Silu => net.silu(x),
    }
}

/// `relu6(x + 3) / 6`
pub(super) fn hard_sigmoid(net: &mut Net<'_>, x: &Value) -> Value {
    let (three, six) = (net.graph.scalar(3.0), net.graph.scalar(6.0));
    let x = net.graph.add(x, &three);
    let x = clip6(net, &x);
    net.graph.div(&x, &six)
}

fn clip6(net: &mut Net<'_>, x: &Value) -> Value {
    let (low, high) = (net.graph.scalar(0.0), net.graph.scalar(6.0));
    net.graph.op("Clip", &[x, &low, &high])
}
