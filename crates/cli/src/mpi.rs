//! Training on several processes: one of them prints and writes, and all end together.

use std::path::Path;

use tinderbox_train::Ranks;

use crate::{Failure, RunArgs};

/// Variables with the number of processes and that of this one, of Open MPI, MPICH and `srun --mpi=pmix`.
const LAUNCHERS: [[&str; 2]; 3] = [
    ["OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"],
    ["PMI_SIZE", "PMI_RANK"],
    ["SLURM_NTASKS", "PMIX_RANK"],
];

/// The number of processes that `mpirun` or `srun` has started and that of this one, if there are several.
fn launched() -> Option<[usize; 2]> {
    let number = |name| std::env::var(name).ok()?.parse::<usize>().ok();
    let mut places = LAUNCHERS
        .iter()
        .filter_map(|[size, rank]| Some([number(size)?, number(rank)?]));
    places.next().filter(|[size, _]| *size > 1)
}

/// Whether this process does the work of a command that runs on one, which is an error on the first of several and
/// nothing on the others.
///
/// # Errors
///
/// On the first of several processes; `advice` says what to do instead.
pub(crate) fn is_alone(command: &str, advice: &str) -> Result<bool, Failure> {
    match launched() {
        Some([size, 0]) => Err(Failure::user(format!(
            "started on {size} ranks, but `{command}` begins on one: {advice}"
        ))),
        Some(_) => Ok(false),
        None => Ok(true),
    }
}

/// Whether this is one of several processes, and not the first, which alone prints what all have in common.
pub(crate) fn is_other_rank() -> bool {
    launched().is_some_and(|[_, rank]| rank > 0)
}

#[cfg(not(feature = "mpi"))]
mod launch {
    use super::{Failure, Path, Ranks, RunArgs, is_other_rank, launched};

    /// Whether this process prints why it cannot train: of several the first does.
    pub(crate) fn reports(_message: &str) -> bool {
        !is_other_rank()
    }

    /// Trains on this process.
    ///
    /// # Errors
    ///
    /// If it is one of several, which would all train the same.
    pub(crate) fn on_ranks(
        run: &RunArgs,
        train: impl FnOnce(RunArgs, &Ranks, Option<&Path>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match launched() {
            Some([size, 0]) => Err(Failure::user(format!(
                "started on {size} ranks, but this program was built without MPI: build it with \
                 `--features mpi`, or start it without `mpirun`"
            ))),
            // The first one says it.
            Some(_) => Ok(()),
            None => train(run.clone(), &Ranks::default(), None),
        }
    }
}

#[cfg(feature = "mpi")]
mod launch {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::{env, process};

    use tinderbox_mpi::Session;
    use tinderbox_train::ErrorKind;
    use tinderbox_train::ranks::RankFailure;

    use super::{Failure, Path, Ranks, RunArgs};
    use crate::note;
    use crate::output::silence;
    use crate::scratch::{self, Scratch};

    /// Exit code of a program that panics.
    const PANICKED: u8 = 101;

    /// Shares an error in the command line with all ranks; true on the first rank, which prints it.
    pub(crate) fn reports(message: &str) -> bool {
        let Some(session) = Session::start() else {
            return true;
        };
        let ranks = session.ranks();
        // What the first rank ends with is its own error, or this one.
        let _ = ranks.agree(Some((ErrorKind::User, message.to_owned())));
        session.finish();
        ranks.is_first()
    }

    /// Trains on all processes that `mpirun` or `srun` has started. Only the first returns; the others end
    /// the program here.
    ///
    /// # Errors
    ///
    /// If training fails on any of them.
    pub(crate) fn on_ranks(
        run: &RunArgs,
        train: impl FnOnce(RunArgs, &Ranks, Option<&Path>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(session) = Session::start() else {
            if !run.quiet {
                note("built with MPI, but not started by `mpirun` or `srun`: training on one rank");
            }
            return train(run.clone(), &Ranks::default(), None);
        };
        let ranks = session.ranks();
        let trained = catch_unwind(AssertUnwindSafe(|| on_rank(run, &ranks, train)));
        let Ok(result) = trained else {
            // The others wait for this one.
            session.abort(PANICKED);
        };
        let result = agreed(&ranks, result);
        session.finish();
        if ranks.is_first() {
            return result;
        }
        // The first rank ends with the exit code.
        process::exit(0)
    }

    fn on_rank(
        run: &RunArgs,
        ranks: &Ranks,
        train: impl FnOnce(RunArgs, &Ranks, Option<&Path>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut run = run.clone();
        let temporary = env::temp_dir();
        scratch::remove_abandoned(&temporary);
        if ranks.is_first() {
            return train(run, ranks, None);
        }
        silence();
        run.quiet = true;
        run.tensorboard = None;
        let scratch = Scratch::in_dir(&temporary)?;
        train(run, ranks, Some(&scratch.path().join("run")))
    }

    /// The result of this rank, or the failure of another one.
    fn agreed(ranks: &Ranks, result: Result<(), Failure>) -> Result<(), Failure> {
        let own = result.as_ref().err().map(|failure| {
            let kind = match failure {
                Failure::UserError(_) => ErrorKind::User,
                Failure::Interrupted(_) => ErrorKind::Interrupted,
                Failure::Other(_) => ErrorKind::Internal,
            };
            (kind, failure.message())
        });
        match (ranks.agree(own), result) {
            (Ok(()), result) | (Err(_), result @ Err(_)) => result,
            (
                Err(RankFailure {
                    rank,
                    kind,
                    message,
                }),
                Ok(()),
            ) => {
                let error = anyhow::anyhow!("rank {rank}: {message}");
                let (interrupted, user) = (kind == ErrorKind::Interrupted, kind == ErrorKind::User);
                Err(Failure::of(error, interrupted, user))
            }
        }
    }
}

pub(crate) use launch::{on_ranks, reports};
