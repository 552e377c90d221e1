//! Single operations on images.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;
use tinderbox_kernels::{
    Activation, Conv2dGeometry, FeatureMap, activation, avg_pool2d, batch_norm_train,
    conv_transpose2d, conv2d, depthwise_conv2d, global_avg_pool, max_pool2x2, max_pool3x3,
    upsample_bilinear, upsample_nearest,
};

use crate::net::noise;

/// Which operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names of the functions")]
pub enum Kind {
    Conv2d,
    DepthwiseConv2d,
    ConvTranspose2d,
    /// Followed by `ReLU`.
    BatchNorm,
    Relu6,
    Silu,
    HardSwish,
    MaxPool2x2,
    MaxPool3x3,
    AvgPool2d,
    GlobalAvgPool,
    UpsampleNearest,
    UpsampleBilinear,
}

/// An operation on noise of a shape.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Op {
    /// Which one.
    pub kind: Kind,
    /// Number of images.
    pub batch: usize,
    /// Channels of the input and of the output.
    pub channels: [usize; 2],
    /// Height and width of the input.
    pub side: usize,
    /// Height and width of the kernel, or the factor of upsampling and average pooling.
    pub kernel: usize,
    /// Pixels between neighboring kernel positions.
    pub stride: usize,
    /// Rows and columns of zeros on each side.
    pub padding: usize,
}

/// The operations that are compared with PyTorch: those of the networks for images, and the
/// convolutions of a ResNet-18 for images of 32×32 pixels.
pub fn compared_ops() -> Vec<Op> {
    let conv = |channels, side, kernel, stride| Op {
        kernel,
        stride,
        padding: kernel / 2,
        ..Op::new(Kind::Conv2d, 64, channels, side)
    };
    let depthwise = |stride| Op {
        kernel: 3,
        stride,
        padding: 1,
        ..Op::new(Kind::DepthwiseConv2d, 16, [128, 128], 32)
    };
    let transposed = Op::new(Kind::ConvTranspose2d, 16, [128, 64], 16);
    vec![
        depthwise(1),
        depthwise(2),
        transposed.with_factor(2),
        Op::new(Kind::UpsampleBilinear, 16, [128, 128], 16).with_factor(2),
        conv([64, 64], 32, 3, 1),
        conv([128, 128], 16, 3, 1),
        conv([256, 256], 8, 3, 1),
        conv([512, 512], 4, 3, 1),
        conv([64, 128], 32, 3, 2),
        conv([64, 128], 32, 1, 2),
    ]
}

/// Every operation of `tinderbox-kernels` on images.
pub fn image_ops() -> Vec<Op> {
    let mut ops = compared_ops();
    // Pointwise and 5x5, as in EfficientNet; the first layer of a network.
    let wide = |kind| Op::new(kind, 16, [96, 96], 56);
    ops.push(Op {
        channels: [96, 24],
        ..wide(Kind::Conv2d)
    });
    ops.push(Op {
        kernel: 5,
        padding: 2,
        ..wide(Kind::DepthwiseConv2d)
    });
    ops.push(Op {
        kernel: 3,
        padding: 1,
        ..Op::new(Kind::Conv2d, 64, [3, 64], 32)
    });
    ops.extend([Kind::BatchNorm, Kind::Relu6, Kind::Silu, Kind::HardSwish].map(wide));
    ops.extend([Kind::MaxPool2x2, Kind::MaxPool3x3, Kind::GlobalAvgPool].map(wide));
    ops.push(wide(Kind::AvgPool2d).with_factor(2));
    ops.push(Op::new(Kind::UpsampleNearest, 16, [128, 128], 16).with_factor(2));
    ops
}

impl Op {
    fn new(kind: Kind, batch: usize, channels: [usize; 2], side: usize) -> Self {
        Self {
            kind,
            batch,
            channels,
            side,
            kernel: 1,
            stride: 1,
            padding: 0,
        }
    }

    fn with_factor(self, factor: usize) -> Self {
        Self {
            kernel: factor,
            stride: factor,
            ..self
        }
    }

