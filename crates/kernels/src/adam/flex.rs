use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::{AdamState, AdamStep};
use crate::flex::arch::arch;
use crate::flex::parallel::run_tasks;
use crate::flex::tensors::into_flex;

/// Elements per task.
const CHUNK: usize = 1 << 15;

/// Fewer elements than this are updated on one thread.
const MIN_PARALLEL: usize = 1 << 17;

pub(super) fn adam<const D: usize>(
    state: AdamState<D>,
    gradient: Tensor<D>,
    step: &AdamStep,
) -> AdamState<D> {
    let AdamState {
        weights,
        moment_1,
        moment_2,
    } = state;
    let [mut weights, mut moment_1, mut moment_2] = [weights, moment_1, moment_2].map(into_dense);
    let gradient = into_dense(gradient);
    let slices = [&mut weights, &mut moment_1, &mut moment_2].map(FlexTensor::storage_mut::<f32>);
    let gradient = gradient.storage::<f32>();
    if gradient.len() < MIN_PARALLEL {
        update_chunk(slices, gradient, step);
    } else {
        let [weights, moment_1, moment_2] = slices.map(|values| values.chunks_mut(CHUNK));
        let chunks = weights.zip(moment_1).zip(moment_2);
        let chunks = chunks.zip(gradient.chunks(CHUNK));
        run_tasks(
            chunks,
            true,
            |(((weights, moment_1), moment_2), gradient)| {
                update_chunk([weights, moment_1, moment_2], gradient, step);
            },
        );
    }
    let [weights, moment_1, moment_2] =
        [weights, moment_1, moment_2].map(Tensor::from_primitive::<Flex>);
    AdamState {
        weights,
        moment_1,
        moment_2,
    }
}

fn update_chunk([weights, moment_1, moment_2]: [&mut [f32]; 3], gradient: &[f32], step: &AdamStep) {
    arch().dispatch(|| update(weights, moment_1, moment_2, gradient, step));
}

#[inline(always)]
fn update(
    weights: &mut [f32],
    moment_1: &mut [f32],
    moment_2: &mut [f32],
    gradient: &[f32],
    step: &AdamStep,
) {
    let AdamStep { beta_1, beta_2, .. } = *step;
    let ([learning_rate, epsilon], decay) = (step.bias_corrected(), step.decay());
    let elements = weights.iter_mut().zip(moment_1).zip(moment_2).zip(gradient);
    for (((weight, moment_1), moment_2), &gradient) in elements {
        *moment_1 = *moment_1 * beta_1 + gradient * (1.0 - beta_1);
        *moment_2 = *moment_2 * beta_2 + gradient * gradient * (1.0 - beta_2);
        *weight = *weight * decay - *moment_1 / (moment_2.sqrt() + epsilon) * learning_rate;
    }
}

/// The tensor in contiguous storage that contains nothing else.
fn into_dense<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    let count = tensor.shape().num_elements();
    let tensor = into_flex(tensor).to_contiguous();
    if tensor.storage::<f32>().len() == count {
        return tensor;
    }
    // A view of the start of a larger tensor.
    FlexTensor::from_data(tensor.into_data())
}
