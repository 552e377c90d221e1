//! Collation of items into batches, with their random streams.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{BATCH, ITEM};
use crate::random::stream;

/// Where a batch stands, and the random streams that belong to it.
///
/// A stream depends on the seed, the epoch and the index alone: the same pixels come out whatever
/// the number of workers and wherever a run was interrupted.
#[derive(Clone, Debug)]
pub struct BatchContext {
    /// Seed of the loader.
    pub seed: u64,
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Number of the batch within its epoch, from 0.
    pub batch: usize,
    /// Rank that the batch is a part for, from 0; 0 in a training on one process.
    pub rank: usize,
    /// Index in the dataset of each item, in the order of the items.
    pub indices: Vec<usize>,
}

impl BatchContext {
    /// The random stream of one item of the batch.
    ///
    /// # Panics
    ///
    /// If the batch has no item at `position`.
    pub fn item_stream(&self, position: usize) -> Xoshiro256PlusPlus {
        let index = self.indices[position] as u64;
        stream(self.seed, &[ITEM, self.epoch as u64, index])
    }

    /// The random stream of the batch as a whole, which each rank has its own of.
    pub fn batch_stream(&self) -> Xoshiro256PlusPlus {
        let words = [
            BATCH,
            self.epoch as u64,
            self.batch as u64,
            self.rank as u64,
        ];
        // One process draws what it drew before there were ranks.
        let used = if self.rank == 0 { 3 } else { 4 };
        stream(self.seed, &words[..used])
    }
}

/// Turns items into one batch on a device, with randomness and with the right to fail.
///
/// Every Burn [`Batcher`] is one, so an own batcher needs this trait only to augment.
pub trait Collate<I, O>: Send + Sync {
    /// Makes one batch.
    ///
    /// # Errors
    ///
    /// When the items do not fit together or one of them cannot be used.
    fn collate(
        &self,
        items: Vec<I>,
        context: &BatchContext,
        device: &Device,
    ) -> Result<O, DatasetError>;
}

impl<I, O, B: Batcher<I, O>> Collate<I, O> for B {
    fn collate(&self, items: Vec<I>, _: &BatchContext, device: &Device) -> Result<O, DatasetError> {
        Ok(self.batch(items, device))
    }
}
