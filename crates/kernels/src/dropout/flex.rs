use burn::backend::flex::FlexTensor;
use burn::tensor::{Distribution, Tensor};
use rayon::prelude::*;

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::parallel::{CHUNK, is_worth_threads};
use crate::flex::simd_math::vectorized;
use crate::flex::tensors::{owned, tensor};

/// Multiplications that one number takes as long as.
const COST: usize = 16;

/// `residual + branch` with some numbers of the branch left out, or the branch alone.
pub(crate) fn add_dropout<const D: usize>(
    residual: Option<Tensor<D>>,
    branch: Tensor<D>,
    probability: f64,
) -> Tensor<D> {
    // Burn's generator decides, so that whoever seeds the device gets the same numbers again.
    let device = branch.device().inner();
    let bits = Distribution::Uniform(0.0, 16_777_216.0);
    let seed = Tensor::<1>::random([2], bits, &device);
    let seed: Vec<u32> = seed.into_data().iter::<f32>().map(|x| x as u32).collect();
    let operation = AddDropout {
        seed: [seed[0], seed[1]],
        below: (probability * 2_f64.powi(32)) as u32,
        scale: (1.0 / (1.0 - probability)) as f32,
    };
    let others = Vec::from_iter(residual.map(Tensor::into_dispatch));
    apply(operation, Inputs::new(branch.into_dispatch(), others))
}

/// Inputs: the branch, and the residual or none.
#[derive(Debug)]
struct AddDropout {
    seed: [u32; 2],
    /// Numbers whose hash is below this are left out.
    below: u32,
    scale: f32,
}

/// What a number is multiplied with: its place decides, so that any thread can compute it, and the
/// backward pass again. The mixing is that of `MurmurHash3` (Appleby, 2011, public domain).
#[inline(always)]
fn factor(place: u32, [first, second]: [u32; 2], below: u32, scale: f32) -> f32 {
    let mut bits = place.wrapping_mul(0x9E37_79B1) ^ first;
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x85EB_CA6B) ^ second;
    bits = (bits ^ (bits >> 13)).wrapping_mul(0xC2B2_AE35);
    bits ^= bits >> 16;
    if bits < below { 0.0 } else { scale }
}

impl AddDropout {
    /// Multiplies a chunk in place, and adds another.
    fn chunk(&self, index: usize, values: &mut [f32], residual: Option<&[f32]>) {
        let first = (index * CHUNK) as u32;
        let Self { seed, below, scale } = *self;
        vectorized(
            #[inline(always)]
            || {
                for (value, place) in values.iter_mut().zip(0_u32..) {
                    *value *= factor(first.wrapping_add(place), seed, below, scale);
                }
                for (value, residual) in values.iter_mut().zip(residual.unwrap_or_default()) {
                    *value += *residual;
                }
            },
        );
    }

    fn multiply(&self, branch: FlexTensor, residual: Option<&FlexTensor>) -> FlexTensor {
        let mut branch = owned(branch);
        let values = branch.storage_mut::<f32>();
        let residual = residual.map(FlexTensor::storage::<f32>);
        let part = |index: usize| {
            let start = index * CHUNK;
            residual.map(|residual| &residual[start..(start + CHUNK).min(residual.len())])
        };
        if is_worth_threads(COST * values.len()) {
            let chunks = values.par_chunks_mut(CHUNK).enumerate();
            chunks.for_each(|(index, values)| self.chunk(index, values, part(index)));
        } else {
            let chunks = values.chunks_mut(CHUNK).enumerate();
            chunks.for_each(|(index, values)| self.chunk(index, values, part(index)));
        }
        branch
    }
}

impl Operation for AddDropout {
    fn keeps_inputs(&self) -> bool {
        false
    }

    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let mut inputs = inputs.into_iter();
        let branch = inputs.next();
        let residual = inputs.next().map(owned);
        let branch = branch.unwrap_or_else(|| tensor(Vec::new(), [0]));
        self.multiply(branch, residual.as_ref())
    }

    fn backward(
        &self,
        _inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let residual = wanted.get(1).map(|_| gradient.clone());
        let branch = wanted[0].then(|| self.multiply(gradient, None));
        vec![branch, residual]
    }
}
