//! Ranks that are threads of one process: what a group does, without MPI.

use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Group, GroupError, Ranks};

/// Runs the same on `size` ranks, which are threads of this process, and gives the result of each.
///
/// They share the random generator of a device, so dropout depends on which thread is first; it is a
/// means of testing, and MPI's ranks are processes.
///
/// # Panics
///
/// If `size` is 0, or `run` panics.
pub fn on_threads<T: Send>(size: usize, run: impl Fn(Ranks) -> T + Sync) -> Vec<T> {
    assert!(size > 0, "a group has at least one rank");
    let table = Arc::new(Table {
        state: Mutex::new(State {
            messages: vec![None; size],
            read: 0,
            gone: None,
        }),
        changed: Condvar::new(),
    });
    thread::scope(|scope| {
        let run = &run;
        let start = |rank| {
            let table = Arc::clone(&table);
            let ranks = Ranks::new(Arc::new(Thread { table, rank, size }));
            scope.spawn(move || run(ranks))
        };
        let threads: Vec<_> = (0..size).map(start).collect();
        let result = |thread: thread::ScopedJoinHandle<'_, T>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        threads.into_iter().map(result).collect()
    })
}

struct Thread {
    table: Arc<Table>,
    rank: usize,
    size: usize,
}

/// Where the ranks lay down their messages.
struct Table {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    messages: Vec<Option<Vec<u8>>>,
    /// Ranks that have read the messages of this turn.
    read: usize,
    gone: Option<usize>,
}

impl Table {
    /// The state once `ready` holds; an error if a rank is gone before that.
    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        ready: impl Fn(&State) -> bool,
    ) -> Result<MutexGuard<'a, State>, GroupError> {
        while !ready(&state) {
            if let Some(rank) = state.gone {
                return Err(GroupError(format!("rank {rank} is gone")));
            }
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_gather(&self, message: &[u8]) -> Result<Vec<Vec<u8>>, GroupError> {
        let table = &self.table;
        // Until the slowest has read those of the turn before.
        let mut state = table.wait(table.lock(), |state| state.messages[self.rank].is_none())?;
        state.messages[self.rank] = Some(message.to_vec());
        table.changed.notify_all();
        let all = |state: &State| state.messages.iter().all(Option::is_some);
        let mut state = table.wait(state, all)?;
        let messages = state.messages.iter().flatten().cloned().collect();
        state.read += 1;
        if state.read == self.size {
            state.read = 0;
            state.messages.fill(None);
            table.changed.notify_all();
        } else {
            // Whoever is done must not lay down its next message among these.
            drop(table.wait(state, |state| state.read == 0)?);
        }
        Ok(messages)
    }

    fn sum(&self, values: &mut [f32]) -> Result<(), GroupError> {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let parts = self.all_gather(&bytes)?;
        for (index, value) in values.iter_mut().enumerate() {
            let of = |part: &Vec<u8>| {
                let bytes = part.get(4 * index..4 * index + 4)?;
                Some(f32::from_le_bytes(bytes.try_into().ok()?))
            };
            let mut all = parts.iter().filter_map(of);
            let first = all.next().unwrap_or_default();
            *value = all.fold(first, |sum, value| sum + value);
        }
        Ok(())
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.table.lock().gone = Some(self.rank);
        self.table.changed.notify_all();
    }
}
