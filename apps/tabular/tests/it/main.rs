//! The real binary, on tiny data; one test binary, because each would link all of Burn again.

mod app;
mod bad_input;
mod shards;
mod sweep;
