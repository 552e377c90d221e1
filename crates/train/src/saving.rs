//! Whether a training of this process saves its state when it is interrupted.
//!
//! A signal is sent to a process, and so this is known per process: while a training runs, the
//! process waits until the state is saved; at any other time it can exit at once, because every
//! file is written atomically.

use std::sync::atomic::{AtomicUsize, Ordering};

static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// A guard for a training that saves its state when it is interrupted.
#[derive(Debug)]
pub struct Saving(());

impl Saving {
    /// [`saves_when_interrupted`] is true until the guard is dropped.
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

/// Whether a training is running that saves its state when it is interrupted.
pub fn saves_when_interrupted() -> bool {
    RUNNING.load(Ordering::SeqCst) > 0
}
