//! Whether this process has been started by a launcher of MPI.

use std::env;

/// Variables that launchers set: Open MPI, `PMIx` as with `srun --mpi=pmix`, and PMI as with MPICH.
const VARIABLES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"];

/// Whether one has. Without it MPI would take a moment to begin a world of one.
pub(crate) fn is_launched() -> bool {
    VARIABLES.iter().any(|name| env::var_os(name).is_some())
}
