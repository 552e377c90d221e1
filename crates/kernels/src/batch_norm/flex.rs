use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use crate::Normalized;
use crate::flex::tensors::tensor;

/// Numbers that are summed side by side, for the processor's vectors.
const LANES: usize = 16;

pub(crate) fn batch_norm_train(
    input: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    rectify: bool,
) -> Normalized {
    let device = input.device();
    let plain = if device.is_autodiff() {
        input.clone().inner()
    } else {
        input.clone()
    };
    let [_, channels, _, _] = input.dims();
    let moments = Tensor::<1>::from_dispatch(Dispatch::moments(plain.into_dispatch()));
    let lifted = lift(moments, &device);
    let output = Dispatch::normalize(
        input.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        lifted.clone().into_dispatch(),
        epsilon,
        rectify,
    );
    Normalized {
        output: Tensor::from_dispatch(output),
        mean: lifted.clone().narrow(0, 0, channels),
        variance: lifted.narrow(0, channels, channels),
    }
}

fn lift(moments: Tensor<1>, device: &Device) -> Tensor<1> {
    if device.is_autodiff() {
        Tensor::from_inner(moments)
    } else {
        moments
    }
}

#[backend_extension(Flex)]
pub(crate) trait Moments: Backend {
    /// Mean, then biased variance, of each channel: `[2 * channels]`.
    fn moments(input: FloatTensor<Self>) -> FloatTensor<Self>;
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait Normalize: Backend {
    fn normalize(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        epsilon: f64,
        rectify: bool,
    ) -> FloatTensor<Self>;
}

trait NormalizeGradients: Normalize {
    /// Gradients of the input, gamma and beta, with the moments as functions of the input.
    fn normalize_gradients(
        inputs: [FloatTensor<Self>; 4],
        gradient: FloatTensor<Self>,
        epsilon: f64,
        rectify: bool,
    ) -> [FloatTensor<Self>; 3];
}

/// What happens to a channel.
#[derive(Clone, Copy)]
struct Channel {
    mean: f32,
    /// One over the standard deviation.
    precision: f32,
    /// `scale * x + shift` is the output, before the rectifier.
    scale: f32,
    shift: f32,
    /// Outputs at most this high have no gradient.
    floor: f32,
}

impl Channel {
    fn all(gamma: &[f32], beta: &[f32], moments: &[f32], epsilon: f64, rectify: bool) -> Vec<Self> {
        let (means, variances) = moments.split_at(gamma.len());
        let channel = |index: usize| {
            let precision = (f64::from(variances[index]) + epsilon).sqrt().recip() as f32;
            let scale = gamma[index] * precision;
            Self {
                mean: means[index],
                precision,
                scale,
                shift: beta[index] - means[index] * scale,
                floor: if rectify { 0.0 } else { f32::NEG_INFINITY },
            }
        };
        (0..gamma.len()).map(channel).collect()
    }

    fn output(self, x: f32) -> f32 {
        self.scale * x + self.shift
    }

