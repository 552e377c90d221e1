use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::BatchNormOutput;
use crate::FeatureMap;
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::simd_math::LANES;
use crate::flex::tensors::{contiguous, into_flex, tensor};

pub(super) fn batch_norm_train(
    input: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    relu: bool,
) -> BatchNormOutput {
    let device = input.device();
    let untracked = if device.is_autodiff() {
        input.clone().inner()
    } else {
        input.clone()
    };
    let [_, channels, _, _] = input.dims();
    let [mean, variance] = moments(&into_flex(untracked));
    let constant = |values: &[f32]| {
        let values = tensor(values.to_vec(), [channels]);
        on_device(Tensor::from_primitive::<Flex>(values), &device)
    };
    let [mean_tensor, variance_tensor] = [&mean, &variance].map(|values| constant(values));
    let operation = Normalize {
        mean,
        variance,
        epsilon,
        relu,
    };
    let others = vec![gamma.into_dispatch(), beta.into_dispatch()];
    BatchNormOutput {
        output: FeatureMap::from_nchw(apply(operation, Inputs::new(input.into_dispatch(), others))),
        mean: mean_tensor,
        variance: variance_tensor,
    }
}

fn on_device(tensor: Tensor<1>, device: &Device) -> Tensor<1> {
    if device.is_autodiff() {
        Tensor::from_inner(tensor)
    } else {
        tensor
    }
}

/// Mean and biased variance of each channel.
fn moments(input: &FlexTensor) -> [Vec<f32>; 2] {
    let [batch, channels, height, width] = input.shape().dims();
    let pixels = height * width;
    let count = (batch * pixels) as f64;
    let input = contiguous(input);
    let input = input.storage::<f32>();
    let moments = |channel: usize| {
        let planes = || planes(input, channel, channels, pixels);
        let total: f64 = planes()
            .map(|plane| two_sums(plane, plane, |x, _| [x, 0.0])[0])
            .sum();
        let mean = (total / count) as f32;
        let square = |x: f32, _| [(x - mean) * (x - mean), 0.0];
        let squares: f64 = planes()
            .map(|plane| two_sums(plane, plane, square)[0])
            .sum();
        (mean, (squares / count) as f32)
    };
    let (means, variances) = (0..channels).into_par_iter().map(moments).unzip();
    [means, variances]
}

/// Inputs: the images, gamma and beta.
#[derive(Debug)]
struct Normalize {
    /// Mean of each channel. A function of the input: its gradient includes them.
    mean: Vec<f32>,
    /// Biased variance of each channel, likewise.
    variance: Vec<f32>,
    epsilon: f64,
    relu: bool,
}

/// The affine function that normalizes a channel.
#[derive(Clone, Copy)]
struct Channel {
    mean: f32,
    /// Reciprocal of the standard deviation.
    inverse_std: f32,
    /// The output before ReLU is `scale * x + shift`.
    scale: f32,
    shift: f32,
    /// Outputs up to this value have no gradient: 0 with ReLU, negative infinity without.
    floor: f32,
}

impl Channel {
    fn output(self, x: f32) -> f32 {
        self.scale * x + self.shift
    }

    /// Gradient before ReLU.
    fn gradient(self, x: f32, gradient: f32) -> f32 {
        if self.output(x) > self.floor {
            gradient
        } else {
            0.0
        }
    }
}

/// Sums two functions of corresponding elements.
fn two_sums(left: &[f32], right: &[f32], term: impl Fn(f32, f32) -> [f32; 2]) -> [f64; 2] {
    let mut lanes = [[0.0_f32; LANES]; 2];
    let mut add = |lane: usize, left: f32, right: f32| {
        let [first, second] = term(left, right);
        lanes[0][lane] += first;
        lanes[1][lane] += second;
    };
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            add(lane, left[lane], right[lane]);
        }
    }
    for (lane, (left, right)) in left_rest.iter().zip(right_rest).enumerate() {
        add(lane, *left, *right);
    }
    lanes.map(|lanes| lanes.iter().map(|&value| f64::from(value)).sum())
}

