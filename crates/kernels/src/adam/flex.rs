use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use pulp::Arch;
use rayon::prelude::*;

use crate::adam::{AdamStep, Moved};
use crate::flex::tensors::primitive;

/// Numbers that a thread takes at a time.
const PORTION: usize = 1 << 15;

/// Numbers from which waking a thread pays.
const WORTH_THREADS: usize = 1 << 17;

pub(crate) fn adam<const D: usize>(
    now: Moved<D>,
    gradient: Tensor<D>,
    step: &AdamStep,
) -> Moved<D> {
    let Moved {
        weights,
        mean,
        square,
    } = now;
    let [mut weights, mut mean, mut square] = [weights, mean, square].map(dense);
    let gradient = dense(gradient);
    let slices = [&mut weights, &mut mean, &mut square].map(FlexTensor::storage_mut::<f32>);
    let gradient = gradient.storage::<f32>();
    if gradient.len() < WORTH_THREADS {
        portion(slices, gradient, step);
    } else {
        let [weights, mean, square] = slices.map(|values| values.par_chunks_mut(PORTION));
        let portions = weights.zip(mean).zip(square);
        portions.zip(gradient.par_chunks(PORTION)).for_each(
            |(((weights, mean), square), gradient)| {
                portion([weights, mean, square], gradient, step);
            },
        );
    }
    let [weights, mean, square] = [weights, mean, square].map(Tensor::from_primitive::<Flex>);
    Moved {
        weights,
        mean,
        square,
    }
}

fn portion([weights, mean, square]: [&mut [f32]; 3], gradient: &[f32], step: &AdamStep) {
    Arch::new().dispatch(|| each(weights, mean, square, gradient, step));
}

#[inline(always)]
fn each(
    weights: &mut [f32],
    mean: &mut [f32],
    square: &mut [f32],
    gradient: &[f32],
    step: &AdamStep,
) {
    let AdamStep { beta_1, beta_2, .. } = *step;
    let ([rate, epsilon], kept) = (step.corrected(), step.kept());
    let rows = weights.iter_mut().zip(mean).zip(square).zip(gradient);
    for (((weight, mean), square), &gradient) in rows {
        *mean = *mean * beta_1 + gradient * (1.0 - beta_1);
        *square = *square * beta_2 + gradient * gradient * (1.0 - beta_2);
        *weight = *weight * kept - *mean / (square.sqrt() + epsilon) * rate;
    }
}

/// The tensor's numbers in their order and nothing beside them.
fn dense<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    let count = tensor.shape().num_elements();
    let tensor = primitive(tensor).to_contiguous();
    if tensor.storage::<f32>().len() == count {
        return tensor;
    }
    // A view on the first part of something larger.
    FlexTensor::from_data(tensor.into_data())
}
