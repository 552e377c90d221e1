//! How many threads compute.

use std::thread::available_parallelism;

use rayon::ThreadPoolBuilder;

use crate::note;

/// Most threads for each core: more only wait for each other, and each takes memory.
const PER_CORE: usize = 4;

/// Rayon's variable, which Burn's CPU backend and the readers of tables obey.
pub(crate) const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Bounds the number of threads that the environment asks for.
pub(crate) fn limit() {
    let Ok(asked) = std::env::var(VARIABLE) else {
        return;
    };
    let cores = available_parallelism().map_or(1, usize::from);
    let (threads, warning) = threads(&asked, cores);
    if let Some(warning) = warning {
        note(&format!("warning: {warning}"));
    }
    if let Some(threads) = threads {
        // Fails if the pool is already there, which it is not yet.
        let _ = ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
}

/// Limits the number of threads, unless the environment sets it.
pub(crate) fn share(threads: usize) {
    if std::env::var_os(VARIABLE).is_none() {
        // Fails if the pool is already there.
        let _ = ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
}

/// The number of threads to use instead of the one that was asked for, and why.
fn threads(asked: &str, cores: usize) -> (Option<usize>, Option<String>) {
    let most = cores * PER_CORE;
    match asked.parse::<usize>() {
        Ok(count) if count <= most => (None, None),
        Ok(_) => {
            let warning = format!(
                "`{VARIABLE}` is {asked}, but this machine has {cores} cores: using {most} threads"
            );
            (Some(most), Some(warning))
        }
        Err(_) => {
            let warning = format!("`{VARIABLE}` is `{asked}`, which is not a number: ignored");
            (None, Some(warning))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_bounded_by_the_cores() {
        for (asked, used, warned) in [
            ("1", None, false),
            ("8", None, false),
            ("9", Some(8), true),
            ("1000000", Some(8), true),
            ("many", None, true),
            ("-1", None, true),
        ] {
            let (threads, warning) = threads(asked, 2);
            assert_eq!((threads, warning.is_some()), (used, warned), "{asked}");
        }
    }
}
