//! The server as its clients see it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is wrong"
)]

mod answers;
mod client;
#[cfg(feature = "text")]
mod generate;
mod hostile;
mod operation;
mod schema;
mod slow;
