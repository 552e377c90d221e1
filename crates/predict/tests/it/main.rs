//! One test binary, because each would link all of Burn again.

mod models;
