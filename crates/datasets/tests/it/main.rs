//! Files of every format, and each kind of bad input, in one binary: each would link all of Burn again.

#[cfg(feature = "parquet")]
mod parquet;
mod pillow;
mod table;
mod text;
mod text_tasks;
