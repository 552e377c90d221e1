use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::flex::tensors::tensor;

pub(crate) fn max_pool2x2(input: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::pool(input.into_dispatch()))
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait Pool: Backend {
    fn pool(input: FloatTensor<Self>) -> FloatTensor<Self>;
}

trait PoolGradient: Pool {
    fn pool_gradient(input: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Pool for Flex {
    fn pool(input: FlexTensor) -> FlexTensor {
        let [batch, channels, height, width] = input.shape().dims();
        let [height_out, width_out] = [height / 2, width / 2];
        assert!(
            height_out > 0 && width_out > 0,
            "a plane is smaller than 2x2"
        );
        let input = input.to_contiguous();
        let mut output = vec![0.0_f32; batch * channels * height_out * width_out];
        output
            .par_chunks_mut(height_out * width_out)
            .zip(input.storage::<f32>().par_chunks(height * width))
            .for_each(|(output, plane)| {
                for (y, row) in output.chunks_mut(width_out).enumerate() {
                    let pair = &plane[2 * y * width..2 * (y + 1) * width];
                    let (above, below) = pair.split_at(width);
                    let squares = above.chunks_exact(2).zip(below.chunks_exact(2));
                    for (value, (above, below)) in row.iter_mut().zip(squares) {
                        *value = larger(larger(above[0], above[1]), larger(below[0], below[1]));
                    }
                }
            });
        tensor(output, [batch, channels, height_out, width_out])
    }
}

/// NaN wins, so that it is seen.
fn larger(first: f32, second: f32) -> f32 {
    if second > first || second.is_nan() {
        second
    } else {
        first
    }
}

/// Marks the largest, the first of equals.
#[expect(clippy::float_cmp, reason = "the largest is one of them, to the bit")]
fn first_of_largest(pixels: [f32; 4]) -> [bool; 4] {
    let [a, b, c, d] = pixels;
    let largest = a.max(b).max(c.max(d));
    let [a, b, c, d] = [a, b, c, d].map(|pixel| pixel == largest);
    [a, b && !a, c && !(a || b), d && !(a || b || c)]
}

impl PoolGradient for Flex {
    fn pool_gradient(input: FlexTensor, gradient: FlexTensor) -> FlexTensor {
        let [batch, channels, height, width] = input.shape().dims();
        let plane_out = [height / 2, width / 2];
        let (input, gradient) = (input.to_contiguous(), gradient.to_contiguous());
        let mut output = vec![0.0_f32; batch * channels * height * width];
        output
            .par_chunks_mut(height * width)
            .zip(input.storage::<f32>().par_chunks(height * width))
            .zip(
                gradient
                    .storage::<f32>()
                    .par_chunks(plane_out[0] * plane_out[1]),
            )
            .for_each(|((output, plane), gradient)| {
                let rows = output
                    .chunks_exact_mut(2 * width)
                    .zip(plane.chunks_exact(2 * width))
                    .zip(gradient.chunks_exact(plane_out[1]));
                for ((output, pair), gradient) in rows {
                    let (above_out, below_out) = output.split_at_mut(width);
                    let (above, below) = pair.split_at(width);
                    let squares = above.chunks_exact(2).zip(below.chunks_exact(2));
                    let outputs = above_out
                        .chunks_exact_mut(2)
                        .zip(below_out.chunks_exact_mut(2));
                    for (((above_out, below_out), (above, below)), &gradient) in
                        outputs.zip(squares).zip(gradient)
                    {
                        let pixels = [above[0], above[1], below[0], below[1]];
                        let shares =
                            first_of_largest(pixels).map(|hit| if hit { gradient } else { 0.0 });
                        above_out.copy_from_slice(&shares[..2]);
                        below_out.copy_from_slice(&shares[2..]);
                    }
                }
            });
        tensor(output, [batch, channels, height, width])
    }
}

#[derive(Debug)]
struct PoolBackward;

impl<B: PoolGradient> Backward<B, 1> for PoolBackward {
    type State = NodeId;

    fn backward(
        self,
        ops: Ops<NodeId, 1>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [node] = ops.parents;
        let gradient = gradients.consume::<B>(&ops.node);
        let input: FloatTensor<B> = checkpointer.retrieve_node_output(ops.state);
        if let Some(node) = node {
            gradients.register::<B>(node.id, B::pool_gradient(input, gradient));
        }
    }
}

impl<B: PoolGradient, C: CheckpointStrategy> Pool for Autodiff<B, C> {
    fn pool(input: FloatTensor<Self>) -> FloatTensor<Self> {
        match PoolBackward
            .prepare::<C>([input.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prepared) => {
                let saved = prepared.checkpoint(&input);
                prepared.finish(saved, B::pool(input.into_primitive()))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::pool(input.into_primitive())),
        }
    }
}
