//! Registration of an operation with Burn: the same for every kernel with a gradient.
//!
//! A kernel implements [`Operation`] on plain Flex tensors and is called through [`apply`].

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

/// A differentiable function of a few tensors.
pub(crate) trait Operation: Debug + Send + Sync {
    /// Whether `backward` needs the inputs; if not, it receives none.
    fn saves_inputs(&self) -> bool {
        true
    }

    /// Computes the output, and pushes what else `backward` needs to `saved`, which is `None` if no
    /// gradient is required.
    fn forward(&self, inputs: Vec<FlexTensor>, saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor;

    /// Computes the gradient of each input from the gradient of the output. Gradients of inputs
    /// without `needs_grad` are ignored and may be `None`.
    fn backward(
        &self,
        inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>>;
}

/// Runs an operation, and adds it to the autodiff graph if an input is tracked.
pub(crate) fn apply<const D: usize>(
    operation: impl Operation + 'static,
    inputs: Inputs<Dispatch>,
) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::run(Arc::new(operation), inputs))
}

/// The inputs of an operation. Burn's extensions take no vector of tensors.
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
    /// One input and 0, 1, 2, 3 or 6 others.
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
            _ => unreachable!("no operation has five or six inputs"),
        }
    }
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait RunOperation: Backend {
    fn run(
        operation: Arc<dyn Operation>,
        #[extension_type] inputs: Inputs<Self>,
    ) -> FloatTensor<Self>;
}

impl RunOperation for Flex {
    fn run(operation: Arc<dyn Operation>, inputs: Inputs<Self>) -> FlexTensor {
        let inputs = match inputs {
            Inputs::One(a) => vec![a],
            Inputs::Two(a, b) => vec![a, b],
            Inputs::Three(a, b, c) => vec![a, b, c],
            Inputs::Four(a, b, c, d) => vec![a, b, c, d],
            Inputs::Seven(a, b, c, d, e, f, g) => vec![a, b, c, d, e, f, g],
        };
        operation.forward(inputs, None)
    }
}

impl<B: Differentiable, C: CheckpointStrategy> RunOperation for Autodiff<B, C> {
    fn run(operation: Arc<dyn Operation>, inputs: Inputs<Self>) -> FloatTensor<Self> {
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

/// [`Operation`] for a generic backend, as Burn's [`Backward`] requires.
trait Differentiable: RunOperation {
    fn forward(
        operation: &dyn Operation,
        inputs: Vec<FloatTensor<Self>>,
        saved: Option<&mut Vec<FloatTensor<Self>>>,
    ) -> FloatTensor<Self>;

    fn backward(
        operation: &dyn Operation,
        inputs: &[FloatTensor<Self>],
        saved: &[FloatTensor<Self>],
        gradient: FloatTensor<Self>,
        needs_grad: &[bool],
    ) -> Vec<Option<FloatTensor<Self>>>;
}

impl Differentiable for Flex {
    fn forward(
        operation: &dyn Operation,
        inputs: Vec<FlexTensor>,
        saved: Option<&mut Vec<FlexTensor>>,
    ) -> FlexTensor {
        operation.forward(inputs, saved)
    }

    fn backward(
        operation: &dyn Operation,
        inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        operation.backward(inputs, saved, gradient, needs_grad)
    }
}

#[derive(Debug)]
struct OperationBackward;

#[derive(Clone, Debug)]
struct State<T> {
    operation: Arc<dyn Operation>,
    inputs: Vec<NodeId>,
    saved: Vec<T>,
}

impl<B: Differentiable, const N: usize> Backward<B, N> for OperationBackward {
    type State = State<FloatTensor<B>>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let state = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        let inputs: Vec<FloatTensor<B>> = state
            .inputs
            .into_iter()
            .map(|node| checkpointer.retrieve_node_output(node))
            .collect();
        let needs_grad = ops.parents.each_ref().map(Option::is_some);
        let operation = state.operation.as_ref();
        let values = B::backward(operation, &inputs, &state.saved, gradient, &needs_grad);
        for (node, value) in ops.parents.into_iter().zip(values) {
            if let (Some(node), Some(value)) = (node, value) {
                gradients.register::<B>(node.id, value);
            }
        }
    }
}

fn track<B: Differentiable, C: CheckpointStrategy, const N: usize>(
    operation: Arc<dyn Operation>,
    inputs: [FloatTensor<Autodiff<B, C>>; N],
) -> FloatTensor<Autodiff<B, C>> {
    let nodes = inputs.each_ref().map(FloatTensor::<Autodiff<B, C>>::node);
    let primitives = |inputs: [FloatTensor<Autodiff<B, C>>; N]| {
        let primitives = inputs.map(FloatTensor::<Autodiff<B, C>>::into_primitive);
        Vec::from(primitives)
    };
    match OperationBackward
        .prepare::<C>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prepared) => {
            let inputs_to_save = inputs.iter().filter(|_| operation.saves_inputs());
            let nodes = inputs_to_save.map(|input| prepared.checkpoint(input));
            let nodes = nodes.collect();
            let mut saved = Vec::new();
            let output = B::forward(operation.as_ref(), primitives(inputs), Some(&mut saved));
            let state = State {
                operation,
                inputs: nodes,
                saved,
            };
            prepared.finish(state, output)
        }
        OpsKind::UnTracked(prepared) => {
            prepared.finish(B::forward(operation.as_ref(), primitives(inputs), None))
        }
    }
}
