//! Temporary buffers that each thread reuses: allocating them takes longer than some kernels.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Largest buffer that a thread keeps, in elements (64 MiB).
const MAX_KEPT: usize = 1 << 24;

thread_local! {
    static POOL: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer that returns to its thread's pool when dropped.
#[derive(Debug)]
pub(crate) struct Scratch(Vec<f32>);

impl Scratch {
    /// Creates a buffer with unspecified contents.
    pub(crate) fn new(len: usize) -> Self {
        let mut scratch = Self(POOL.with_borrow_mut(Vec::pop).unwrap_or_default());
        scratch.set_len(len);
        scratch
    }

    /// Changes the length; the contents are unspecified afterwards.
    pub(crate) fn set_len(&mut self, len: usize) {
        // Fills only what exceeds the current length.
        if self.0.len() < len {
            self.0.resize(len, 0.0);
        } else {
            self.0.truncate(len);
        }
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let vector = std::mem::take(&mut self.0);
        if vector.capacity() <= MAX_KEPT {
            // Fails while the thread exits.
            let _ = POOL.try_with(|pool| pool.borrow_mut().push(vector));
        }
    }
}
