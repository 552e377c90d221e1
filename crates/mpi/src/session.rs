//! From the start of MPI to its end.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use mpi::environment::{Threading, Universe, initialize_with_threading};
use mpi::topology::{Communicator as _, SimpleCommunicator};
use tinderbox_train::Ranks;

use crate::launch::is_launched;
use crate::world::World;

/// MPI in this process.
pub struct Session {
    /// Not dropped by a panic: MPI's end waits for all ranks, which would wait for this one.
    universe: ManuallyDrop<Universe>,
    ranks: Ranks,
}

impl Session {
    /// Begins MPI; none if the program was not started by `mpirun` or `srun`, or MPI has begun before.
    ///
    /// All functions of MPI are called by one thread at a time.
    pub fn start() -> Option<Self> {
        if !is_launched() {
            return None;
        }
        let (universe, _) = initialize_with_threading(Threading::Serialized)?;
        Some(Self {
            universe: ManuallyDrop::new(universe),
            ranks: Ranks::new(Arc::new(World::new())),
        })
    }

    /// The ranks of the world.
    pub fn ranks(&self) -> Ranks {
        self.ranks.clone()
    }

    /// Ends MPI, once all ranks do.
    pub fn finish(self) {
        drop(ManuallyDrop::into_inner(self.universe));
    }

    /// Ends all ranks at once, after a failure that the others cannot know of.
    pub fn abort(&self, code: u8) -> ! {
        SimpleCommunicator::world().abort(code.into())
    }
}
