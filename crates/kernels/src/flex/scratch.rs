//! Temporary buffers that are reused: allocating them takes longer than some kernels.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Elements that the unused buffers may have together (64 MiB).
const MAX_KEPT: usize = 1 << 24;

/// Buffers that are not in use. All threads share them, because many are made by one and dropped by
/// another, whose own would pile up.
static POOL: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// A buffer that returns to the pool when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// Longer than `len`, so that its elements are filled only once.
    buffer: Vec<f32>,
    len: usize,
}

impl Scratch {
    /// Creates a buffer with unspecified contents.
    pub(crate) fn new(len: usize) -> Self {
        let buffer = if len == 0 {
            Vec::new()
        } else {
            take(
                &mut POOL.lock().unwrap_or_else(PoisonError::into_inner),
                len,
            )
        };
        let mut scratch = Self { buffer, len: 0 };
        scratch.set_len(len);
        scratch
    }

    /// Changes the length; the contents are unspecified afterwards.
    pub(crate) fn set_len(&mut self, len: usize) {
        if self.buffer.len() < len {
            self.buffer = vec![0.0; len];
        }
        self.len = len;
    }
}

/// Takes the shortest buffer that is long enough, or an empty one.
fn take(pool: &mut Vec<Vec<f32>>, len: usize) -> Vec<f32> {
    let fitting = pool.iter().enumerate();
    let fitting = fitting.filter(|(_, buffer)| buffer.len() >= len);
    match fitting.min_by_key(|(_, buffer)| buffer.len()) {
        Some((index, _)) => pool.swap_remove(index),
        None => Vec::new(),
    }
}

/// Puts a buffer back, and gives up the shortest ones if there are too many.
fn put(pool: &mut Vec<Vec<f32>>, buffer: Vec<f32>) {
    pool.push(buffer);
    let total = |pool: &[Vec<f32>]| pool.iter().map(Vec::len).sum::<usize>();
    while total(pool) > MAX_KEPT {
        let shortest = pool
            .iter()
            .enumerate()
            .min_by_key(|(_, buffer)| buffer.len());
        let Some((index, _)) = shortest else { break };
        pool.swap_remove(index);
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[..self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        if !buffer.is_empty() {
            put(
                &mut POOL.lock().unwrap_or_else(PoisonError::into_inner),
                buffer,
            );
        }
    }
}
