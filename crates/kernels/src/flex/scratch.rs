//! Memory for what is computed on the way, which each thread uses again: asking the system for it
//! each time costs more than some kernels do.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Numbers that a thread keeps at most, 64 MiB.
const KEPT: usize = 1 << 24;

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A vector of numbers that goes back to its thread's heap of vectors.
#[derive(Debug)]
pub(crate) struct Scratch(Vec<f32>);

impl Scratch {
    /// Numbers of any value.
    pub(crate) fn new(len: usize) -> Self {
        let mut scratch = Self(FREE.with_borrow_mut(Vec::pop).unwrap_or_default());
        scratch.set_len(len);
        scratch
    }

    /// Changes the length; the numbers are of any value.
    pub(crate) fn set_len(&mut self, len: usize) {
        // Only what it never was long enough for is filled.
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
        if vector.capacity() <= KEPT {
            // A thread that ends has no heap any more.
            let _ = FREE.try_with(|free| free.borrow_mut().push(vector));
        }
    }
}
