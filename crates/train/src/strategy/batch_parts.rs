//! Batch normalization over the items of all ranks.

use std::sync::{Mutex, PoisonError};

use tinderbox_kernels::BatchParts;

use crate::ranks::{RankFailure, Ranks};

/// The ranks during the forward and backward pass of a batch.
///
/// A pass cannot end early. If a rank fails, the others compute on with what they have, and
/// [`failure`](Self::failure) says that it was for nothing.
#[derive(Debug)]
pub(super) struct RankParts {
    ranks: Ranks,
    /// This rank's share of the items of the batch.
    share: f64,
    failure: Mutex<Option<RankFailure>>,
}

impl RankParts {
    pub(super) fn new(ranks: Ranks, share: f64) -> Self {
        Self {
            ranks,
            share,
            failure: Mutex::default(),
        }
    }

    /// The failure of a rank during the pass.
    pub(super) fn failure(&self) -> Option<RankFailure> {
        let failure = self.failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of the layer, and the values weighted by the share.
    fn message(&self, layer: usize, values: &[f64]) -> Vec<u8> {
        // What a rank without an item computes counts nothing; NaN times 0 would.
        let weighted = |value: &f64| {
            if self.share > 0.0 {
                self.share * value
            } else {
                0.0
            }
        };
        let weighted = values
            .iter()
            .flat_map(|value| weighted(value).to_le_bytes());
        (layer as u64)
            .to_le_bytes()
            .into_iter()
            .chain(weighted)
            .collect()
    }

    fn add(&self, layer: usize, values: &mut [f64]) -> Result<(), RankFailure> {
        let own = self.message(layer, values);
        let (head, len) = (own[..LAYER].to_vec(), own.len());
        let messages = self.ranks.all_gather(own)?;
        if messages
            .iter()
            .any(|message| message.len() != len || !message.starts_with(&head))
        {
            return Err(self.ranks.out_of_step());
        }
        values.fill(0.0);
        for message in &messages {
            let (parts, _) = message[LAYER..].as_chunks();
            for (value, part) in values.iter_mut().zip(parts) {
                *value += f64::from_le_bytes(*part);
            }
        }
        Ok(())
    }
}

/// Bytes of the number of a layer.
const LAYER: usize = size_of::<u64>();

impl BatchParts for RankParts {
    fn mean(&self, layer: usize, values: &mut [f64]) {
        if let Err(failure) = self.add(layer, values) {
            let kept = self.failure.lock();
            kept.unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(failure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrainError;
    use crate::ranks::on_threads;

    #[test]
    fn means_are_weighted_by_items_and_the_same_on_all_ranks() {
        let shares = [0.25, 0.75, 0.0];
        let values = [[1.0, 1e9], [3.0, -1e9], [f64::NAN, 7.0]];
        let means = on_threads(3, |ranks| {
            let rank = ranks.rank();
            let parts = RankParts::new(ranks, shares[rank]);
            let mut means = values[rank];
            parts.mean(4, &mut means);
            assert_eq!(parts.failure(), None);
            means
        });
        assert!(
            means
                .iter()
                .all(|mean| mean.map(f64::to_bits) == [2.5, -5e8].map(f64::to_bits)),
            "{means:?}"
        );
    }

    #[test]
    fn ranks_that_compute_different_layers_all_end() {
        let passes: [&[(usize, usize)]; 2] = [&[(0, 2), (1, 2)], &[(0, 2), (2, 2)]];
        // A layer more on one rank meets what the other says of its batch.
        let longer: [&[(usize, usize)]; 2] = [&[(0, 2)], &[(0, 2), (1, 2)]];
        for layers in [passes, longer] {
            let errors = on_threads(2, |ranks| {
                let parts = RankParts::new(ranks.clone(), 0.5);
                for &(layer, count) in layers[ranks.rank()] {
                    parts.mean(layer, &mut vec![1.0; count]);
                }
                let own = parts
                    .failure()
                    .map_or(Ok(vec![0; 17]), |failure| Err(failure.into()));
                let told = own.and_then(|own| ranks.share(Ok(own)));
                let error = match told {
                    Err(error) => error,
                    Ok(all) if all.iter().any(|message| message.len() != 17) => {
                        ranks.out_of_step().into()
                    }
                    Ok(all) => panic!("{all:?}"),
                };
                // Nobody waits for another one.
                ranks.fail(error)
            });
            for error in errors {
                let TrainError::Rank(failure) = error else {
                    panic!("{error:?}")
                };
                assert!(failure.message.contains("different layers"), "{failure}");
            }
        }
    }
}
