//! One test binary, because each would link all of Burn again.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod models;
