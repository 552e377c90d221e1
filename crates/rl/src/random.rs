//! Random streams by the seed of the run, a purpose and a counter.
//!
//! No generator lives from one step to the next: a checkpoint needs the counters only, and a part
//! that draws more or fewer numbers does not change the numbers of the others.

pub use tinderbox_datasets::random::{Stream, below, normal, uniform};

use rand_xoshiro::rand_core::Rng as _;
use tinderbox_datasets::random::stream;

/// The purpose of a random stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The initial weights.
    Weights,
    /// The environments of the training.
    Environments,
    /// The environments of an evaluation during training; its number counts.
    Evaluation,
    /// The environments of the test, which selects nothing.
    Test,
    /// Actions taken at random; the step counts.
    Exploration,
    /// Which transitions make a batch; the update counts.
    Sampling,
    /// Noise in the weights while acting; the step counts.
    ActingNoise,
    /// Noise in the weights while learning; the update counts.
    LearningNoise,
    /// Actions of the random policy that an agent is compared with.
    RandomPolicy,
}

impl Purpose {
    /// Opens the stream of this purpose for the `number`-th time of a run with `seed`.
    pub fn stream(self, seed: u64, number: u64) -> Stream {
        stream(seed, &[self as u64, number])
    }

    /// A seed for a separate generator.
    pub fn seed(self, seed: u64, number: u64) -> u64 {
        self.stream(seed, number).next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_counters_have_different_streams() {
        let mut seeds: Vec<u64> = [Purpose::Evaluation, Purpose::Test]
            .into_iter()
            .flat_map(|purpose| (0..50).map(move |number| purpose.seed(7, number)))
            .collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 100);
        assert_eq!(Purpose::Test.seed(7, 3), Purpose::Test.seed(7, 3));
    }
}
