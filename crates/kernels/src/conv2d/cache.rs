use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::flex::FlexTensor;

use super::algorithm::Weights;
use super::shape::Conv2dShape;

/// Largest batch whose weights are kept: for larger ones, preparing them takes little of the time.
const MAX_BATCH: usize = 8;

/// Weights of a layer in the order in which the kernel reads them, kept from one call of
/// [`conv2d_fused`](crate::conv2d_fused) with a small batch to the next.
///
/// They are prepared again when the weights have changed. Clones share what they keep.
#[derive(Clone, Debug, Default)]
pub struct WeightCache {
    kept: Arc<Mutex<Option<Kept>>>,
}

#[derive(Clone, Debug)]
struct Kept {
    /// Keeps its storage, so that no other weights have the same address.
    original: FlexTensor,
    weights: Arc<Weights>,
}

impl WeightCache {
    /// The weights for a shape, prepared or kept.
    pub(super) fn weights(&self, shape: &Conv2dShape, weight: &FlexTensor) -> Arc<Weights> {
        let prepare = || Arc::new(Weights::forward(shape, weight.storage()));
        if shape.batch > MAX_BATCH {
            return prepare();
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let weights = match kept.take() {
            Some(kept) if kept.original.is_same(weight) && kept.weights.fits(shape) => kept.weights,
            _ => prepare(),
        };
        *kept = Some(Kept {
            original: weight.clone(),
            weights: Arc::clone(&weights),
        });
        weights
    }
}

/// Whether two tensors have the same storage and layout.
trait IsSame {
    fn is_same(&self, other: &Self) -> bool;
}

impl IsSame for FlexTensor {
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.data_arc(), &other.data_arc()) && self.layout() == other.layout()
    }
}
