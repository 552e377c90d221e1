//! The processes of one training: what they tell each other, and how they end together.
//!
//! A process is called a rank, as in MPI. A [`Group`] carries messages and sums between the ranks; MPI's
//! is in `tinderbox-mpi`, so that nothing here depends on MPI. [`Ranks`] adds the rule that makes a
//! failure safe: each exchange first says whether every rank is well, so a rank that fails takes part
//! in one more exchange, and all of them end with its message.

mod threads;

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::content_hash;
use tinderbox_predict::error_chain;

use crate::checkpoint::CheckpointContents;
use crate::{ErrorKind, TrainError};

pub use threads::on_threads;

/// What carries data between the ranks of a training. All ranks call the same functions in the same
/// order.
pub trait Group: Send + Sync {
    /// Number of this rank, from 0.
    fn rank(&self) -> usize;

    /// Number of ranks.
    fn size(&self) -> usize;

    /// The messages of all ranks, in rank order. Short ones are fast.
    ///
    /// # Errors
    ///
    /// If another rank is gone.
    fn all_gather(&self, message: &[u8]) -> Result<Vec<Vec<u8>>, GroupError>;

    /// Adds the values of all ranks, in rank order: `((r0 + r1) + r2) + …`, so that the same ranks give
    /// the same bits each time. There are equally many on each rank.
    ///
    /// # Errors
    ///
    /// If another rank is gone.
    fn sum(&self, values: &mut [f32]) -> Result<(), GroupError>;
}

/// Another process of the training is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection to the other ranks is lost: {0}")]
pub struct GroupError(pub String);

/// The only process of a training.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Group for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn all_gather(&self, message: &[u8]) -> Result<Vec<Vec<u8>>, GroupError> {
        Ok(vec![message.to_vec()])
    }

    fn sum(&self, _: &mut [f32]) -> Result<(), GroupError> {
        Ok(())
    }
}

/// A failure of one rank, as all of them know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("rank {rank}: {message}")]
pub struct RankFailure {
    /// The rank; the first of several.
    pub rank: usize,
    /// Who can do something about it.
    pub kind: ErrorKind,
    /// Its message.
    pub message: String,
}

/// The ranks of a training, as one of them sees them.
#[derive(Clone)]
pub struct Ranks {
    group: Arc<dyn Group>,
    /// Whether all ranks know that one has failed.
    failed: Arc<AtomicBool>,
}

impl fmt::Debug for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}

impl Default for Ranks {
    fn default() -> Self {
        Self::new(Arc::new(Alone))
    }
}

impl Ranks {
    /// The ranks of a group.
    pub fn new(group: Arc<dyn Group>) -> Self {
        Self {
            group,
            failed: Arc::default(),
        }
    }

    /// What carries data between the ranks.
    pub fn group(&self) -> &dyn Group {
        &*self.group
    }

    /// Number of this rank, from 0.
    pub fn rank(&self) -> usize {
        self.group.rank()
    }

    /// Number of ranks.
    pub fn size(&self) -> usize {
        self.group.size()
    }

    /// Whether this is the only rank.
    pub fn is_alone(&self) -> bool {
        self.size() == 1
    }

    /// Whether this is rank 0, the only one that writes files and prints.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// The indices of `count` items that this rank has, in rank order. Parts differ by one item at most.
    pub fn part(&self, count: usize) -> Range<usize> {
        let start = |rank| rank * count / self.size();
        start(self.rank())..start(self.rank() + 1)
    }