    /// The gradient behind the rectifier.
    fn gradient(self, x: f32, gradient: f32) -> f32 {
        if self.output(x) > self.floor {
            gradient
        } else {
            0.0
        }
    }
}

/// Sums two functions of each pair of numbers.
fn sums(left: &[f32], right: &[f32], term: impl Fn(f32, f32) -> [f32; 2]) -> [f64; 2] {
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

/// The planes of one channel.
fn planes(
    values: &[f32],
    channel: usize,
    channels: usize,
    pixels: usize,
) -> impl Iterator<Item = &[f32]> {
    values.chunks(pixels).skip(channel).step_by(channels)
}

impl Moments for Flex {
    fn moments(input: FlexTensor) -> FlexTensor {
        let [batch, channels, height, width] = input.shape().dims();
        let pixels = height * width;
        let count = (batch * pixels) as f64;
        let input = input.to_contiguous();
        let input = input.storage::<f32>();
        let moments = |channel: usize| {
            let planes = || planes(input, channel, channels, pixels);
            let total: f64 = planes()
                .map(|plane| sums(plane, plane, |x, _| [x, 0.0])[0])
                .sum();
            let mean = (total / count) as f32;
            let square = |x: f32, _| [(x - mean) * (x - mean), 0.0];
            let squares: f64 = planes().map(|plane| sums(plane, plane, square)[0]).sum();
            (mean, (squares / count) as f32)
        };
        let (mut means, variances): (Vec<f32>, Vec<f32>) =
            (0..channels).into_par_iter().map(moments).unzip();
        means.extend(variances);
        tensor(means, [2 * channels])
    }
}

impl Normalize for Flex {
    fn normalize(
        input: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        moments: FlexTensor,
        epsilon: f64,
        rectify: bool,
    ) -> FlexTensor {
        let shape: [usize; 4] = input.shape().dims();
        let [_, channels, height, width] = shape;
        let [input, gamma, beta, moments] =
            [input, gamma, beta, moments].map(|tensor| tensor.to_contiguous());
        let all = Channel::all(
            gamma.storage(),
            beta.storage(),
            moments.storage(),
            epsilon,
            rectify,
        );
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
}

impl NormalizeGradients for Flex {
    fn normalize_gradients(
        inputs: [FlexTensor; 4],
        gradient: FlexTensor,
        epsilon: f64,
        rectify: bool,
    ) -> [FlexTensor; 3] {
        let [input, gamma, beta, moments] = inputs.map(|tensor| tensor.to_contiguous());
        let gradient = gradient.to_contiguous();
        let shape: [usize; 4] = input.shape().dims();
        let [batch, channels, height, width] = shape;
        let pixels = height * width;
        let count = (batch * pixels) as f32;
        let all = Channel::all(
            gamma.storage(),
            beta.storage(),
            moments.storage(),
            epsilon,
            rectify,
        );
        let (input, gradient) = (input.storage::<f32>(), gradient.storage::<f32>());
        let parameter_gradients = |index: usize| {
            let channel = all[index];
            let term = |x: f32, gradient: f32| {
                let gradient = channel.gradient(x, gradient);
                [gradient * (x - channel.mean), gradient]
            };
            let mut totals = [0.0; 2];
            let pairs = planes(input, index, channels, pixels)
                .zip(planes(gradient, index, channels, pixels));
            for (input, gradient) in pairs {
                let [first, second] = sums(input, gradient, term);
                totals[0] += first;
                totals[1] += second;
            }
            (totals[0] as f32 * channel.precision, totals[1] as f32)
        };
        let (gamma_gradient, beta_gradient): (Vec<f32>, Vec<f32>) = (0..channels)
            .into_par_iter()
            .map(parameter_gradients)
            .unzip();
        let mut output = vec![0.0_f32; input.len()];
        output
            .par_chunks_mut(pixels)
            .zip(input.par_chunks(pixels).zip(gradient.par_chunks(pixels)))
            .enumerate()
            .for_each(|(plane, (output, (input, gradient)))| {
                let channel = all[plane % channels];
                // What the input changes by way of the moments.
                let slope = gamma_gradient[plane % channels] * channel.precision / count;
                let offset = beta_gradient[plane % channels] / count;
                for (output, (&x, &gradient)) in output.iter_mut().zip(input.iter().zip(gradient)) {
                    let direct = channel.gradient(x, gradient);
                    *output = channel.scale * (direct - offset - (x - channel.mean) * slope);
                }
            });
        [
            tensor(output, shape),
            tensor(gamma_gradient, [channels]),
            tensor(beta_gradient, [channels]),
        ]
    }
}

#[derive(Debug)]
struct NormalizeBackward;

/// What the backward pass needs: where its inputs are kept, and the moments.
#[derive(Clone, Debug)]
struct Saved<T> {
    nodes: [NodeId; 3],
    moments: T,
    epsilon: f64,
    rectify: bool,
}

impl<B: NormalizeGradients> Backward<B, 3> for NormalizeBackward {
    type State = Saved<FloatTensor<B>>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let Saved {
            nodes: [input, gamma, beta],
            moments,
            epsilon,
            rectify,
        } = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        let inputs = [
            checkpointer.retrieve_node_output(input),
            checkpointer.retrieve_node_output(gamma),
            checkpointer.retrieve_node_output(beta),
            moments,
        ];
        let values = B::normalize_gradients(inputs, gradient, epsilon, rectify);
        for (node, value) in ops.parents.into_iter().zip(values) {
            if let Some(node) = node {
                gradients.register::<B>(node.id, value);
            }
        }
    }
}

impl<B: NormalizeGradients, C: CheckpointStrategy> Normalize for Autodiff<B, C> {
    fn normalize(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        epsilon: f64,
        rectify: bool,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), gamma.node(), beta.node()];
        let moments = moments.into_primitive();
        match NormalizeBackward
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prepared) => {
                let saved = Saved {
                    nodes: [
                        prepared.checkpoint(&input),
                        prepared.checkpoint(&gamma),
                        prepared.checkpoint(&beta),
                    ],
                    moments: moments.clone(),
                    epsilon,
                    rectify,
                };
                let output = B::normalize(
                    input.into_primitive(),
                    gamma.into_primitive(),
                    beta.into_primitive(),
                    moments,
                    epsilon,
                    rectify,
                );
                prepared.finish(saved, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::normalize(
                input.into_primitive(),
                gamma.into_primitive(),
                beta.into_primitive(),
                moments,
                epsilon,
                rectify,
            )),
        }
    }
}