    /// The name of the operation.
    pub fn name(&self) -> String {
        let (kernel, stride) = (self.kernel, self.stride);
        let sized = |name: &str| {
            let strided = if stride == 1 {
                String::new()
            } else {
                format!(", stride {stride}")
            };
            format!("{name} {kernel}x{kernel}{strided}")
        };
        match self.kind {
            Kind::Conv2d => sized("convolution"),
            Kind::DepthwiseConv2d => sized("depthwise convolution"),
            Kind::ConvTranspose2d => sized("transposed convolution"),
            Kind::BatchNorm => "batch norm + ReLU".into(),
            Kind::Relu6 => "ReLU6".into(),
            Kind::Silu => "SiLU".into(),
            Kind::HardSwish => "hard-swish".into(),
            Kind::MaxPool2x2 => "max pooling 2x2".into(),
            Kind::MaxPool3x3 => "max pooling 3x3".into(),
            Kind::AvgPool2d => format!("average pooling {kernel}x{kernel}"),
            Kind::GlobalAvgPool => "global average pooling".into(),
            Kind::UpsampleNearest => format!("nearest upsampling x{kernel}"),
            Kind::UpsampleBilinear => format!("bilinear upsampling x{kernel}"),
        }
    }

    /// Height and width of the output.
    fn output_side(&self) -> usize {
        let Self {
            side,
            kernel,
            stride,
            padding,
            ..
        } = *self;
        match self.kind {
            Kind::Conv2d | Kind::DepthwiseConv2d => (side + 2 * padding - kernel) / stride + 1,
            Kind::ConvTranspose2d => (side - 1) * stride + kernel - 2 * padding,
            Kind::BatchNorm | Kind::Relu6 | Kind::Silu | Kind::HardSwish => side,
            Kind::MaxPool2x2 => side / 2,
            Kind::MaxPool3x3 => side.div_ceil(2),
            Kind::AvgPool2d => side / kernel,
            Kind::GlobalAvgPool => 1,
            Kind::UpsampleNearest | Kind::UpsampleBilinear => side * kernel,
        }
    }

    /// `[batch, channels, height, width]` of the output.
    pub fn output(&self) -> [usize; 4] {
        let side = self.output_side();
        [self.batch, self.channels[1], side, side]
    }

    /// Numbers of the input.
    pub fn elements(&self) -> usize {
        self.batch * self.channels[0] * self.side * self.side
    }

    /// Operations of a forward pass, two for each multiply-add, if it is a convolution.
    pub fn flops(&self) -> Option<usize> {
        let taps = self.kernel * self.kernel;
        let outputs: usize = self.output().iter().product();
        let terms = match self.kind {
            Kind::Conv2d => outputs * self.channels[0] * taps,
            Kind::DepthwiseConv2d => outputs * taps,
            Kind::ConvTranspose2d => self.elements() * self.channels[1] * taps,
            _ => return None,
        };
        Some(2 * terms)
    }

    /// A forward pass, with its result.
    pub fn forward(&self, device: &Device) -> impl Fn() -> Tensor<4> + use<> {
        let function = self.function(device);
        let input = self.input(device);
        move || function(feature_map(input.clone())).into_nchw()
    }

    /// A forward and a backward pass to the input and the weights, with the gradient of the input.
    pub fn forward_backward(&self, device: &Device) -> impl Fn() -> Option<Tensor<4>> + use<> {
        let device = device.clone().autodiff();
        let function = self.function(&device);
        let input = self.input(&device).require_grad();
        move || {
            let output = function(feature_map(input.clone())).into_nchw();
            // The gradient is made in the layout of the output, as the next layer would.
            let gradients = output.permute([0, 2, 3, 1]).backward();
            input.grad(&gradients)
        }
    }

    /// Time of so many forward and backward passes.
    pub fn time(&self, device: &Device) -> impl Fn(usize) -> Duration + use<> {
        let pass = self.forward_backward(device);
        let device = device.clone();
        move |passes| {
            let started = Instant::now();
            for _ in 0..passes {
                black_box(pass());
            }
            let _ = device.sync();
            started.elapsed()
        }
    }

    /// Noise of shape `[batch, height, width, channels]`.
    fn input(&self, device: &Device) -> Tensor<4> {
        let [channels, _] = self.channels;
        tensor([self.batch, self.side, self.side, channels], device)
    }