    /// The messages of all ranks, in rank order, if none has failed.
    ///
    /// # Errors
    ///
    /// The failure of the first rank that has one.
    pub fn all_gather(&self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, RankFailure> {
        self.exchange(Ok(message))
    }

    /// Refuses ranks that have another version of the program, another recipe or other data than rank 0.
    ///
    /// # Errors
    ///
    /// Names what differs and the ranks.
    pub fn check_same(&self, recipe: &str, data: &str) -> Result<(), TrainError> {
        if self.is_alone() {
            return Ok(());
        }
        let parts = [
            (
                "versions",
                env!("CARGO_PKG_VERSION"),
                "install the same program on all machines",
            ),
            (
                "recipes",
                recipe,
                "start all of them with the same recipe and flags",
            ),
            ("data", data, "give all of them the same data"),
        ];
        let hashes = parts
            .iter()
            .flat_map(|(_, text, _)| content_hash(text.as_bytes()).to_le_bytes());
        let all = self.share(Ok(hashes.collect()))?;
        for (number, (what, _, advice)) in parts.into_iter().enumerate() {
            let of =
                |message: &Vec<u8>| message.get(8 * number..8 * number + 8).map(<[u8]>::to_vec);
            let others = (1..all.len()).filter(|&rank| of(&all[rank]) != of(&all[0]));
            let ranks: Vec<String> = others.map(|rank| rank.to_string()).collect();
            if !ranks.is_empty() {
                let (word, verb) = if ranks.len() == 1 {
                    ("rank", "differs")
                } else {
                    ("ranks", "differ")
                };
                let ranks = format!("{word} {} {verb}", ranks.join(", "));
                // All of them see it.
                self.failed.store(true, Ordering::SeqCst);
                return Err(TrainError::Differ {
                    what,
                    ranks,
                    advice,
                });
            }
        }
        Ok(())
    }

    /// The checkpoint that rank 0 has, on all ranks.
    ///
    /// # Errors
    ///
    /// If a rank has failed.
    pub fn checkpoint_of_first(
        &self,
        own: Option<CheckpointContents>,
    ) -> Result<Option<CheckpointContents>, TrainError> {
        if self.is_alone() {
            return Ok(own);
        }
        let bytes = own.as_ref().filter(|_| self.is_first());
        let bytes = bytes.map(CheckpointContents::to_bytes).transpose()?;
        let mut all = self.share(Ok(bytes.unwrap_or_default()))?;
        let bytes = all.swap_remove(0);
        if self.is_first() || bytes.is_empty() {
            return Ok(own);
        }
        let parsed = CheckpointContents::from_bytes(&bytes).map_err(TrainError::Foreign)?;
        Ok(Some(parsed))
    }

    /// Tells the other ranks whether this one has failed, and hears whether one of them has.
    ///
    /// # Errors
    ///
    /// The failure of the first rank that has one.
    pub fn agree(&self, own: Option<(ErrorKind, String)>) -> Result<(), RankFailure> {
        let own = own.map_or(Ok(Vec::new()), |(kind, message)| {
            Err(self.failure(kind, message))
        });
        self.exchange(own).map(|_| ())
    }

    /// The value that rank 0 has, on all ranks.
    ///
    /// # Errors
    ///
    /// If a rank has failed.
    pub(crate) fn of_first<T: Serialize + DeserializeOwned>(
        &self,
        own: Result<T, TrainError>,
    ) -> Result<T, TrainError> {
        if self.is_alone() {
            return own;
        }
        let message = own.and_then(|value| {
            let first = self.is_first().then(|| serde_json::to_vec(&value));
            let message = first
                .transpose()
                .map_err(|error| TrainError::Foreign(error.to_string()));
            Ok(message?.unwrap_or_default())
        });
        let messages = self.share(message)?;
        serde_json::from_slice(&messages[0]).map_err(|error| TrainError::Foreign(error.to_string()))
    }

    /// The messages of all ranks, if none has failed.
    pub(crate) fn share(
        &self,
        own: Result<Vec<u8>, TrainError>,
    ) -> Result<Vec<Vec<u8>>, TrainError> {
        match own {
            Ok(message) => Ok(self.exchange(Ok(message))?),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// The result of this rank, if no rank has failed.
    ///
    /// # Errors
    ///
    /// If a rank has failed.
    pub fn all_well<T>(&self, own: Result<T, TrainError>) -> Result<T, TrainError> {
        if self.is_alone() {
            return own;
        }
        let (value, message) = match own {
            Ok(value) => (Some(value), Ok(Vec::new())),
            Err(error) => (None, Err(error)),
        };
        self.share(message)?;
        value.ok_or_else(|| TrainError::Foreign("a failure got lost".to_owned()))
    }

    /// The error to end with after an error of this rank, which the others end with too.
    pub(crate) fn fail(&self, error: TrainError) -> TrainError {
        self.end(error.kind(), &error)
            .map_or(error, TrainError::Rank)
    }

    /// Tells the other ranks of an error of this one, with which all of them end. The failure of another
    /// rank, if one was first.
    pub fn end(&self, kind: ErrorKind, error: &(dyn Error + 'static)) -> Option<RankFailure> {
        if self.is_alone() || self.failed.load(Ordering::SeqCst) {
            return None;
        }
        let own = self.failure(kind, error_chain(error));
        let failure = self.exchange(Err(own)).err()?;
        // All ranks may have been interrupted.
        (failure.rank != self.rank() && kind != ErrorKind::Interrupted).then_some(failure)
    }

    /// Adds the values of all ranks, which must all be well.
    pub(crate) fn sum(&self, values: &mut [f32]) -> Result<(), TrainError> {
        Ok(self.group.sum(values).map_err(|error| self.lost(&error))?)
    }

    /// The messages of all ranks, or the failure of one.
    fn exchange(&self, own: Result<Vec<u8>, RankFailure>) -> Result<Vec<Vec<u8>>, RankFailure> {
        if self.is_alone() {
            return own.map(|message| vec![message]);
        }
        if self.failed.load(Ordering::SeqCst) {
            // The others have heard of a failure and take part in nothing any more.
            let gone = || self.failure(ErrorKind::Internal, "another rank has failed".to_owned());
            return Err(own.err().unwrap_or_else(gone));
        }
        let message = match &own {
            Ok(message) => [&[WELL], &message[..]].concat(),
            Err(failure) => [
                &[FAILED],
                &serde_json::to_vec(failure).unwrap_or_default()[..],
            ]
            .concat(),
        };
        let messages = self.group.all_gather(&message);
        let mut messages = messages.map_err(|error| self.lost(&error))?;
        let failed = |message: &Vec<u8>| message.first() != Some(&WELL);
        if let Some(rank) = messages.iter().position(failed) {
            self.failed.store(true, Ordering::SeqCst);
            let failure = serde_json::from_slice(messages[rank].get(1..).unwrap_or_default());
            return Err(failure.unwrap_or_else(|error| RankFailure {
                rank,
                kind: ErrorKind::Internal,
                message: error.to_string(),
            }));
        }
        for message in &mut messages {
            message.remove(0);
        }
        Ok(messages)
    }

    /// The failure of ranks that compute different things, which all of them notice by themselves.
    pub(crate) fn out_of_step(&self) -> RankFailure {
        self.failed.store(true, Ordering::SeqCst);
        let message = "the ranks compute different layers, so their batch normalization cannot be synchronized; \
                       set train.sync_batch_norm=false";
        self.failure(ErrorKind::Internal, message.to_owned())
    }

    fn lost(&self, error: &GroupError) -> RankFailure {
        self.failed.store(true, Ordering::SeqCst);
        self.failure(ErrorKind::Internal, error.to_string())
    }

    fn failure(&self, kind: ErrorKind, message: String) -> RankFailure {
        RankFailure {
            rank: self.rank(),
            kind,
            message,
        }
    }
}

/// How the message of a rank begins that has not failed, and of one that has.
const WELL: u8 = 0;
const FAILED: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_in_rank_order_and_the_same_on_all_ranks() {
        let values = [1e8_f32, 1.0, -1e8];
        for size in [1, 2, 3] {
            let expected = values[..size]
                .iter()
                .fold(0.0, |sum: f32, value| sum + value);
            let sums = on_threads(size, |ranks| {
                let mut own = [values[ranks.rank()], 1.0];
                ranks.sum(&mut own).unwrap();
                own
            });
            assert!(
                sums.iter()
                    .all(|sum| sum.map(f32::to_bits) == [expected, size as f32].map(f32::to_bits)),
                "{sums:?}"
            );
        }
    }

    #[test]
    fn a_failure_of_one_rank_ends_all_with_its_message() {
        let results = on_threads(3, |ranks| {
            let own = if ranks.rank() == 1 {
                // Not where the others are, and heard there.
                Err(ranks.fail(TrainError::DataChanged))
            } else {
                ranks.of_first(Ok(7)).map(|_| ())
            };
            // Later exchanges end at once.
            assert!(ranks.agree(None).is_err());
            own.unwrap_err()
        });
        assert!(matches!(results[1], TrainError::DataChanged));
        for rank in [0, 2] {
            let TrainError::Rank(failure) = &results[rank] else {
                panic!("{:?}", results[rank]);
            };
            assert_eq!((failure.rank, failure.kind), (1, ErrorKind::User));
            assert!(
                results[rank]
                    .to_string()
                    .starts_with("rank 1: the data changed")
            );
        }
    }

    #[test]
    fn a_rank_that_is_gone_is_an_error_on_the_others() {
        let results = on_threads(3, |ranks| {
            if ranks.rank() == 2 {
                return None;
            }
            ranks.agree(None).err()
        });
        assert!(results[0].as_ref().unwrap().message.contains("is lost"));
        assert!(results[1].is_some());
    }

    #[test]
    fn all_have_the_value_of_rank_0() {
        let values = on_threads(3, |ranks| ranks.of_first(Ok(ranks.rank() + 5)).unwrap());
        assert_eq!(values, [5, 5, 5]);
    }
}
