//! What every kernel with a gradient has in common with Burn: its place in the graph.

use std::fmt::Debug;
use std::sync::Arc;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, Dispatch, DispatchTensor, ExtensionType, Flex, backend_extension,
};
use burn::tensor::Tensor;

/// A function of a few tensors, with its gradient.
pub(crate) trait Operation: Debug + Send + Sync {
    /// Whether the gradient needs the inputs; without this it is given none.
    fn keeps_inputs(&self) -> bool {
        true
    }

    /// Computes the output. What the gradient needs beside the inputs goes into `saved`, which is
    /// absent where no gradient is wanted.
    fn forward(&self, inputs: Vec<FlexTensor>, saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor;

    /// Computes the gradient of each input that is wanted from that of the output.
    fn backward(
        &self,
        inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        wanted: &[bool],
    ) -> Vec<Option<FlexTensor>>;
}

/// Computes an operation, with its place in the graph if an input has one.
pub(crate) fn apply<const D: usize>(
    operation: impl Operation + 'static,
    inputs: Inputs<Dispatch>,
) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::operate(Arc::new(operation), inputs))
}

/// As many tensors as an operation has.
#[derive(ExtensionType)]
pub(crate) enum Inputs<B: Backend> {
    One(FloatTensor<B>),
    Two(FloatTensor<B>, FloatTensor<B>),
    Three(FloatTensor<B>, FloatTensor<B>, FloatTensor<B>),
    Four(
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
    ),
    Seven(
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
    ),
}

impl Inputs<Dispatch> {
    /// One tensor and others: none, one, two, three or six.
    pub(crate) fn new(first: DispatchTensor, others: Vec<DispatchTensor>) -> Self {
        let mut others = others.into_iter();
        match std::array::from_fn::<_, 6, _>(|_| others.next()) {
            [None, ..] => Self::One(first),
            [Some(b), None, ..] => Self::Two(first, b),
            [Some(b), Some(c), None, ..] => Self::Three(first, b, c),
            [Some(b), Some(c), Some(d), None, ..] => Self::Four(first, b, c, d),
            [Some(b), Some(c), Some(d), Some(e), Some(f), Some(g)] => {
                Self::Seven(first, b, c, d, e, f, g)
            }
            _ => unreachable!("no operation has five or six tensors"),
        }
    }
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait Operate: Backend {
    fn operate(
        operation: Arc<dyn Operation>,
        #[extension_type] inputs: Inputs<Self>,
    ) -> FloatTensor<Self>;
}

trait Differentiate: Operate {
    /// The output alone.
    fn output(operation: &dyn Operation, inputs: Vec<FloatTensor<Self>>) -> FloatTensor<Self>;

    /// The output, and what the gradient needs.
    fn operate_and_save(
        operation: &dyn Operation,
        inputs: Vec<FloatTensor<Self>>,
    ) -> (FloatTensor<Self>, Vec<FloatTensor<Self>>);

    fn gradients(
        operation: &dyn Operation,
        inputs: &[FloatTensor<Self>],
        saved: &[FloatTensor<Self>],
        gradient: FloatTensor<Self>,
        wanted: &[bool],
    ) -> Vec<Option<FloatTensor<Self>>>;
}

impl Operate for Flex {
    fn operate(operation: Arc<dyn Operation>, inputs: Inputs<Self>) -> FlexTensor {
        match inputs {
            Inputs::One(a) => operation.forward(vec![a], None),
            Inputs::Two(a, b) => operation.forward(vec![a, b], None),
            Inputs::Three(a, b, c) => operation.forward(vec![a, b, c], None),
            Inputs::Four(a, b, c, d) => operation.forward(vec![a, b, c, d], None),
            Inputs::Seven(a, b, c, d, e, f, g) => {
                operation.forward(vec![a, b, c, d, e, f, g], None)
            }
        }
    }
}

impl Differentiate for Flex {
    fn output(operation: &dyn Operation, inputs: Vec<FlexTensor>) -> FlexTensor {
        operation.forward(inputs, None)
    }

    fn operate_and_save(
        operation: &dyn Operation,
        inputs: Vec<FlexTensor>,
    ) -> (FlexTensor, Vec<FlexTensor>) {
        let mut saved = Vec::new();
        let output = operation.forward(inputs, Some(&mut saved));
        (output, saved)
    }

    fn gradients(
        operation: &dyn Operation,
        inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        operation.backward(inputs, saved, gradient, wanted)
    }
}

#[derive(Debug)]
struct OperationBackward;

#[derive(Clone, Debug)]
struct Saved<T> {
    operation: Arc<dyn Operation>,
    inputs: Vec<NodeId>,
    tensors: Vec<T>,
}

impl<B: Differentiate, const N: usize> Backward<B, N> for OperationBackward {
    type State = Saved<FloatTensor<B>>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let saved = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        let inputs: Vec<FloatTensor<B>> = saved
            .inputs
            .into_iter()
            .map(|node| checkpointer.retrieve_node_output(node))
            .collect();
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let operation = saved.operation.as_ref();
        let values = B::gradients(operation, &inputs, &saved.tensors, gradient, &wanted);
        for (node, value) in ops.parents.into_iter().zip(values) {
            if let (Some(node), Some(value)) = (node, value) {
                gradients.register::<B>(node.id, value);
            }
        }
    }
}

fn track<B: Differentiate, C: CheckpointStrategy, const N: usize>(
    operation: Arc<dyn Operation>,
    inputs: [FloatTensor<Autodiff<B, C>>; N],
) -> FloatTensor<Autodiff<B, C>> {
    let nodes = inputs.each_ref().map(FloatTensor::<Autodiff<B, C>>::node);
    match OperationBackward
        .prepare::<C>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prepared) => {
            let kept = inputs.iter().filter(|_| operation.keeps_inputs());
            let nodes = kept.map(|input| prepared.checkpoint(input)).collect();
            let inputs = inputs
                .map(FloatTensor::<Autodiff<B, C>>::into_primitive)
                .into();
            let (output, tensors) = B::operate_and_save(operation.as_ref(), inputs);
            let saved = Saved {
                operation,
                inputs: nodes,
                tensors,
            };
            prepared.finish(saved, output)
        }
        OpsKind::UnTracked(prepared) => {
            let inputs = inputs
                .map(FloatTensor::<Autodiff<B, C>>::into_primitive)
                .into();
            prepared.finish(B::output(operation.as_ref(), inputs))
        }
    }
}

impl<B: Differentiate, C: CheckpointStrategy> Operate for Autodiff<B, C> {
    fn operate(operation: Arc<dyn Operation>, inputs: Inputs<Self>) -> FloatTensor<Self> {
        match inputs {
            Inputs::One(a) => track::<B, C, _>(operation, [a]),
            Inputs::Two(a, b) => track::<B, C, _>(operation, [a, b]),
            Inputs::Three(a, b, c) => track::<B, C, _>(operation, [a, b, c]),
            Inputs::Four(a, b, c, d) => track::<B, C, _>(operation, [a, b, c, d]),
            Inputs::Seven(a, b, c, d, e, f, g) => {
                track::<B, C, _>(operation, [a, b, c, d, e, f, g])
            }
        }
    }
}
