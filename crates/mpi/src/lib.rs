//! MPI's messages between the ranks of a training.
//!
//! `Session::start` begins MPI in a program that `mpirun` or `srun` has started, and gives the
//! [`Ranks`](tinderbox_train::Ranks) that a training takes. Without the feature `mpi` this crate is empty:
//! only with it an MPI library and libclang are needed.
//!
//! Non-goals: MPI beyond what training needs, and the contents of the messages, which are in `tinderbox-train`.

#[cfg(feature = "mpi")]
mod launch;
#[cfg(feature = "mpi")]
mod session;
#[cfg(feature = "mpi")]
mod world;

#[cfg(feature = "mpi")]
pub use session::Session;
