//! The ranks of MPI's world as a group.

use std::mem;
use std::sync::{Mutex, PoisonError};

use mpi::collective::{CommunicatorCollectives as _, Root as _};
use mpi::datatype::{Partition, PartitionMut};
use mpi::topology::{Communicator as _, SimpleCommunicator};
use tinderbox_train::ranks::{Group, GroupError};

/// Bytes of a message that travel with its length.
const SHORT: usize = 32;
const HEADER: usize = 8 + SHORT;

/// Most bytes of a broadcast: MPI counts with 32 bits.
const LONGEST: usize = 1 << 30;

/// All processes that the launcher has started.
pub(crate) struct World {
    rank: usize,
    size: usize,
    /// Memory for the parts of other ranks, which would take time to get again at each step.
    parts: Mutex<Vec<f32>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = SimpleCommunicator::world();
        let natural = |number: i32| usize::try_from(number).unwrap_or_default();
        Self {
            rank: natural(world.rank()),
            size: natural(world.size()),
            parts: Mutex::default(),
        }
    }

    /// Fills in the messages that are longer than what travels with the length; `own` is this rank's.
    fn gather_long(&self, own: &[u8], messages: &mut [Vec<u8>]) -> Result<(), GroupError> {
        let world = SimpleCommunicator::world();
        let is_long = |message: &[u8]| message.len() > SHORT;
        let long = messages
            .iter()
            .filter(|message| is_long(message))
            .map(Vec::len);
        let total = long.fold(0, usize::saturating_add);
        if total > LONGEST {
            for (rank, message) in messages
                .iter_mut()
                .enumerate()
                .filter(|(_, message)| is_long(message))
            {
                if rank == self.rank {
                    message.copy_from_slice(own);
                }
                let root = world.process_at_rank(count(rank)?);
                for part in message.chunks_mut(LONGEST) {
                    root.broadcast_into(part);
                }
            }
            return Ok(());
        }
        // All at once: no rank waits for one after another.
        let lengths = messages
            .iter()
            .map(|message| if is_long(message) { message.len() } else { 0 });
        let lengths = counts(lengths)?;
        let starts = lengths
            .iter()
            .scan(0, |next, len| Some(mem::replace(next, *next + len)));
        let starts: Vec<i32> = starts.collect();
        let mut all = vec![0; total];
        let own = if is_long(own) { own } else { &[] };
        world.all_gather_varcount_into(own, &mut PartitionMut::new(&mut all[..], lengths, starts));
        let mut rest = &all[..];
        for message in messages.iter_mut().filter(|message| is_long(message)) {
            let one;
            (one, rest) = rest.split_at(message.len());
            message.copy_from_slice(one);
        }
        Ok(())
    }

    /// First value of the slice that each rank adds up, and the end of the last.
    fn bounds(&self, len: usize) -> Vec<usize> {
        (0..=self.size).map(|rank| len * rank / self.size).collect()
    }
}

/// As MPI counts.
fn count(number: usize) -> Result<i32, GroupError> {
    i32::try_from(number).map_err(|_| GroupError(format!("{number} values are too many for MPI")))
}

fn counts(numbers: impl Iterator<Item = usize>) -> Result<Vec<i32>, GroupError> {
    numbers.map(count).collect()
}

impl Group for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_gather(&self, message: &[u8]) -> Result<Vec<Vec<u8>>, GroupError> {
        let world = SimpleCommunicator::world();
        let mut own = [0; HEADER];
        own[..8].copy_from_slice(&(message.len() as u64).to_le_bytes());
        let short = message.len().min(SHORT);
        own[8..8 + short].copy_from_slice(&message[..short]);
        let mut all = vec![0; HEADER * self.size];
        world.all_gather_into(&own[..], &mut all[..]);
        let mut messages = Vec::with_capacity(self.size);
        for header in all.chunks_exact(HEADER) {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[..8]);
            let len = usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX);
            messages.push(if len <= SHORT {
                header[8..8 + len].to_vec()
            } else {
                vec![0; len]
            });
        }
        if messages.iter().any(|long| long.len() > SHORT) {
            self.gather_long(message, &mut messages)?;
        }
        Ok(messages)
    }

    /// Each rank adds up one slice of the values, which it gets from all others, and sends the sum to
    /// them: twice the values travel, whatever the number of ranks, and the order is that of the ranks.
    fn sum(&self, values: &mut [f32]) -> Result<(), GroupError> {
        let world = SimpleCommunicator::world();
        let bounds = self.bounds(values.len());
        let own = bounds[self.rank + 1] - bounds[self.rank];
        let starts = counts(bounds[..self.size].iter().copied())?;
        let lengths = counts(bounds.windows(2).map(|pair| pair[1] - pair[0]))?;
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.resize(own * self.size, 0.0);
        let own_starts = counts((0..self.size).map(|rank| rank * own))?;
        let own_lengths = vec![count(own)?; self.size];
        world.all_to_all_varcount_into(
            &Partition::new(&*values, &lengths[..], &starts[..]),
            &mut PartitionMut::new(&mut parts[..], own_lengths, own_starts),
        );
        let (sum, others) = parts.split_at_mut(own);
        // `max`, because the slice of this rank may be empty.
        for part in others.chunks_exact(own.max(1)) {
            for (sum, value) in sum.iter_mut().zip(part) {
                *sum += value;
            }
        }
        world.all_gather_varcount_into(
            &*sum,
            &mut PartitionMut::new(values, &lengths[..], &starts[..]),
        );
        Ok(())
    }
}