/// One channel of each image.
fn planes(
    values: &[f32],
    channel: usize,
    channels: usize,
    pixels: usize,
) -> impl Iterator<Item = &[f32]> {
    values.chunks(pixels).skip(channel).step_by(channels)
}

impl Normalize {
    fn channels(&self, gamma: &[f32], beta: &[f32]) -> Vec<Channel> {
        let channel = |index: usize| {
            let (mean, variance) = (self.mean[index], f64::from(self.variance[index]));
            let inverse_std = (variance + self.epsilon).sqrt().recip() as f32;
            let scale = gamma[index] * inverse_std;
            Channel {
                mean,
                inverse_std,
                scale,
                shift: beta[index] - mean * scale,
                floor: if self.relu { 0.0 } else { f32::NEG_INFINITY },
            }
        };
        (0..gamma.len()).map(channel).collect()
    }
}

/// Gradients of gamma and beta.
fn parameter_gradients(
    all: &[Channel],
    input: &[f32],
    gradient: &[f32],
    pixels: usize,
) -> (Vec<f32>, Vec<f32>) {
    let of_channel = |index: usize| {
        let channel = all[index];
        let term = |x: f32, gradient: f32| {
            let gradient = channel.gradient(x, gradient);
            [gradient * (x - channel.mean), gradient]
        };
        let mut totals = [0.0; 2];
        let pairs =
            planes(input, index, all.len(), pixels).zip(planes(gradient, index, all.len(), pixels));
        for (input, gradient) in pairs {
            let [first, second] = two_sums(input, gradient, term);
            totals[0] += first;
            totals[1] += second;
        }
        (totals[0] as f32 * channel.inverse_std, totals[1] as f32)
    };
    (0..all.len()).into_par_iter().map(of_channel).unzip()
}

impl Operation for Normalize {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let shape: [usize; 4] = inputs[0].shape().dims();
        let [_, channels, height, width] = shape;
        let [input, gamma, beta] = [0, 1, 2].map(|index| contiguous(&inputs[index]));
        let all = self.channels(gamma.storage(), beta.storage());
        let input = input.storage::<f32>();
        let mut output = vec![0.0_f32; input.len()];
        output
            .par_chunks_mut(height * width)
            .zip(input.par_chunks(height * width))
            .enumerate()
            .for_each(|(plane, (output, input))| {
                let channel = all[plane % channels];
                for (output, &x) in output.iter_mut().zip(input) {
                    let value = channel.output(x);
                    *output = if value < channel.floor { 0.0 } else { value };
                }
            });
        tensor(output, shape)
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let shape: [usize; 4] = inputs[0].shape().dims();
        let [batch, channels, height, width] = shape;
        let pixels = height * width;
        let count = (batch * pixels) as f32;
        let [input, gamma, beta] = [0, 1, 2].map(|index| contiguous(&inputs[index]));
        let gradient = contiguous(&gradient);
        let all = self.channels(gamma.storage(), beta.storage());
        let (input, gradient) = (input.storage::<f32>(), gradient.storage::<f32>());
        let (gammas, betas) = parameter_gradients(&all, input, gradient, pixels);
        let mut output = vec![0.0_f32; input.len()];
        output
            .par_chunks_mut(pixels)
            .zip(input.par_chunks(pixels).zip(gradient.par_chunks(pixels)))
            .enumerate()
            .for_each(|(plane, (output, (input, gradient)))| {
                let channel = all[plane % channels];
                // The gradient through the mean and the variance.
                let slope = gammas[plane % channels] * channel.inverse_std / count;
                let offset = betas[plane % channels] / count;
                for (output, (&x, &gradient)) in output.iter_mut().zip(input.iter().zip(gradient)) {
                    let direct = channel.gradient(x, gradient);
                    *output = channel.scale * (direct - offset - (x - channel.mean) * slope);
                }
            });
        vec![
            Some(tensor(output, shape)),
            Some(tensor(gammas, [channels])),
            Some(tensor(betas, [channels])),
        ]
    }
}
