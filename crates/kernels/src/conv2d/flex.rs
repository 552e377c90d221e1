use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};

use super::im2col::Sizes;
use crate::Walk;
use crate::flex::tensors::tensor;

pub(crate) fn conv2d(input: Tensor<4>, weight: Tensor<4>, walk: Walk) -> Tensor<4> {
    let output = Dispatch::convolve(input.into_dispatch(), weight.into_dispatch(), walk);
    Tensor::from_dispatch(output)
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait Convolve: Backend {
    fn convolve(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        walk: Walk,
    ) -> FloatTensor<Self>;
}

/// What the backward pass of [`Convolve`] is made of.
trait ConvolveGradients: Convolve {
    fn weight_gradient(
        input: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight_shape: Shape,
        walk: Walk,
    ) -> FloatTensor<Self>;

    fn input_gradient(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        input_shape: Shape,
        walk: Walk,
    ) -> FloatTensor<Self>;
}

impl Convolve for Flex {
    fn convolve(input: FlexTensor, weight: FlexTensor, walk: Walk) -> FlexTensor {
        let sizes = Sizes::new(input.shape().dims(), weight.shape().dims(), walk);
        let (input, weight) = (input.to_contiguous(), weight.to_contiguous());
        let output = sizes.forward(input.storage(), weight.storage());
        let [height, width] = sizes.plane_out();
        tensor(output, [sizes.batch, sizes.channels_out, height, width])
    }
}

impl ConvolveGradients for Flex {
    fn weight_gradient(
        input: FlexTensor,
        gradient: FlexTensor,
        weight_shape: Shape,
        walk: Walk,
    ) -> FlexTensor {
        let shape = weight_shape.dims();
        let sizes = Sizes::new(input.shape().dims(), shape, walk);
        let (input, gradient) = (input.to_contiguous(), gradient.to_contiguous());
        tensor(
            sizes.weight_gradient(input.storage(), gradient.storage()),
            shape,
        )
    }

    fn input_gradient(
        weight: FlexTensor,
        gradient: FlexTensor,
        input_shape: Shape,
        walk: Walk,
    ) -> FlexTensor {
        let shape = input_shape.dims();
        let sizes = Sizes::new(shape, weight.shape().dims(), walk);
        let (weight, gradient) = (weight.to_contiguous(), gradient.to_contiguous());
        tensor(
            sizes.input_gradient(weight.storage(), gradient.storage()),
            shape,
        )
    }
}

#[derive(Debug)]
struct ConvolveBackward;

/// What the backward pass needs: where both inputs are kept, their shapes, and the walk.
#[derive(Clone, Debug)]
struct Saved {
    input: NodeId,
    weight: NodeId,
    input_shape: Shape,
    weight_shape: Shape,
    walk: Walk,
}

impl<B: ConvolveGradients> Backward<B, 2> for ConvolveBackward {
    type State = Saved;

    fn backward(
        self,
        ops: Ops<Saved, 2>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [input_node, weight_node] = ops.parents;
        let saved = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        let input: FloatTensor<B> = checkpointer.retrieve_node_output(saved.input);
        let weight: FloatTensor<B> = checkpointer.retrieve_node_output(saved.weight);
        if let Some(node) = weight_node {
            let shape = saved.weight_shape;
            let value = B::weight_gradient(input, gradient.clone(), shape, saved.walk);
            gradients.register::<B>(node.id, value);
        }
        if let Some(node) = input_node {
            let value = B::input_gradient(weight, gradient, saved.input_shape, saved.walk);
            gradients.register::<B>(node.id, value);
        }
    }
}

impl<B: ConvolveGradients, C: CheckpointStrategy> Convolve for Autodiff<B, C> {
    fn convolve(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        walk: Walk,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node()];
        match ConvolveBackward
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prepared) => {
                let saved = Saved {
                    input: prepared.checkpoint(&input),
                    weight: prepared.checkpoint(&weight),
                    input_shape: input.shape(),
                    weight_shape: weight.shape(),
                    walk,
                };
                let output = B::convolve(input.into_primitive(), weight.into_primitive(), walk);
                prepared.finish(saved, output)
            }
            OpsKind::UnTracked(prepared) => {
                let output = B::convolve(input.into_primitive(), weight.into_primitive(), walk);
                prepared.finish(output)
            }
        }
    }
}
