//! Batch normalization of a batch whose items are on several processes.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use burn::tensor::module::BatchNormTrainOutput;
use burn::tensor::{DType, Device, Tensor};

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::tensors::{contiguous, tensor};

/// The parts of a batch that is divided among processes, as one of them sees them.
///
/// All processes ask for the same means in the same order, whatever their part; also one without any item of
/// the batch, whose values count nothing.
pub trait BatchParts: Debug + Send + Sync {
    /// Replaces values, each a mean over the items of this part, by the mean over the items of all parts.
    ///
    /// `layer` is the number of the layer in the forward pass, the same in the backward pass.
    fn mean(&self, layer: usize, values: &mut [f64]);
}

thread_local! {
    /// Of the pass that this thread computes, with the number of the next layer.
    static CURRENT: RefCell<Option<(Arc<dyn BatchParts>, usize)>> = const { RefCell::new(None) };
}

/// Computes a forward pass, and usually the backward pass, in which [`batch_norm_train`](crate::batch_norm_train)
/// normalizes with the statistics of all parts of the batch.
///
/// The gradients are those of this part's loss and of the statistics of the losses of all parts, each weighted by its
/// items: their mean over the parts, weighted in the same way, is the gradient of the whole batch.
/// Other threads, and whatever this one computes later, are not affected.
pub fn with_synchronized_batch_norm<T>(parts: Arc<dyn BatchParts>, pass: impl FnOnce() -> T) -> T {
    /// Sets what was there before, also after a panic.
    struct Restore(Option<(Arc<dyn BatchParts>, usize)>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _restore = Restore(CURRENT.replace(Some((parts, 0))));
    pass()
}

/// Whether this thread computes within [`with_synchronized_batch_norm`].
pub fn is_batch_norm_synchronized() -> bool {
    CURRENT.with_borrow(Option::is_some)
}

/// The exchange of one layer with the other parts, in the forward and the backward pass.
#[derive(Clone, Debug)]
pub(super) struct LayerExchange {
    parts: Arc<dyn BatchParts>,
    layer: usize,
}

impl LayerExchange {
    /// That of the next layer, if this thread's pass is synchronized.
    pub(super) fn next() -> Option<Self> {
        CURRENT.with_borrow_mut(|current| {
            let (parts, next) = current.as_mut()?;
            let layer = *next;
            *next += 1;
            Some(Self {
                parts: Arc::clone(parts),
                layer,
            })
        })
    }

    pub(super) fn mean(&self, values: &mut [f64]) {
        self.parts.mean(self.layer, values);
    }

    /// Mean and variance of each channel over all parts, from those of this one.
    pub(super) fn moments(&self, [means, variances]: [Vec<f64>; 2]) -> [Vec<f64>; 2] {
        let channels = means.len();
        let squares = means.iter().zip(&variances);
        let squares = squares.map(|(mean, variance)| mean * mean + variance);
        // Double precision: little is left of what cancels below even if the mean is far from zero.
        let mut values: Vec<f64> = means.iter().copied().chain(squares).collect();
        self.mean(&mut values);
        let squares = values.split_off(channels);
        let variance = |(&mean, square): (&f64, f64)| (square - mean * mean).max(0.0);
        let variances = values.iter().zip(squares).map(variance).collect();
        [values, variances]
    }
}

/// Composed from Burn's operations, for devices without a kernel. The statistics go through Flex.
pub(super) fn by_operations(
    exchange: &LayerExchange,
    input: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> BatchNormTrainOutput<4> {
    let [_, channels, _, _] = input.dims();
    let by_channel = |values: Tensor<1>| values.reshape([1, channels, 1, 1]);
    let mean_of = |values: Tensor<4>| {
        let means = values.mean_dims(&[0, 2, 3]).reshape([channels]);
        mean_over_parts(exchange.clone(), means)
    };
    let mean = mean_of(input.clone());
    let centered = input - by_channel(mean.clone());
    let variance = mean_of(centered.clone() * centered.clone());
    let scale = gamma / variance.clone().add_scalar(epsilon).sqrt();
    BatchNormTrainOutput {
        output: centered * by_channel(scale) + by_channel(beta),
        mean,
        variance,
    }
}

/// The mean of values over all parts of the batch.
fn mean_over_parts(exchange: LayerExchange, values: Tensor<1>) -> Tensor<1> {
    let (device, dtype) = (values.device(), values.dtype());
    let flex = if device.is_autodiff() {
        Device::flex().autodiff()
    } else {
        Device::flex()
    };
    let values = values.to_device(&flex).cast(DType::F32);
    let means: Tensor<1> = apply(Mean(exchange), Inputs::new(values.into_dispatch(), vec![]));
    means.to_device(&device).cast(dtype)
}

/// The mean over all parts. So is its gradient: each part's loss depends on it.
#[derive(Debug)]
struct Mean(LayerExchange);

impl Mean {
    fn of(&self, values: &FlexTensor) -> FlexTensor {
        let values = contiguous(values);
        let mut means: Vec<f64> = values
            .storage::<f32>()
            .iter()
            .copied()
            .map(f64::from)
            .collect();
        self.0.mean(&mut means);
        let count = means.len();
        tensor(means.into_iter().map(|mean| mean as f32).collect(), [count])
    }
}

impl Operation for Mean {
    fn saves_inputs(&self) -> bool {
        false
    }

    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        self.of(&inputs[0])
    }

    fn backward(
        &self,
        _inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        vec![Some(self.of(&gradient))]
    }
}
