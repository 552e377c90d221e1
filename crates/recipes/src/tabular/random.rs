//! The random streams of this task, one for each purpose.

use tinderbox_datasets::random::{Stream, stream};

/// What random numbers are for. Their numbers are part of every seeded result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The permutations of the feature importance; column and repeat count.
    Permutation = 11,
    /// The background row of an explanation; the sample counts.
    BackgroundRow = 12,
    /// The order of the columns in an explanation; the sample counts.
    ColumnOrder = 13,
    /// The cells of a map that serve as negatives.
    BackgroundCells = 21,
}

impl Purpose {
    /// Opens the stream of this purpose for these numbers of a run with `seed`.
    pub(super) fn stream(self, seed: u64, numbers: &[u64]) -> Stream {
        stream(seed, &[&[self as u64], numbers].concat())
    }
}

#[cfg(test)]
mod tests {
    use tinderbox_datasets::random::permutation;

    use super::*;

    #[test]
    fn purposes_have_streams_of_their_own_that_stay() {
        let order = |purpose: Purpose| permutation(100, &mut purpose.stream(7, &[3]));
        assert_ne!(order(Purpose::BackgroundRow), order(Purpose::ColumnOrder));
        let stored = permutation(100, &mut stream(7, &[12, 3]));
        assert_eq!(order(Purpose::BackgroundRow), stored);
    }
}
