//! Limits of requests.

use std::time::Duration;

/// Limits of requests, so that no client can use up memory or time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a body, and of a line of a stream.
    pub body_bytes: usize,
    /// Most pixels of the images of a request together, read from their headers before decoding.
    pub pixels: u64,
    /// Most rows, texts or images of a request that is not a stream.
    pub rows: usize,
    /// Most tokens of the texts of a request, and of a generated text.
    pub tokens: usize,
    /// Most requests in progress or waiting; more are refused with status 503.
    pub queue: usize,
    /// Most time for a request, for a generated text, for the next line of a stream, and until a client takes
    /// the next part of its answer.
    pub time: Duration,
    /// Most inputs of a batch.
    pub batch: usize,
    /// Time for which a batch that is not full waits for more inputs.
    pub wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 10_000_000,
            pixels: 50_000_000,
            rows: 10_000,
            tokens: 100_000,
            queue: 256,
            time: Duration::from_secs(30),
            batch: 64,
            wait: Duration::ZERO,
        }
    }
}