    /// The operation, with weights that require gradients on a device with autodiff.
    fn function(&self, device: &Device) -> Box<dyn Fn(FeatureMap) -> FeatureMap> {
        let Self { kernel, .. } = *self;
        let [d_input, d_output] = self.channels;
        let geometry = Conv2dGeometry {
            stride: self.stride,
            padding: self.padding,
        };
        let weight = |channels: [usize; 2]| {
            let [first, second] = channels;
            parameter([first, second, kernel, kernel], device)
        };
        let activate = |kind| Box::new(move |x| activation(x, kind));
        match self.kind {
            Kind::Conv2d => {
                let weight = weight([d_output, d_input]);
                Box::new(move |x| conv2d(x, weight.clone(), geometry))
            }
            Kind::DepthwiseConv2d => {
                let weight = weight([d_input, 1]);
                Box::new(move |x| depthwise_conv2d(x, weight.clone(), geometry))
            }
            Kind::ConvTranspose2d => {
                let weight = weight([d_input, d_output]);
                Box::new(move |x| conv_transpose2d(x, weight.clone(), geometry))
            }
            Kind::BatchNorm => batch_norm(d_input, device),
            Kind::Relu6 => activate(Activation::Relu6),
            Kind::Silu => activate(Activation::Silu),
            Kind::HardSwish => activate(Activation::HardSwish),
            Kind::MaxPool2x2 => Box::new(max_pool2x2),
            Kind::MaxPool3x3 => Box::new(max_pool3x3),
            Kind::AvgPool2d => Box::new(move |x| avg_pool2d(x, kernel)),
            Kind::GlobalAvgPool => Box::new(|x| {
                let [batch, channels, _, _] = x.dims();
                let means = global_avg_pool(x).reshape([batch, channels, 1, 1]);
                FeatureMap::from_nchw(means)
            }),
            Kind::UpsampleNearest => Box::new(move |x| upsample_nearest(x, kernel)),
            Kind::UpsampleBilinear => Box::new(move |x| upsample_bilinear(x, kernel)),
        }
    }
}

fn batch_norm(channels: usize, device: &Device) -> Box<dyn Fn(FeatureMap) -> FeatureMap> {
    let [gamma, beta] = [1.0, 0.0].map(|value| {
        let values = Tensor::<1>::full([channels], value, device);
        required(values)
    });
    Box::new(move |x| {
        let (gamma, beta) = (gamma.clone(), beta.clone());
        batch_norm_train(x, gamma, beta, 1e-5, None, Activation::Relu).output
    })
}

/// From values in the layout of the processor's kernels, as a layer before would have left them.
fn feature_map(values: Tensor<4>) -> FeatureMap {
    FeatureMap::from_nchw(values.permute([0, 3, 1, 2]))
}

fn tensor(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let values = noise(shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn parameter(shape: [usize; 4], device: &Device) -> Tensor<4> {
    required(tensor(shape, device))
}

fn required<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    if values.device().is_autodiff() {
        values.require_grad()
    } else {
        values
    }
}

/// The shapes of the input and the output.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [batch, d_output, height, width] = self.output();
        let (side, [d_input, _]) = (self.side, self.channels);
        write!(
            f,
            "{batch}x{d_input}x{side}x{side} to {d_output}x{height}x{width}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_shape_and_a_gradient() {
        let device = Device::flex();
        for op in image_ops() {
            let small = Op { batch: 1, ..op };
            assert_eq!(small.forward(&device)().dims(), small.output(), "{op:?}");
            let gradient = small.forward_backward(&device)().unwrap();
            let [channels, _] = op.channels;
            assert_eq!(gradient.dims(), [1, op.side, op.side, channels], "{op:?}");
            assert!(small.time(&device)(1) > Duration::ZERO);
        }
    }

    #[test]
    fn operations_of_a_convolution_are_counted_twice_per_term() {
        let ops = compared_ops();
        // 64 images of 32x32 pixels, 64 channels of 64 times 9 terms.
        let conv = ops.iter().find(|op| op.kind == Kind::Conv2d).unwrap();
        assert_eq!(conv.flops(), Some(2 * 64 * 1024 * 64 * 64 * 9));
        // Every pixel of the output has 128 terms.
        let transposed = Kind::ConvTranspose2d;
        let transposed = ops.iter().find(|op| op.kind == transposed).unwrap();
        assert_eq!(transposed.flops(), Some(2 * 16 * 64 * 1024 * 128));
    }
}
