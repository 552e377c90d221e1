//! Whether a training of this process would save its state if it were asked to stop.
//!
//! A signal is sent to a process, and so this is known per process: while a training runs, the
//! process waits until the state is saved; at any other time it can exit at once, because every
//! file is written atomically.

use std::sync::atomic::{AtomicUsize, Ordering};

static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Stands for a training that answers its interrupter by saving its state.
#[derive(Debug)]
pub struct Saving(());

impl Saving {
    /// From now on, until it is dropped, [`saves_when_interrupted`] holds.
    pub fn begin() -> Self {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether a training is running that answers its interrupter by saving its state.
pub fn saves_when_interrupted() -> bool {
    RUNNING.load(Ordering::SeqCst) > 0
}
