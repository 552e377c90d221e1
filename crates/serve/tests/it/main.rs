//! The server as its clients see it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is wrong"
)]

mod answers;
mod client;
mod hostile;
mod operation;
